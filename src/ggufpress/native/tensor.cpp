#include "tensor.hpp"

#include <cstring>

namespace ggufpress {

namespace {

/// Rows whose mean squares are summed at once where a type asks for them.
constexpr int ROW_GROUP = 16;
constexpr int ROW_SEGMENT = 256;

int smaller(int64_t a, int b) { return a < b ? static_cast<int>(a) : b; }

/// Reads weights of a float tensor and rounds them to the via type.
class Source {
public:
    Source(const Kernels& kernels, const uint8_t* data, int type, int via_type)
        : kernels_(kernels), data_(data), type_(type), via_(via_type == type ? F32 : via_type) {}

    /// Weights first ... first + n, n <= CHUNK, in `scratch` or where they lie.
    const float* read(int64_t first, int n, float* scratch) const {
        const uint8_t* from = data_ + bytes_of(type_, first);
        const bool aligned = reinterpret_cast<uintptr_t>(from) % alignof(float) == 0;
        if (type_ == F32 && via_ == F32 && aligned) return reinterpret_cast<const float*>(from);
        kernels_.of[type_].dequantize(from, n, scratch);
        if (via_ != F32) {
            uint8_t rounded[2 * CHUNK];
            kernels_.of[via_].quantize({scratch, nullptr, nullptr, n}, rounded);
            kernels_.of[via_].dequantize(rounded, n, scratch);
        }
        return scratch;
    }

private:
    const Kernels& kernels_;
    const uint8_t* data_;
    int type_;
    int via_;
};

/// Mean squares of up to ROW_GROUP rows, each a float sum in order.
void mean_squares(const Kernels& kernels, const Source& source, int64_t first_row, int rows, int64_t cols,
                  float (&mean_sq)[ROW_GROUP]) {
    float scratch[ROW_GROUP][ROW_SEGMENT];
    const float* from[ROW_GROUP];
    for (float& sum : mean_sq) sum = 0;
    for (int64_t col = 0; col < cols; col += ROW_SEGMENT) {
        const int n = smaller(cols - col, ROW_SEGMENT);
        for (int i = 0; i < rows; ++i) from[i] = source.read((first_row + i) * cols + col, n, scratch[i]);
        kernels.add_squares(from, rows, n, mean_sq);
    }
    for (float& sum : mean_sq) sum = sum / static_cast<float>(cols);
}

/// Importance of weights first ... first + n: the same for every row.
void repeat_importance(const float* importance, int64_t cols, int64_t first, int n, float* out) {
    int64_t col = first % cols;
    for (int i = 0; i < n;) {
        const int run = smaller(cols - col, n - i);
        std::memcpy(out + i, importance + col, sizeof(float) * static_cast<size_t>(run));
        i += run;
        col = 0;
    }
}

bool is_finite_half(uint16_t half) { return (half & 0x7c00) != 0x7c00; }

bool has_finite_scales(int type, const uint8_t* block) {
    if (type == MXFP4) return block[offsetof(BlockMXFP4, e)] != 0xff;
    if (type == Q8_K) {
        uint32_t bits;
        std::memcpy(&bits, block + offsetof(BlockQ8_K, d), sizeof bits);
        return (bits & 0x7f800000) != 0x7f800000;
    }
    if (type == IQ1_M) return is_finite_half(reinterpret_cast<const BlockIQ1_M*>(block)->d());
    const HalfScales scales = half_scales(type);
    for (int s = 0; s < scales.count; ++s) {
        uint16_t half;
        std::memcpy(&half, block + scales.offset[s], sizeof half);
        if (!is_finite_half(half)) return false;
    }
    return true;
}

}  // namespace

int64_t convert(const Kernels& kernels, const uint8_t* src, int src_type, int via_type, uint8_t* dst, int dst_type,
                Shape shape, const float* importance) {
    const int64_t total = shape.rows * shape.cols;
    if (src_type == dst_type && via_type == src_type) {
        std::memcpy(dst, src, static_cast<size_t>(bytes_of(src_type, total)));
        return -1;
    }
    const TypeKernels& target = kernels.of[dst_type];
    const bool has_blocks = block_size(dst_type).weights > 1;
    const bool row_sums = importance && wants_row_mean_sq(dst_type);
    const Source source(kernels, src, src_type, via_type);

    alignas(64) float scratch[CHUNK];
    alignas(64) float importance_run[CHUNK];
    float mean_sq[ROW_GROUP], mean_sq_run[CHUNK / 32];
    const int64_t group = row_sums ? ROW_GROUP : shape.rows;
    for (int64_t row = 0; row < shape.rows; row += group) {
        const int64_t rows = shape.rows - row < group ? shape.rows - row : group;
        if (row_sums) mean_squares(kernels, source, row, static_cast<int>(rows), shape.cols, mean_sq);
        const int64_t end = (row + rows) * shape.cols;
        for (int64_t first = row * shape.cols; first < end; first += CHUNK) {
            Chunk chunk = {nullptr, nullptr, nullptr, smaller(end - first, CHUNK)};
            chunk.x = source.read(first, chunk.n, scratch);
            if (has_blocks) {
                const int bad = kernels.first_nonfinite(chunk.x, chunk.n);
                if (bad < chunk.n) return first + bad;
            }
            if (importance && has_blocks) {
                repeat_importance(importance, shape.cols, first, chunk.n, importance_run);
                chunk.importance = importance_run;
            }
            if (row_sums) {
                for (int b = 0; b < chunk.n / 32; ++b) mean_sq_run[b] = mean_sq[(first + 32 * b) / shape.cols - row];
                chunk.row_mean_sq = mean_sq_run;
            }
            target.quantize(chunk, dst + bytes_of(dst_type, first));
        }
    }
    return -1;
}

void dequantize(const Kernels& kernels, const uint8_t* src, int type, float* dst, int64_t n) {
    for (int64_t first = 0; first < n; first += CHUNK)
        kernels.of[type].dequantize(src + bytes_of(type, first), smaller(n - first, CHUNK), dst + first);
}

ErrorSums error_sums(const Kernels& kernels, const uint8_t* a, int a_type, const uint8_t* b, int b_type, int64_t n) {
    alignas(64) float left[CHUNK];
    alignas(64) float right[CHUNK];
    Differences sums{};
    for (int64_t first = 0; first < n; first += CHUNK) {
        const int count = smaller(n - first, CHUNK);
        kernels.of[a_type].dequantize(a + bytes_of(a_type, first), count, left);
        kernels.of[b_type].dequantize(b + bytes_of(b_type, first), count, right);
        kernels.add_differences(left, right, count, sums);
    }
    ErrorSums result = {0, static_cast<double>(sums.max_abs), 0};
    for (int part = 0; part < 8; ++part) {
        result.sum_sq += sums.sum_sq[part];
        result.sum_sq_a += sums.sum_sq_a[part];
    }
    return result;
}

int64_t first_bad_block(const Kernels& kernels, const uint8_t* data, int type, int64_t blocks) {
    const BlockSize size = block_size(type);
    if (size.weights == 1) {
        const Source source(kernels, data, type, type);
        alignas(64) float scratch[CHUNK];
        for (int64_t first = 0; first < blocks; first += CHUNK) {
            const int n = smaller(blocks - first, CHUNK);
            const int bad = kernels.first_nonfinite(source.read(first, n, scratch), n);
            if (bad < n) return first + bad;
        }
        return -1;
    }
    for (int64_t i = 0; i < blocks; ++i)
        if (!has_finite_scales(type, data + i * size.bytes)) return i;
    return -1;
}

}  // namespace ggufpress
