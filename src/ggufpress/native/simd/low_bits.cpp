// Types with super-blocks of 256 weights, groups of 16 and two or three bits: Q2_K, Q3_K. A lane holds a super-block.
#include "../scalar/kernels.hpp"
#include "batch.hpp"
#include "bytes.hpp"
#include "fit.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

/// w of one group with importance, in w[16]; returns their sum.
static inline F weigh(const Batch& batch, int g, F mean_sq, const F (&x)[16], F (&w)[16]) {
    load_transposed<16>(batch.importance, 16 * g, w);
    F sum{};
    for (int i = 0; i < 16; ++i) {
        w[i] *= square_root(mean_sq + x[i] * x[i]);
        sum += w[i];
    }
    return sum;
}

static inline void fit_super_blocks(const Batch& batch, AffineBatch<16>& out) {
    const bool weighted = batch.importance[0] != nullptr;
    const F mean_sq = weighted ? sum_of_squares(batch.x) / SUPER : F{};
    F scales[16], minima[16], sum_w[16];
    out.extreme = I{};
    constexpr int G = W == 16 ? 4 : 2;
    for (int first = 0; first < 16; first += G) {
        AffineGroups<16> groups[G];
        for (int t = 0; t < G; ++t) {
            F x[16], w[16];
            load_transposed<16>(batch.x, 16 * (first + t), x);
            if (weighted) sum_w[first + t] = weigh(batch, first + t, mean_sq, x, w);
            for (int i = 0; i < 16; ++i) {
                groups[t].at[i].x = x[i];
                groups[t].at[i].w = weighted ? w[i] : abs(x[i]);
            }
        }
        if (weighted)
            fit_affine<16, 3, G>(groups, TRIALS_IMPORTANCE);
        else
            fit_affine<16, 3, G, TRIALS_Q2_K.absolute>(groups, TRIALS_Q2_K);
        for (int t = 0; t < G; ++t) {
            const AffineGroups<16>& g = groups[t];
            scales[first + t] = g.scale;
            minima[first + t] = -g.min;
            out.inverse[first + t] = g.inverse;
            out.from[first + t] = g.from;
            out.extreme |= g.extreme;
        }
    }
    if (weighted) {
        out.d = to_f16(fit_positive<16, 15>(scales, sum_w, out.scale));
        out.dmin = to_f16(fit_positive<16, 15>(minima, sum_w, out.min));
        return;
    }
    F max_scale{}, max_min{};
    for (int g = 0; g < 16; ++g) {
        max_scale = select(scales[g] > max_scale, scales[g], max_scale);
        max_min = select(minima[g] > max_min, minima[g], max_min);
    }
    const F inverse_scale = select(max_scale > 0, 15 / max_scale, F{});
    const F inverse_min = select(max_min > 0, 15 / max_min, F{});
    for (int g = 0; g < 16; ++g) {
        out.scale[g] = nearest_int(inverse_scale * scales[g]) & 255;
        out.min[g] = nearest_int(inverse_min * minima[g]) & 255;
    }
    out.d = to_f16(max_scale / 15);
    out.dmin = to_f16(max_min / 15);
}

/// Stores the two low bits of q, and with `third` the other one; q(i) gives the q of weights i ... i + W.
template <class Q>
static inline void store_bits(uint8_t* qs, uint8_t* third, Q q) {
    for (int i = 0; i < 32; i += W) {
        I high{};
        for (int half = 0; half < 2; ++half) {
            I low{};
#pragma GCC unroll 4
            for (int run = 0; run < 4; ++run) {
                const I v = q(128 * half + 32 * run + i);
                low |= (v & 3) << 2 * run;
                high |= v >> 2 << (4 * half + run);
            }
            store_bytes(qs + 32 * half + i, low);
        }
        if (third) store_bytes(third + i, high);
    }
}

void quantize_q2_k(const Chunk& chunk, uint8_t* out) {
    auto* blocks = reinterpret_cast<BlockQ2_K*>(out);
    for (int first = 0; first < chunk.n / SUPER; first += W) {
        const Batch batch = batch_of(chunk, first);
        AffineBatch<16> fits;
        fit_super_blocks(batch, fits);
        for (int lane = 0; lane < batch.lanes; ++lane) {
            BlockQ2_K& block = blocks[first + lane];
            if (fits.extreme[lane]) {
                specify(batch, lane, scalar::quantize_q2_k, &block);
                continue;
            }
            block.d = static_cast<uint16_t>(fits.d[lane]);
            block.dmin = static_cast<uint16_t>(fits.dmin[lane]);
            const float d = from_f16(block.d), dmin = from_f16(block.dmin);
            GroupRounding groups[16];
            for (int g = 0; g < 16; ++g) {
                const auto packed = static_cast<uint8_t>(fits.scale[g][lane] | fits.min[g][lane] << 4);
                block.scales[g] = packed;
                groups[g] = {d * static_cast<float>(packed & 15), dmin * static_cast<float>(packed >> 4),
                             fits.inverse[g][lane], fits.from[g][lane]};
            }
            store_bits(block.qs, nullptr, [&](int i) { return groups[i / 16].round<3>(batch.x[lane] + i); });
        }
    }
}

