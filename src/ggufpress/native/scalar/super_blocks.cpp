// Types with super-blocks of 256 weights and a linear scale: Q4_K, Q5_K, Q6_K.
#include <cmath>
#include <cstring>

#include "fit.hpp"
#include "kernels.hpp"

namespace ggufpress::scalar {

/// The 6-bit scale and min of group `g`, unpacked from the layout of BlockQ4_K.
static void scale_and_min(const uint8_t* packed, int g, int& scale, int& min) {
    const int j = g & 3;
    if (g < 4) {
        scale = packed[j] & 63;
        min = packed[4 + j] & 63;
    } else {
        scale = (packed[8 + j] & 15) | packed[j] >> 6 << 4;
        min = packed[8 + j] >> 4 | packed[4 + j] >> 6 << 4;
    }
}

static void pack_scales_and_mins(const uint8_t (&scale)[8], const uint8_t (&min)[8], uint8_t* packed) {
    for (int j = 0; j < 4; ++j) {
        packed[j] = static_cast<uint8_t>(scale[j] | scale[4 + j] >> 4 << 6);
        packed[4 + j] = static_cast<uint8_t>(min[j] | min[4 + j] >> 4 << 6);
        packed[8 + j] = static_cast<uint8_t>((scale[4 + j] & 15) | (min[4 + j] & 15) << 4);
    }
}

/// Quantizes one super-block for Q4_K (nmax 15) or Q5_K (nmax 31): fits 8 groups, rounds their scales and mins to
/// 6 bits, and rounds the weights again with what was stored. A group whose scale became 0 keeps the q of its fit.
template <class Block>
static void quantize_affine(const float* x, const float* importance, int nmax, const Trials& trials, Block& block,
                            uint8_t (&q)[SUPER]) {
    AffineFit fit[8];
    float sum_w[8], scales[8], minima[8];
    float mean_sq = 0;
    if (importance) {
        for (int i = 0; i < SUPER; ++i) mean_sq += x[i] * x[i];
        mean_sq = 2 * mean_sq / SUPER;
    }
    for (int g = 0; g < 8; ++g) {
        const float* xs = x + 32 * g;
        float w[32];
        if (importance) {
            sum_w[g] = 0;
            for (int i = 0; i < 32; ++i) {
                w[i] = importance[32 * g + i] * std::sqrt(mean_sq + xs[i] * xs[i]);
                sum_w[g] += w[i];
            }
        } else {
            float sum_sq = 0;
            for (int i = 0; i < 32; ++i) sum_sq += xs[i] * xs[i];
            const float rms = std::sqrt(sum_sq / 32);
            for (int i = 0; i < 32; ++i) w[i] = rms + std::fabs(xs[i]);
        }
        fit[g] = fit_affine(xs, w, 32, nmax, trials, q + 32 * g);
        scales[g] = fit[g].scale;
        minima[g] = fit[g].minus;
    }

    uint8_t scale[8], min[8];
    if (importance) {
        block.d = to_f16(fit_positive(scales, sum_w, 8, 63, scale));
        block.dmin = to_f16(fit_positive(minima, sum_w, 8, 63, min));
        if (nmax == 31) {
            for (int g = 0; g < 8; ++g) {
                if (scale[g] > 63) scale[g] = 63;
                if (min[g] > 63) min[g] = 63;
            }
        }
    } else {
        float max_scale = 0, max_min = 0;
        for (int g = 0; g < 8; ++g) {
            if (scales[g] > max_scale) max_scale = scales[g];
            if (minima[g] > max_min) max_min = minima[g];
        }
        const float inverse_scale = max_scale > 0 ? 63 / max_scale : 0.0f;
        const float inverse_min = max_min > 0 ? 63 / max_min : 0.0f;
        for (int g = 0; g < 8; ++g) {
            scale[g] = static_cast<uint8_t>(nearest_int(inverse_scale * scales[g]));
            min[g] = static_cast<uint8_t>(nearest_int(inverse_min * minima[g]));
            if (scale[g] > 63) scale[g] = 63;
            if (min[g] > 63) min[g] = 63;
        }
        block.d = to_f16(max_scale / 63);
        block.dmin = to_f16(max_min / 63);
    }
    pack_scales_and_mins(scale, min, block.scales);

    for (int g = 0; g < 8; ++g) {
        int group_scale, group_min;
        scale_and_min(block.scales, g, group_scale, group_min);
        const float d = from_f16(block.d) * group_scale, m = from_f16(block.dmin) * group_min;
        if (d == 0) continue;
        for (int i = 32 * g; i < 32 * g + 32; ++i)
            q[i] = static_cast<uint8_t>(clamp(nearest_int((x[i] + m) / d), 0, nmax));
    }
}

void quantize_q4_k(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ4_K*>(out);
    for (int start = 0; start < chunk.n; start += SUPER, ++block) {
        const float* importance = chunk.importance ? chunk.importance + start : nullptr;
        uint8_t q[SUPER];
        quantize_affine(chunk.x + start, importance, 15, importance ? TRIALS_IMPORTANCE : TRIALS_Q4_K, *block, q);
        for (int i = 0; i < 128; ++i) {
            const int even = i / 32 * 64 + i % 32;
            block->qs[i] = static_cast<uint8_t>(q[even] | q[even + 32] << 4);
        }
    }
}

void quantize_q5_k(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ5_K*>(out);
    for (int start = 0; start < chunk.n; start += SUPER, ++block) {
        const float* importance = chunk.importance ? chunk.importance + start : nullptr;
        uint8_t q[SUPER];
        quantize_affine(chunk.x + start, importance, 31, importance ? TRIALS_IMPORTANCE : TRIALS_Q5_K, *block, q);
        std::memset(block->qh, 0, sizeof block->qh);
        for (int i = 0; i < SUPER; ++i) block->qh[i % 32] = static_cast<uint8_t>(block->qh[i % 32] | q[i] >> 4 << i / 32);
        for (int i = 0; i < 128; ++i) {
            const int even = i / 32 * 64 + i % 32;
            block->qs[i] = static_cast<uint8_t>((q[even] & 15) | (q[even + 32] & 15) << 4);
        }
    }
}

void dequantize_q4_k(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ4_K*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        for (int g = 0; g < 8; ++g) {
            int scale, min;
            scale_and_min(block->scales, g, scale, min);
            const float d = from_f16(block->d) * scale, m = from_f16(block->dmin) * min;
            for (int i = 0; i < 32; ++i)
                x[start + 32 * g + i] = d * (block->qs[g / 2 * 32 + i] >> g % 2 * 4 & 15) - m;
        }
    }
}

