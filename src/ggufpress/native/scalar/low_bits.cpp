// Types with super-blocks of 256 weights, groups of 16 and a linear scale of two or three bits: Q2_K, Q3_K.
#include <cmath>
#include <cstring>

#include "fit.hpp"
#include "kernels.hpp"

namespace ggufpress::scalar {

static float sum_of_squares(const float* x) {
    float sum = 0;
    for (int i = 0; i < SUPER; ++i) sum += x[i] * x[i];
    return sum;
}

/// The two low bits of 256 q: four runs of 32 share 32 bytes.
static void store_pairs_of_bits(const uint8_t (&q)[SUPER], uint8_t* qs) {
    for (int i = 0; i < 64; ++i) {
        const uint8_t* run = q + i / 32 * 128 + i % 32;
        qs[i] = static_cast<uint8_t>((run[0] & 3) | (run[32] & 3) << 2 | (run[64] & 3) << 4 | (run[96] & 3) << 6);
    }
}

static int pair_of_bits(const uint8_t* qs, int i) { return qs[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3; }

/// Fits 16 groups, rounds their scales and mins to 4 bits, and rounds the weights again with what was stored. A group
/// whose scale became 0 keeps the q of its fit. Without importance a weight counts by its size, and so does an error.
void quantize_q2_k(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ2_K*>(out);
    for (int start = 0; start < chunk.n; start += SUPER, ++block) {
        const float* x = chunk.x + start;
        const float* importance = chunk.importance ? chunk.importance + start : nullptr;
        const float mean_sq = sum_of_squares(x) / SUPER;
        uint8_t q[SUPER];
        float scales[16], minima[16], sum_w[16];
        for (int g = 0; g < 16; ++g) {
            float w[16];
            sum_w[g] = 0;
            for (int i = 0; i < 16; ++i) {
                const float v = x[16 * g + i];
                w[i] = importance ? importance[16 * g + i] * std::sqrt(mean_sq + v * v) : std::fabs(v);
                sum_w[g] += w[i];
            }
            const AffineFit fit =
                fit_affine(x + 16 * g, w, 16, 3, importance ? TRIALS_IMPORTANCE : TRIALS_Q2_K, q + 16 * g);
            scales[g] = fit.scale;
            minima[g] = fit.minus;
        }

        uint8_t scale[16], min[16];
        if (importance) {
            block->d = to_f16(fit_positive(scales, sum_w, 16, 15, scale));
            block->dmin = to_f16(fit_positive(minima, sum_w, 16, 15, min));
        } else {
            float max_scale = 0, max_min = 0;
            for (int g = 0; g < 16; ++g) {
                if (scales[g] > max_scale) max_scale = scales[g];
                if (minima[g] > max_min) max_min = minima[g];
            }
            const float inverse_scale = 15 / max_scale, inverse_min = 15 / max_min;
            for (int g = 0; g < 16; ++g) {
                scale[g] = static_cast<uint8_t>(max_scale > 0 ? nearest_int(inverse_scale * scales[g]) : 0);
                min[g] = static_cast<uint8_t>(max_min > 0 ? nearest_int(inverse_min * minima[g]) : 0);
            }
            block->d = to_f16(max_scale / 15);
            block->dmin = to_f16(max_min / 15);
        }
        for (int g = 0; g < 16; ++g) {
            block->scales[g] = static_cast<uint8_t>(scale[g] | min[g] << 4);
            const float d = from_f16(block->d) * (block->scales[g] & 15);
            const float m = from_f16(block->dmin) * (block->scales[g] >> 4);
            if (d == 0) continue;
            for (int i = 16 * g; i < 16 * g + 16; ++i)
                q[i] = static_cast<uint8_t>(clamp(nearest_int((x[i] + m) / d), 0, 3));
        }
        store_pairs_of_bits(q, block->qs);
    }
}

void dequantize_q2_k(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ2_K*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        for (int i = 0; i < SUPER; ++i) {
            const int scale = block->scales[i / 16];
            const float d = from_f16(block->d) * (scale & 15), m = from_f16(block->dmin) * (scale >> 4);
            x[start + i] = d * pair_of_bits(block->qs, i) - m;
        }
    }
}

static void pack_scales(const uint8_t (&scale)[16], uint8_t* packed) {
    std::memset(packed, 0, 12);
    for (int g = 0; g < 16; ++g) {
        packed[g % 8] = static_cast<uint8_t>(packed[g % 8] | (scale[g] & 15) << g / 8 * 4);
        packed[8 + g % 4] = static_cast<uint8_t>(packed[8 + g % 4] | scale[g] >> 4 << g / 4 * 2);
    }
}

static int scale_of(const uint8_t* packed, int g) {
    return ((packed[g % 8] >> g / 8 * 4 & 15) | (packed[8 + g % 4] >> g / 4 * 2 & 3) << 4) - 32;
}

/// Fits 16 groups, rounds their scales to 6 bits, and rounds the weights again with what was stored. A group whose
/// scale became 0 keeps the q of its fit. Without importance the scale of largest size becomes -32 of the stored ones;
/// with it, they are fitted as the weights are.
void quantize_q3_k(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ3_K*>(out);
    for (int start = 0; start < chunk.n; start += SUPER, ++block) {
        const float* x = chunk.x + start;
        uint8_t q[SUPER], scale[16] = {};
        float scales[16];
        if (chunk.importance) {
            const float* importance = chunk.importance + start;
            const float mean_sq = 2 * sum_of_squares(x) / SUPER;
            float sum_w[16];
            for (int g = 0; g < 16; ++g) {
                float w[16];
                sum_w[g] = 0;
                for (int i = 0; i < 16; ++i) {
                    const float v = x[16 * g + i];
                    w[i] = importance[16 * g + i] * std::sqrt(mean_sq + v * v);
                    sum_w[g] += w[i];
                }
                scales[g] = fit_symmetric(x + 16 * g, w, 16, 4, q + 16 * g);
            }
            block->d = to_f16(fit_symmetric(scales, sum_w, 16, 32, scale));
        } else {
            for (int g = 0; g < 16; ++g) scales[g] = fit_symmetric_by_moves(x + 16 * g, 16, 4, q + 16 * g);
            const float largest = largest_by_size(scales, 16), inverse = -32 / largest;
            block->d = to_f16(largest != 0 ? 1 / inverse : 0.0f);
            for (int g = 0; g < 16 && largest != 0; ++g) {
                const auto l = static_cast<int8_t>(nearest_int(inverse * scales[g]));
                scale[g] = static_cast<uint8_t>(clamp(l, -32, 31) + 32);
            }
        }
        pack_scales(scale, block->scales);
        for (int g = 0; g < 16; ++g) {
            const float d = from_f16(block->d) * scale_of(block->scales, g);
            if (d == 0) continue;
            for (int i = 16 * g; i < 16 * g + 16; ++i)
                q[i] = static_cast<uint8_t>(clamp(nearest_int(x[i] / d), -4, 3) + 4);
        }
        store_pairs_of_bits(q, block->qs);
        std::memset(block->hmask, 0, sizeof block->hmask);
        for (int i = 0; i < SUPER; ++i)
            block->hmask[i % 32] = static_cast<uint8_t>(block->hmask[i % 32] | q[i] >> 2 << i / 32);
    }
}

void dequantize_q3_k(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ3_K*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        for (int i = 0; i < SUPER; ++i) {
            const int q = pair_of_bits(block->qs, i) | (block->hmask[i % 32] >> i / 32 & 1) << 2;
            x[start + i] = from_f16(block->d) * scale_of(block->scales, i / 16) * (q - 4);
        }
    }
}

}  // namespace ggufpress::scalar
