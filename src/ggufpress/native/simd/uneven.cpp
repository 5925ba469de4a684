// Types of sixteen unevenly spaced values: IQ4_NL, a block per lane, and IQ4_XS, a super-block per lane.
#include "../trials.hpp"
#include "batch.hpp"
#include "bytes.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

/// The value nearest to v: halfway, the upper one; for NaN the last.
static inline F nearest_value(F v) {
    F q = splat(static_cast<float>(UNEVEN[15]));
#pragma GCC unroll 16
    for (int i = 0; i < 15; ++i) {
        const F step = splat(static_cast<float>(UNEVEN[i + 1] - UNEVEN[i]));
        q -= (F)((v < uneven_middle(i)) & (I)step);
    }
    return q;
}

/// Its index.
static inline I nearest_index(F v) {
    I index = splat(15);
#pragma GCC unroll 16
    for (int i = 0; i < 15; ++i) index += v < uneven_middle(i);
    return index;
}

template <int K>
static inline void sums_of(const F (&x)[32], const F (&w)[32], const F (&inverse)[K], F (&sum_qx)[K], F (&sum_q2)[K]) {
#pragma GCC unroll 4
    for (int t = 0; t < K; ++t) sum_qx[t] = sum_q2[t] = F{};
    for (int i = 0; i < 32; ++i) {
#pragma GCC unroll 4
        for (int t = 0; t < K; ++t) {
            const F q = nearest_value(inverse[t] * x[i]), wq = w[i] * q;
            sum_qx[t] += wq * x[i];
            sum_q2[t] += wq * q;
        }
    }
}

/// fit_uneven of scalar/uneven.cpp.
static inline F fit_uneven(const F (&x)[32], const F (&w)[32]) {
    F largest{}, size{};
    for (int i = 0; i < 32; ++i) {
        const I larger = abs(x[i]) > size;
        size = select(larger, abs(x[i]), size);
        largest = select(larger, x[i], largest);
    }
    F first[1] = {1 / (largest / 127)}, first_qx[1], first_q2[1];
    sums_of<1>(x, w, first, first_qx, first_q2);
    F scale = select(first_q2[0] > 0, first_qx[0] / first_q2[0], F{}), best = scale * first_qx[0];
    constexpr int K = 3;
    for (int top = -134; top <= -120; top += K) {
        F inverse[K], sum_qx[K], sum_q2[K];
        for (int t = 0; t < K; ++t) inverse[t] = static_cast<float>(top + t) / largest;
        sums_of<K>(x, w, inverse, sum_qx, sum_q2);
        for (int t = 0; t < K; ++t) {
            const I better = (sum_q2[t] > 0) & (sum_qx[t] * sum_qx[t] > best * sum_q2[t]);
            const F candidate = sum_qx[t] / sum_q2[t];
            scale = select(better, candidate, scale);
            best = select(better, candidate * sum_qx[t], best);
        }
    }
    return select(size < TINY, F{}, scale);
}

/// Loads w of 32 weights: their squares or, where importance is given, that and their size.
static inline void load_weights(const float* const (&importance)[W], int offset, F mean_sq, const F (&x)[32],
                                F (&w)[32]) {
    if (importance[0]) load_transposed<32>(importance, offset, w);
    for (int i = 0; i < 32; ++i) w[i] = importance[0] ? w[i] * square_root(mean_sq + x[i] * x[i]) : x[i] * x[i];
}

static inline void store_nearest(const float* x, float scale, uint8_t* qs) {
    const float inverse = scale != 0 ? 1 / scale : 0.0f;
    for (int i = 0; i < 16; i += W) {
        const I low = nearest_index(load<F>(x + i) * inverse), high = nearest_index(load<F>(x + 16 + i) * inverse);
        store_bytes(qs + i, low | high << 4);
    }
}