/// fit_symmetric_by_moves of scalar/fit.hpp for G groups per lane, side by side because each step waits for the last;
/// writes q + NMAX.
template <int NMAX, int G>
static inline void fit_by_moves(const F (&x)[G][16], F (&scale)[G], I (&q)[G][16]) {
    const auto round = [](F v) { return maximum(minimum(nearest_int(v), splat(NMAX - 1)), splat(-NMAX)); };
    F sum_xl[G], sum_l2[G], held[G][16];
    I zero[G];
    for (int t = 0; t < G; ++t) {
        F largest{}, size{};
        for (int i = 0; i < 16; ++i) {
            const I larger = abs(x[t][i]) > size;
            size = select(larger, abs(x[t][i]), size);
            largest = select(larger, x[t][i], largest);
        }
        zero[t] = size < TINY;
        const F inverse = static_cast<float>(-NMAX) / largest;
        sum_xl[t] = sum_l2[t] = F{};
        for (int i = 0; i < 16; ++i) {
            const F w = x[t][i] * x[t][i], l = to_float(round(inverse * x[t][i]));
            held[t][i] = l;
            sum_xl[t] += w * x[t][i] * l;
            sum_l2[t] += w * l * l;
        }
    }
    for (int pass = 0; pass < 5; ++pass) {
        I moved{};
        for (int i = 0; i < 16; ++i) {
#pragma GCC unroll 4
            for (int t = 0; t < G; ++t) {
                const F v = x[t][i], w = v * v, wv = w * v, old = held[t][i];
                F xl = sum_xl[t] - wv * old, l2 = sum_l2[t] - w * old * old;
                const F l = to_float(round(v * l2 / xl));
                I better = (xl > 0) & (l != old);
                xl += wv * l;
                l2 += w * l * l;
                better &= (l2 > 0) & (xl * xl * sum_l2[t] > sum_xl[t] * sum_xl[t] * l2);
                held[t][i] = select(better, l, old);
                sum_xl[t] = select(better, xl, sum_xl[t]);
                sum_l2[t] = select(better, l2, sum_l2[t]);
                moved |= better & ~zero[t];
            }
        }
        if (!any(moved)) break;
    }
    for (int t = 0; t < G; ++t) {
        scale[t] = select(zero[t] | ~(sum_l2[t] > 0), F{}, sum_xl[t] / sum_l2[t]);
        for (int i = 0; i < 16; ++i)
            q[t][i] = select(zero[t], I{}, __builtin_convertvector(held[t][i], I) + NMAX);
    }
}

/// Stored scales (0 to 63) of W super-blocks, and what their fits made of the weights.
struct BatchOfQ3_K {
    U d;
    I scale[16];
    I extreme;
    /// q of weight i in lane k is q[i][k].
    uint8_t q[SUPER][W];
};

static inline void fit_plain(const Batch& batch, BatchOfQ3_K& out) {
    constexpr int G = W == 16 ? 4 : 2;
    F scales[16], largest{}, size{};
    for (int first = 0; first < 16; first += G) {
        F x[G][16], scale[G];
        I q[G][16];
        for (int t = 0; t < G; ++t) load_transposed<16>(batch.x, 16 * (first + t), x[t]);
        fit_by_moves<4, G>(x, scale, q);
        for (int t = 0; t < G; ++t) {
            for (int i = 0; i < 16; ++i) store_bytes(out.q[16 * (first + t) + i], q[t][i]);
            scales[first + t] = scale[t];
            const I larger = abs(scale[t]) > size;
            size = select(larger, abs(scale[t]), size);
            largest = select(larger, scale[t], largest);
        }
    }
    const F inverse = -32.0f / largest;
    const I any_scale = largest != 0;
    out.d = to_f16(select(any_scale, 1 / inverse, F{}));
    for (int g = 0; g < 16; ++g) {
        const I l = nearest_int(inverse * scales[g]) << 24 >> 24;
        out.scale[g] = select(any_scale, maximum(minimum(l, splat(31)), splat(-32)) + 32, I{});
    }
    out.extreme = I{};
}

