// Types of sixteen unevenly spaced values: IQ4_NL with a scale per 32 weights, IQ4_XS with super-blocks of 256.
#include <cmath>
#include <cstring>

#include "fit.hpp"
#include "kernels.hpp"

namespace ggufpress::scalar {

/// Index of the value nearest to v: halfway, the upper one; for NaN the last.
static int nearest_uneven(float v) {
    int index = 15;
    for (int i = 0; i < 15; ++i) index -= v < uneven_middle(i);
    return index;
}

/// w of 32 weights: their squares, or with importance that and their size beside the root mean square of the block.
static void weights_of(const float* x, const float* importance, float mean_sq, float (&w)[32]) {
    for (int i = 0; i < 32; ++i) w[i] = importance ? importance[i] * std::sqrt(mean_sq + x[i] * x[i]) : x[i] * x[i];
}

/// Best scale of 32 weights: the first weight of largest size becomes 127, then -134, -133 ... -120, and of the
/// assignments that this makes the one is taken whose best scale leaves the smallest weighted squared error.
static float fit_uneven(const float* x, const float (&w)[32]) {
    const float largest = largest_by_size(x, 32);
    if (std::fabs(largest) < TINY) return 0;
    float sum_qx, sum_q2;
    const auto sums_of = [&](float inverse) {
        sum_qx = sum_q2 = 0;
        for (int i = 0; i < 32; ++i) {
            const float q = UNEVEN[nearest_uneven(inverse * x[i])];
            sum_qx += w[i] * q * x[i];
            sum_q2 += w[i] * q * q;
        }
    };
    sums_of(1 / (largest / 127));
    float scale = sum_q2 > 0 ? sum_qx / sum_q2 : 0.0f, best = scale * sum_qx;
    for (int top = -134; top <= -120; ++top) {
        sums_of(static_cast<float>(top) / largest);
        if (sum_q2 > 0 && sum_qx * sum_qx > best * sum_q2) {
            scale = sum_qx / sum_q2;
            best = scale * sum_qx;
        }
    }
    return scale;
}

static void store_nearest(const float* x, float scale, uint8_t* qs) {
    const float inverse = scale != 0 ? 1 / scale : 0.0f;
    for (int i = 0; i < 16; ++i)
        qs[i] = static_cast<uint8_t>(nearest_uneven(inverse * x[i]) | nearest_uneven(inverse * x[16 + i]) << 4);
}

static float mean_of_squares(const float* x, int n) {
    float sum = 0;
    for (int i = 0; i < n; ++i) sum += x[i] * x[i];
    return sum * (2.0f / static_cast<float>(n));
}

void quantize_iq4_nl(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockIQ4_NL*>(out);
    for (int start = 0; start < chunk.n; start += 32, ++block) {
        const float* x = chunk.x + start;
        float w[32];
        weights_of(x, chunk.importance ? chunk.importance + start : nullptr, mean_of_squares(x, 32), w);
        const float scale = fit_uneven(x, w);
        block->d = to_f16(scale);
        store_nearest(x, scale, block->qs);
    }
}

/// The scale of largest size becomes -32 of the stored ones. Weights are assigned with the stored scale of their group,
/// but with d before it is rounded to a half float.
void quantize_iq4_xs(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockIQ4_XS*>(out);
    for (int start = 0; start < chunk.n; start += SUPER, ++block) {
        const float* x = chunk.x + start;
        const float mean_sq = mean_of_squares(x, SUPER);
        float scales[8];
        for (int g = 0; g < 8; ++g) {
            float w[32];
            weights_of(x + 32 * g, chunk.importance ? chunk.importance + start + 32 * g : nullptr, mean_sq, w);
            scales[g] = fit_uneven(x + 32 * g, w);
        }
        const float d = -largest_by_size(scales, 8) / 32, inverse = d != 0 ? 1 / d : 0.0f;
        block->d = to_f16(d);
        block->scales_h = 0;
        std::memset(block->scales_l, 0, sizeof block->scales_l);
        for (int g = 0; g < 8; ++g) {
            const int scale = clamp(nearest_int(inverse * scales[g]), -32, 31), stored = scale + 32;
            block->scales_l[g / 2] = static_cast<uint8_t>(block->scales_l[g / 2] | (stored & 15) << g % 2 * 4);
            block->scales_h = static_cast<uint16_t>(block->scales_h | stored >> 4 << 2 * g);
            store_nearest(x + 32 * g, d * static_cast<float>(scale), block->qs + 16 * g);
        }
    }
}

void dequantize_iq4_nl(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockIQ4_NL*>(in);
    for (int start = 0; start < n; start += 32, ++block)
        for (int i = 0; i < 32; ++i)
            x[start + i] = from_f16(block->d) * UNEVEN[block->qs[i % 16] >> i / 16 * 4 & 15];
}

void dequantize_iq4_xs(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockIQ4_XS*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        for (int i = 0; i < SUPER; ++i) {
            const int g = i / 32, low = block->scales_l[g / 2] >> g % 2 * 4 & 15, high = block->scales_h >> 2 * g & 3;
            const float d = from_f16(block->d) * static_cast<float>((low | high << 4) - 32);
            x[start + i] = d * UNEVEN[block->qs[16 * g + i % 16] >> i % 32 / 16 * 4 & 15];
        }
    }
}

}  // namespace ggufpress::scalar
