// Whole runs of rows, chunk by chunk through first-level-cache scratch; lengths are the caller's to check.
#pragma once

#include <cstdint>

#include "kernels.hpp"

namespace ggufpress {

/// Rows of a tensor: `rows` * `cols` weights, each row whole blocks.
struct Shape {
    int64_t rows;
    int64_t cols;
};

/// Stores `src` as `dst_type`; each value is rounded to `via_type` on the way. `importance`: cols floats, or null.
/// Returns the index of the first value that is not finite if `dst_type` has blocks, else -1.
int64_t convert(const Kernels& kernels, const uint8_t* src, int src_type, int via_type, uint8_t* dst, int dst_type,
                Shape shape, const float* importance);

void dequantize(const Kernels& kernels, const uint8_t* src, int type, float* dst, int64_t n);

struct ErrorSums {
    double sum_sq;
    double max_abs;
    double sum_sq_a;
};

/// Sums over (a - b)^2 and a^2 in an order that depends on n alone.
ErrorSums error_sums(const Kernels& kernels, const uint8_t* a, int a_type, const uint8_t* b, int b_type, int64_t n);

/// Index of the first block whose scales (or whose value, for float types) are not finite, or -1.
int64_t first_bad_block(const Kernels& kernels, const uint8_t* data, int type, int64_t blocks);

}  // namespace ggufpress