static inline void fit_weighted(const Batch& batch, BatchOfQ3_K& out) {
    const F mean_sq = 2 * sum_of_squares(batch.x) / SUPER;
    F scales[16], sum_w[16];
    out.extreme = I{};
    for (int g = 0; g < 16; ++g) {
        F x[16], w[16];
        load_transposed<16>(batch.x, 16 * g, x);
        sum_w[g] = weigh(batch, g, mean_sq, x, w);
        const SymmetricFit fit = fit_symmetric<16, 4>(x, w);
        scales[g] = fit.scale;
        // fit_symmetric of the scales below asks for finite ones.
        out.extreme |= ~(abs(fit.scale) < 1e30f);
        const I middle = select(fit.inverse != 0, splat(4), I{});
        for (int i = 0; i < 16; ++i) {
            const I l = maximum(minimum(nearest_int(fit.inverse * x[i]), splat(3)), splat(-4));
            store_bytes(out.q[16 * g + i], l + middle);
        }
    }
    const SymmetricFit fit = fit_symmetric<16, 32>(scales, sum_w);
    out.d = to_f16(fit.scale);
    const I middle = select(fit.inverse != 0, splat(32), I{});
    for (int g = 0; g < 16; ++g)
        out.scale[g] = maximum(minimum(nearest_int(fit.inverse * scales[g]), splat(31)), splat(-32)) + middle;
}

static inline void store_super_block(const float* x, const BatchOfQ3_K& fits, int lane, BlockQ3_K& block) {
    block.d = static_cast<uint16_t>(fits.d[lane]);
    std::memset(block.scales, 0, sizeof block.scales);
    float d[16];
    for (int g = 0; g < 16; ++g) {
        const int scale = fits.scale[g][lane];
        block.scales[g % 8] = static_cast<uint8_t>(block.scales[g % 8] | (scale & 15) << g / 8 * 4);
        block.scales[8 + g % 4] = static_cast<uint8_t>(block.scales[8 + g % 4] | scale >> 4 << g / 4 * 2);
        d[g] = from_f16(block.d) * static_cast<float>(scale - 32);
    }
    store_bits(block.qs, block.hmask, [&](int i) {
        if (d[i / 16] != 0)
            return maximum(minimum(nearest_int(load<F>(x + i) / d[i / 16]), splat(3)), splat(-4)) + 4;
        I q{};
        for (int k = 0; k < W; ++k) q[k] = fits.q[i + k][lane];
        return q;
    });
}

void quantize_q3_k(const Chunk& chunk, uint8_t* out) {
    auto* blocks = reinterpret_cast<BlockQ3_K*>(out);
    for (int first = 0; first < chunk.n / SUPER; first += W) {
        const Batch batch = batch_of(chunk, first);
        BatchOfQ3_K fits;
        if (chunk.importance)
            fit_weighted(batch, fits);
        else
            fit_plain(batch, fits);
        for (int lane = 0; lane < batch.lanes; ++lane) {
            if (fits.extreme[lane])
                specify(batch, lane, scalar::quantize_q3_k, &blocks[first + lane]);
            else
                store_super_block(batch.x[lane], fits, lane, blocks[first + lane]);
        }
    }
}

/// Writes value(q, group) of 256 weights from their two low bits and the third ones, if there are any.
template <class Value>
static inline void write_values(const uint8_t* qs, const uint8_t* third, float* x, Value value) {
    for (int half = 0; half < 2; ++half) {
        for (int i = 0; i < 32; i += W) {
            const I low = load_bytes(qs + 32 * half + i);
            const I high = third ? load_bytes(third + i) >> 4 * half : I{};
#pragma GCC unroll 4
            for (int run = 0; run < 4; ++run) {
                const int at = 128 * half + 32 * run + i;
                store(x + at, value((low >> 2 * run & 3) | (high >> run & 1) << 2, at / 16));
            }
        }
    }
}

void dequantize_q2_k(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ2_K*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        float d[16], m[16];
        for (int g = 0; g < 16; ++g) {
            d[g] = from_f16(block->d) * static_cast<float>(block->scales[g] & 15);
            m[g] = from_f16(block->dmin) * static_cast<float>(block->scales[g] >> 4);
        }
        write_values(block->qs, nullptr, x + start, [&](I q, int g) { return to_float(q) * d[g] - m[g]; });
    }
}

void dequantize_q3_k(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ3_K*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        float d[16];
        for (int g = 0; g < 16; ++g) {
            const int low = block->scales[g % 8] >> g / 8 * 4 & 15, high = block->scales[8 + g % 4] >> g / 4 * 2 & 3;
            d[g] = from_f16(block->d) * static_cast<float>((low | high << 4) - 32);
        }
        write_values(block->qs, block->hmask, x + start, [&](I q, int g) { return to_float(q - 4) * d[g]; });
    }
}

}  // namespace ggufpress::GGUFPRESS_ISA