void quantize_iq4_nl(const Chunk& chunk, uint8_t* out) {
    auto* blocks = reinterpret_cast<BlockIQ4_NL*>(out);
    const int count = chunk.n / 32;
    for (int first = 0; first < count; first += W) {
        const int lanes = count - first < W ? count - first : W;
        const float *from[W], *importance[W];
        for (int i = 0; i < W; ++i) {
            const int start = 32 * (first + (i < lanes ? i : 0));
            from[i] = chunk.x + start;
            importance[i] = chunk.importance ? chunk.importance + start : nullptr;
        }
        F x[32], w[32], sum_sq{};
        load_transposed<32>(from, 0, x);
        for (int i = 0; i < 32; ++i) sum_sq += x[i] * x[i];
        load_weights(importance, 0, sum_sq * (2.0f / 32), x, w);
        const F scale = fit_uneven(x, w);
        const U d = to_f16(scale);
        for (int i = 0; i < lanes; ++i) {
            blocks[first + i].d = static_cast<uint16_t>(d[i]);
            store_nearest(from[i], scale[i], blocks[first + i].qs);
        }
    }
}

void quantize_iq4_xs(const Chunk& chunk, uint8_t* out) {
    auto* blocks = reinterpret_cast<BlockIQ4_XS*>(out);
    for (int first = 0; first < chunk.n / SUPER; first += W) {
        const Batch batch = batch_of(chunk, first);
        const F mean_sq = sum_of_squares(batch.x) * (2.0f / SUPER);
        F scales[8], largest{}, size{};
        for (int g = 0; g < 8; ++g) {
            F x[32], w[32];
            load_transposed<32>(batch.x, 32 * g, x);
            load_weights(batch.importance, 32 * g, mean_sq, x, w);
            scales[g] = fit_uneven(x, w);
            const I larger = abs(scales[g]) > size;
            size = select(larger, abs(scales[g]), size);
            largest = select(larger, scales[g], largest);
        }
        const F d = -largest / 32, inverse = select(d != 0, 1 / d, F{});
        const U stored_d = to_f16(d);
        I scale[8];
        for (int g = 0; g < 8; ++g) scale[g] = maximum(minimum(nearest_int(inverse * scales[g]), splat(31)), splat(-32));
        for (int lane = 0; lane < batch.lanes; ++lane) {
            BlockIQ4_XS& block = blocks[first + lane];
            block.d = static_cast<uint16_t>(stored_d[lane]);
            int high = 0;
            for (int g = 0; g < 8; g += 2) {
                const int even = scale[g][lane], odd = scale[g + 1][lane];
                block.scales_l[g / 2] = static_cast<uint8_t>((even & 15) | (odd & 15) << 4);
                high |= (even + 32) >> 4 << 2 * g | (odd + 32) >> 4 << (2 * g + 2);
                store_nearest(batch.x[lane] + 32 * g, d[lane] * static_cast<float>(even), block.qs + 16 * g);
                store_nearest(batch.x[lane] + 32 * g + 32, d[lane] * static_cast<float>(odd), block.qs + 16 * g + 16);
            }
            block.scales_h = static_cast<uint16_t>(high);
        }
    }
}

struct Values {
    float of[16];

    Values() {
        for (int i = 0; i < 16; ++i) of[i] = UNEVEN[i];
    }

    /// Writes d times the values of 16 bytes of nibbles.
    void write(const uint8_t* qs, float d, float* x) const {
        for (int i = 0; i < 16; i += W) {
            const I q = load_bytes(qs + i);
            store(x + i, pick(of, q & 15) * d);
            store(x + 16 + i, pick(of, q >> 4) * d);
        }
    }
};

void dequantize_iq4_nl(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockIQ4_NL*>(in);
    const Values values;
    for (int start = 0; start < n; start += 32, ++block) values.write(block->qs, from_f16(block->d), x + start);
}

void dequantize_iq4_xs(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockIQ4_XS*>(in);
    const Values values;
    for (int start = 0; start < n; start += SUPER, ++block) {
        for (int g = 0; g < 8; ++g) {
            const int low = block->scales_l[g / 2] >> g % 2 * 4 & 15, high = block->scales_h >> 2 * g & 3;
            const float d = from_f16(block->d) * static_cast<float>((low | high << 4) - 32);
            values.write(block->qs + 16 * g, d, x + start + 32 * g);
        }
    }
}

}  // namespace ggufpress::GGUFPRESS_ISA
