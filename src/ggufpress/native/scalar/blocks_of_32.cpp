// Types with blocks of 32 weights: Q4_0, Q8_0.
#include <cmath>

#include "fit.hpp"
#include "kernels.hpp"

namespace ggufpress::scalar {

/// d is the first weight of largest size over -8, so that weight is exact; q = floor(x / d + 8.5), at most 15.
/// With importance, d is the best of a search where a weight counts by its importance and its size.
void quantize_q4_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ4_0*>(out);
    for (int start = 0; start < chunk.n; start += 32, ++block) {
        const float* x = chunk.x + start;
        uint8_t q[32];
        if (chunk.importance) {
            float w[32];
            for (int i = 0; i < 32; ++i)
                w[i] = chunk.importance[start + i] * std::sqrt(chunk.row_mean_sq[start / 32] + x[i] * x[i]);
            block->d = to_f16(fit_symmetric(x, w, 32, 8, q));
        } else {
            float largest = 0, size = 0;
            for (int i = 0; i < 32; ++i) {
                if (size < std::fabs(x[i])) {
                    size = std::fabs(x[i]);
                    largest = x[i];
                }
            }
            const float d = largest / -8, inverse = d != 0 ? 1 / d : 0.0f;
            block->d = to_f16(d);
            for (int i = 0; i < 32; ++i) {
                const auto l = static_cast<int8_t>(truncate(x[i] * inverse + 8.5f));
                q[i] = static_cast<uint8_t>(l > 15 ? 15 : l);
            }
        }
        for (int i = 0; i < 16; ++i) block->qs[i] = static_cast<uint8_t>(q[i] | q[16 + i] << 4);
    }
}

void dequantize_q4_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ4_0*>(in);
    for (int start = 0; start < n; start += 32, ++block) {
        const float d = from_f16(block->d);
        for (int i = 0; i < 16; ++i) {
            x[start + i] = static_cast<float>((block->qs[i] & 15) - 8) * d;
            x[start + 16 + i] = static_cast<float>((block->qs[i] >> 4) - 8) * d;
        }
    }
}

/// d is the largest size over 127; q = x / d rounded, halves away from zero.
void quantize_q8_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ8_0*>(out);
    for (int start = 0; start < chunk.n; start += 32, ++block) {
        const float* x = chunk.x + start;
        float size = 0;
        for (int i = 0; i < 32; ++i) size = size > std::fabs(x[i]) ? size : std::fabs(x[i]);
        const float d = size / 127, inverse = d != 0 ? 1 / d : 0.0f;
        block->d = to_f16(d);
        for (int i = 0; i < 32; ++i) block->qs[i] = static_cast<int8_t>(truncate(std::round(x[i] * inverse)));
    }
}

void dequantize_q8_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ8_0*>(in);
    for (int start = 0; start < n; start += 32, ++block) {
        const float d = from_f16(block->d);
        for (int i = 0; i < 32; ++i) x[start + i] = block->qs[i] * d;
    }
}

}  // namespace ggufpress::scalar