void dequantize_q5_k(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ5_K*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        for (int g = 0; g < 8; ++g) {
            int scale, min;
            scale_and_min(block->scales, g, scale, min);
            const float d = from_f16(block->d) * scale, m = from_f16(block->dmin) * min;
            for (int i = 0; i < 32; ++i) {
                const int low = block->qs[g / 2 * 32 + i] >> g % 2 * 4 & 15, high = block->qh[i] >> g & 1;
                x[start + 32 * g + i] = d * (low | high << 4) - m;
            }
        }
    }
}

/// Fits 16 groups; the scale of largest size becomes -128 of the stored scales, so d may be negative. The weights are
/// rounded again with what was stored. A group whose scale became 0 keeps the q of its fit.
void quantize_q6_k(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ6_K*>(out);
    for (int start = 0; start < chunk.n; start += SUPER, ++block) {
        const float* x = chunk.x + start;
        uint8_t q[SUPER];
        float scales[16];
        for (int g = 0; g < 16; ++g) {
            float w[16];
            for (int i = 0; i < 16; ++i)
                w[i] = chunk.importance ? chunk.importance[start + 16 * g + i] : x[16 * g + i] * x[16 * g + i];
            scales[g] = fit_symmetric(x + 16 * g, w, 16, 32, q + 16 * g);
        }
        const float largest = largest_by_size(scales, 16);
        if (std::fabs(largest) < TINY) {
            std::memset(block, 0, sizeof *block);
            continue;
        }
        const float inverse = -128 / largest;
        block->d = to_f16(1 / inverse);
        for (int g = 0; g < 16; ++g) {
            const int scale = nearest_int(inverse * scales[g]);
            block->scales[g] = static_cast<int8_t>(scale > 127 ? 127 : scale);
            const float d = from_f16(block->d) * block->scales[g];
            if (d == 0) continue;
            for (int i = 16 * g; i < 16 * g + 16; ++i)
                q[i] = static_cast<uint8_t>(clamp(nearest_int(x[i] / d), -32, 31) + 32);
        }
        for (int half = 0; half < 2; ++half) {
            const uint8_t* a = q + 128 * half;
            for (int i = 0; i < 64; ++i)
                block->ql[64 * half + i] = static_cast<uint8_t>((a[i] & 15) | (a[i + 64] & 15) << 4);
            for (int i = 0; i < 32; ++i)
                block->qh[32 * half + i] = static_cast<uint8_t>(a[i] >> 4 | a[i + 32] >> 4 << 2 | a[i + 64] >> 4 << 4 |
                                                                a[i + 96] >> 4 << 6);
        }
    }
}

void dequantize_q6_k(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ6_K*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        for (int i = 0; i < SUPER; ++i) {
            const int half = i / 128, run = i % 128 / 32;
            const int low = block->ql[64 * half + i % 64] >> run / 2 * 4 & 15;
            const int high = block->qh[32 * half + i % 32] >> run * 2 & 3;
            x[start + i] = from_f16(block->d) * block->scales[i / 16] * ((low | high << 4) - 32);
        }
    }
}

void dequantize_q8_k(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ8_K*>(in);
    for (int start = 0; start < n; start += SUPER, ++block)
        for (int i = 0; i < SUPER; ++i) x[start + i] = block->d * block->qs[i];
}

}  // namespace ggufpress::scalar
