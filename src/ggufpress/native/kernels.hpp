// What an instruction set offers: one table of functions per set, filled in scalar/table.cpp and simd/table.cpp.
#pragma once

#include <cstdint>

#include "blocks.hpp"

namespace ggufpress {

/// Whether a type can only be quantized with importance. Source: ggml_quantize_requires_imatrix of ggml/src/ggml.c.
constexpr bool needs_importance(int type) { return type == IQ2_XXS || type == IQ2_XS || type == IQ1_S; }

/// Whether quantizing with importance looks at Chunk::row_mean_sq.
constexpr bool wants_row_mean_sq(int type) { return type == Q4_0 || type == Q4_1 || type == Q5_0 || type == Q5_1; }

/// Weights handed to a kernel at once are whole blocks, at most this many: they stay in the first-level cache.
constexpr int CHUNK = 4096;

/// A run of `n` weights, whole blocks that lie next to each other in a tensor.
struct Chunk {
    const float* x;
    /// Importance of each of the n weights, or null to quantize without.
    const float* importance;
    /// Mean square of the row that each run of 32 weights belongs to; only where wants_row_mean_sq.
    const float* row_mean_sq;
    int n;
};

struct TypeKernels {
    /// Writes n / block blocks to y. Float types round each value.
    void (*quantize)(const Chunk& chunk, uint8_t* y) = nullptr;
    /// Writes the n values that the blocks y stand for.
    void (*dequantize)(const uint8_t* y, int n, float* x) = nullptr;
};

struct Differences {
    double sum_sq[8];
    double sum_sq_a[8];
    float max_abs;
};

struct Kernels {
    const char* name;
    TypeKernels of[TYPE_COUNT];
    /// Index of the first NaN or infinity of n values, or n.
    int (*first_nonfinite)(const float* x, int n);
    /// Adds the differences of n values to `sums`; value i always goes to partial sum i % 8. max_abs keeps NaN.
    void (*add_differences)(const float* a, const float* b, int n, Differences& sums);
    /// Sums of squares of `lanes` rows of n values, each in order, continued in `sums` from earlier calls.
    void (*add_squares)(const float* const* rows, int lanes, int n, float* sums);
};

}  // namespace ggufpress
