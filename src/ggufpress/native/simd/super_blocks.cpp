// Types with super-blocks of 256 weights and a linear scale: Q4_K, Q5_K, Q6_K. A lane holds a whole super-block, so
// that every sum of the specification, also those over a super-block, runs in its own lane.
#include "../scalar/kernels.hpp"
#include "batch.hpp"
#include "bytes.hpp"
#include "fit.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

template <int NMAX>
static inline void fit_groups(const Batch& batch, const Trials& trials, AffineBatch<8>& out, F (&scales)[8],
                              F (&minima)[8], F (&sum_w)[8]) {
    const bool weighted = batch.importance[0] != nullptr;
    const F mean_sq = weighted ? 2 * sum_of_squares(batch.x) / SUPER : F{};
    out.extreme = I{};
    constexpr int G = 2;
    for (int first = 0; first < 8; first += G) {
        AffineGroups<32> groups[G];
        for (int t = 0; t < G; ++t) {
            F x[32], w[32];
            load_transposed<32>(batch.x, 32 * (first + t), x);
            if (weighted) {
                load_transposed<32>(batch.importance, 32 * (first + t), w);
                sum_w[first + t] = F{};
                for (int i = 0; i < 32; ++i) {
                    w[i] *= square_root(mean_sq + x[i] * x[i]);
                    sum_w[first + t] += w[i];
                }
            } else {
                F sum_sq{};
                for (int i = 0; i < 32; ++i) sum_sq += x[i] * x[i];
                const F rms = square_root(sum_sq / 32);
                for (int i = 0; i < 32; ++i) w[i] = rms + abs(x[i]);
            }
            for (int i = 0; i < 32; ++i) {
                groups[t].at[i].x = x[i];
                groups[t].at[i].w = w[i];
            }
        }
        fit_affine<32, NMAX, G>(groups, trials);
        for (int t = 0; t < G; ++t) {
            const AffineGroups<32>& g = groups[t];
            scales[first + t] = g.scale;
            minima[first + t] = -g.min;
            out.inverse[first + t] = g.inverse;
            out.from[first + t] = g.from;
            out.extreme |= g.extreme;
        }
    }
}

template <int NMAX>
static inline void fit_super_blocks(const Batch& batch, const Trials& trials, AffineBatch<8>& out) {
    F scales[8], minima[8], sum_w[8];
    fit_groups<NMAX>(batch, trials, out, scales, minima, sum_w);
    if (batch.importance[0]) {
        out.d = to_f16(fit_positive<8, 63>(scales, sum_w, out.scale));
        out.dmin = to_f16(fit_positive<8, 63>(minima, sum_w, out.min));
        if (NMAX == 31) {
            for (int g = 0; g < 8; ++g) {
                out.scale[g] = minimum(out.scale[g], splat(63));
                out.min[g] = minimum(out.min[g], splat(63));
            }
        }
        return;
    }
    F max_scale{}, max_min{};
    for (int g = 0; g < 8; ++g) {
        max_scale = select(scales[g] > max_scale, scales[g], max_scale);
        max_min = select(minima[g] > max_min, minima[g], max_min);
    }
    const F inverse_scale = select(max_scale > 0, 63 / max_scale, F{});
    const F inverse_min = select(max_min > 0, 63 / max_min, F{});
    for (int g = 0; g < 8; ++g) {
        out.scale[g] = minimum(nearest_int(inverse_scale * scales[g]) & 255, splat(63));
        out.min[g] = minimum(nearest_int(inverse_min * minima[g]) & 255, splat(63));
    }
    out.d = to_f16(max_scale / 63);
    out.dmin = to_f16(max_min / 63);
}

/// Stores d, dmin and the 12 bytes of scales and mins, and returns how to round with what was stored.
template <class Block>
static inline void store_scales(const AffineBatch<8>& fits, int lane, Block& block, GroupRounding (&groups)[8]) {
    int scale[8], min[8];
    for (int g = 0; g < 8; ++g) {
        scale[g] = fits.scale[g][lane];
        min[g] = fits.min[g][lane];
    }
    uint8_t* packed = block.scales;
    for (int j = 0; j < 4; ++j) {
        packed[j] = static_cast<uint8_t>(scale[j] | scale[4 + j] >> 4 << 6);
        packed[4 + j] = static_cast<uint8_t>(min[j] | min[4 + j] >> 4 << 6);
        packed[8 + j] = static_cast<uint8_t>((scale[4 + j] & 15) | (min[4 + j] & 15) << 4);
    }
    // With importance a scale of Q4_K may have more than six bits (ggml does not cap it); then it reads back otherwise.
    for (int j = 0; j < 4; ++j) {
        scale[j] = packed[j] & 63;
        min[j] = packed[4 + j] & 63;
        scale[4 + j] = (packed[8 + j] & 15) | packed[j] >> 6 << 4;
        min[4 + j] = packed[8 + j] >> 4 | packed[4 + j] >> 6 << 4;
    }
    block.d = static_cast<uint16_t>(fits.d[lane]);
    block.dmin = static_cast<uint16_t>(fits.dmin[lane]);
    const float d = from_f16(block.d), dmin = from_f16(block.dmin);
    for (int g = 0; g < 8; ++g)
        groups[g] = {d * static_cast<float>(scale[g]), dmin * static_cast<float>(min[g]), fits.inverse[g][lane],
                     fits.from[g][lane]};
}

/// Fits W super-blocks at a time and hands each with its GroupRoundings to `store`.
template <int NMAX, class Block, class Store>
static inline void quantize_affine(const Chunk& chunk, uint8_t* out, const Trials& trials,
                                   void (*specification)(const Chunk&, uint8_t*), Store store) {
    auto* blocks = reinterpret_cast<Block*>(out);
    for (int first = 0; first < chunk.n / SUPER; first += W) {
        const Batch batch = batch_of(chunk, first);
        AffineBatch<8> fits;
        fit_super_blocks<NMAX>(batch, trials, fits);
        for (int lane = 0; lane < batch.lanes; ++lane) {
            Block& block = blocks[first + lane];
            if (fits.extreme[lane]) {
                specify(batch, lane, specification, &block);
                continue;
            }
            GroupRounding groups[8];
            store_scales(fits, lane, block, groups);
            store(batch.x[lane], groups, block);
        }
    }
}

void quantize_q4_k(const Chunk& chunk, uint8_t* out) {
    const auto store = [](const float* x, const GroupRounding(&groups)[8], BlockQ4_K& block) {
        for (int g = 0; g < 8; g += 2) {
            for (int i = 0; i < 32; i += W) {
                const I even = groups[g].round<15>(x + 32 * g + i);
                const I odd = groups[g + 1].round<15>(x + 32 * g + 32 + i);
                store_bytes(block.qs + 16 * g + i, even | odd << 4);
            }
        }
    };
    const Trials& trials = chunk.importance ? TRIALS_IMPORTANCE : TRIALS_Q4_K;
    quantize_affine<15, BlockQ4_K>(chunk, out, trials, scalar::quantize_q4_k, store);
}

void quantize_q5_k(const Chunk& chunk, uint8_t* out) {
    const auto store = [](const float* x, const GroupRounding(&groups)[8], BlockQ5_K& block) {
        for (int i = 0; i < 32; i += W) {
            I high{};
            for (int g = 0; g < 8; g += 2) {
                const I even = groups[g].round<31>(x + 32 * g + i);
                const I odd = groups[g + 1].round<31>(x + 32 * g + 32 + i);
                store_bytes(block.qs + 16 * g + i, (even & 15) | (odd & 15) << 4);
                high |= even >> 4 << g | odd >> 4 << (g + 1);
            }
            store_bytes(block.qh + i, high);
        }
    };
    const Trials& trials = chunk.importance ? TRIALS_IMPORTANCE : TRIALS_Q5_K;
    quantize_affine<31, BlockQ5_K>(chunk, out, trials, scalar::quantize_q5_k, store);
}

/// Stored scales, and how to round where a scale is 0, of W super-blocks with 16 groups of 16.
struct BatchOfQ6_K {
    U d;
    I scale[16];
    F inverse[16];
    I zero;
};

static inline void fit_super_blocks(const Batch& batch, BatchOfQ6_K& out) {
    F scales[16], largest{}, size{};
    for (int g = 0; g < 16; ++g) {
        F x[16], w[16];
        load_transposed<16>(batch.x, 16 * g, x);
        if (batch.importance[0])
            load_transposed<16>(batch.importance, 16 * g, w);
        else
            for (int i = 0; i < 16; ++i) w[i] = x[i] * x[i];
        const SymmetricFit fit = fit_symmetric<16, 32>(x, w);
        scales[g] = fit.scale;
        out.inverse[g] = fit.inverse;
        const I larger = abs(scales[g]) > size;
        size = select(larger, abs(scales[g]), size);
        largest = select(larger, scales[g], largest);
    }
    out.zero = size < TINY;
    const F inverse = -128 / largest;
    out.d = to_f16(1 / inverse);
    for (int g = 0; g < 16; ++g) out.scale[g] = minimum(nearest_int(inverse * scales[g]), splat(127));
}

static inline void store_super_block(const float* x, const BatchOfQ6_K& fits, int lane, BlockQ6_K& block) {
    block.d = static_cast<uint16_t>(fits.d[lane]);
    float d[16], inverse[16];
    for (int g = 0; g < 16; ++g) {
        block.scales[g] = static_cast<int8_t>(fits.scale[g][lane]);
        d[g] = from_f16(block.d) * block.scales[g];
        inverse[g] = fits.inverse[g][lane];
    }
    const auto q = [&](int i) {
        const int g = i / 16;
        if (d[g] == 0 && inverse[g] == 0) return I{};
        const I l = nearest_int(d[g] != 0 ? load<F>(x + i) / d[g] : inverse[g] * load<F>(x + i));
        return maximum(minimum(l, splat(31)), splat(-32)) + 32;
    };
    for (int half = 0; half < 2; ++half) {
        for (int i = 0; i < 32; i += W) {
            const int start = 128 * half + i;
            const I a = q(start), b = q(start + 32), c = q(start + 64), d = q(start + 96);
            store_bytes(block.ql + 64 * half + i, (a & 15) | (c & 15) << 4);
            store_bytes(block.ql + 64 * half + 32 + i, (b & 15) | (d & 15) << 4);
            store_bytes(block.qh + 32 * half + i, a >> 4 | b >> 4 << 2 | c >> 4 << 4 | d >> 4 << 6);
        }
    }
}

void quantize_q6_k(const Chunk& chunk, uint8_t* out) {
    auto* blocks = reinterpret_cast<BlockQ6_K*>(out);
    for (int first = 0; first < chunk.n / SUPER; first += W) {
        const Batch batch = batch_of(chunk, first);
        BatchOfQ6_K fits;
        fit_super_blocks(batch, fits);
        for (int lane = 0; lane < batch.lanes; ++lane) {
            if (fits.zero[lane])
                std::memset(&blocks[first + lane], 0, sizeof(BlockQ6_K));
            else
                store_super_block(batch.x[lane], fits, lane, blocks[first + lane]);
        }
    }
}

}  // namespace ggufpress::GGUFPRESS_ISA
