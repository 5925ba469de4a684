// Types with blocks of 32 weights and a linear scale: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0. Without importance a block lies
// across the lanes: nothing is summed, so order does not matter. With importance each lane holds a block.
#include "../scalar/kernels.hpp"
#include "bytes.hpp"
#include "fit.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

void quantize_q8_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ8_0*>(out);
    for (int start = 0; start < chunk.n; start += 32, ++block) {
        const float* x = chunk.x + start;
        const float d = largest_size<32>(x) / 127;
        float inverse = d != 0 ? 1 / d : 0.0f;
        // Where 1 / d overflows ggml's quotients do not fit an integer and become 0.
        if (is_infinite(inverse)) inverse = 0;
        block->d = to_f16(d);
        for (int i = 0; i < 32; i += W) {
            const I q = round_half_away(load<F>(x + i) * inverse);
            store_bytes(reinterpret_cast<uint8_t*>(block->qs) + i, q);
        }
    }
}

/// Stores the nibbles, and where the block has them the fifth bits; q(i) gives the q of weights i ... i + W.
template <class Block, class Q>
static inline void store_q(Block& block, Q q) {
    unsigned fifth = 0;
    for (int i = 0; i < 16; i += W) {
        const I low = q(i), high = q(16 + i);
        store_bytes(block.qs + i, (low & 15) | (high & 15) << 4);
        if constexpr (sizeof block >= sizeof(BlockQ5_0))
            fifth |= lane_bits((low & 16) != 0) << i | lane_bits((high & 16) != 0) << (16 + i);
    }
    if constexpr (sizeof block >= sizeof(BlockQ5_0)) std::memcpy(block.qh, &fifth, sizeof block.qh);
}

/// The first of 32 weights that satisfies is(W weights), which one does.
template <class Is>
static inline float first_where(const float* x, Is is) {
    unsigned where = 0;
    for (int i = 0; i < 32; i += W) where |= lane_bits(is(load<F>(x + i))) << i;
    return x[__builtin_ctz(where)];
}

template <int NMAX, class Block>
static inline void quantize_symmetric_plain(const float* x, Block& block) {
    const float most = largest_size<32>(x);
    const float d = most > 0 ? first_where(x, [&](F v) { return abs(v) == most; }) / -NMAX : -0.0f;
    float inverse = d != 0 ? 1 / d : 0.0f, shift = NMAX + 0.5f;
    // Where 1 / d overflows ggml's quotients do not fit an integer and become 0.
    if (is_infinite(inverse)) inverse = shift = 0;
    block.d = to_f16(d);
    store_q(block, [&](int i) {
        return minimum(__builtin_convertvector(load<F>(x + i) * inverse + shift, I), splat(2 * NMAX - 1));
    });
}

/// Up to W blocks: their ranges one by one, then scales and minima of all together.
template <int NMAX, class Block>
static inline void quantize_affine_plain(const float* x, Block* blocks, int count) {
    alignas(64) float least[W] = {}, most[W] = {};
    for (int b = 0; b < count; ++b) {
        const float* from = x + 32 * b;
        F low = load<F>(from), high = low;
        for (int i = W; i < 32; i += W) {
            low = minimum(low, load<F>(from + i));
            high = maximum(high, load<F>(from + i));
        }
        least[b] = -largest(-low);
        most[b] = largest(high);
        // The sign of a zero is that of the first one.
        if (least[b] == 0) least[b] = first_where(from, [](F v) { return v == 0; });
    }
    const F m = load<F>(least), range = load<F>(most) - m;
    const F d = select(load<F>(most) > m, range / static_cast<float>(NMAX), F{});
    F inverse = select(d != 0, 1 / d, F{});
    inverse = select(((I)inverse & 0x7fffffff) == 0x7f800000, F{}, inverse);
    // Where the range overflows d is infinite and v a NaN or 0, as q is 0.
    const unsigned overflows = lane_bits(((I)d & 0x7fffffff) == 0x7f800000);
    const U d16 = to_f16(d), m16 = to_f16(m);
    for (int b = 0; b < count; ++b) {
        blocks[b].d = static_cast<uint16_t>(d16[b]);
        blocks[b].m = static_cast<uint16_t>(m16[b]);
        store_q(blocks[b], [&](int i) {
            const F v = (load<F>(x + 32 * b + i) - m[b]) * inverse[b] + 0.5f;
            return overflows >> b & 1 ? I{} : __builtin_convertvector(v, I);
        });
    }
}

/// Up to W blocks of a chunk with their weights. Lanes past the end repeat the first.
struct WeightedBlocks {
    const float* from[W];
    const float* importance[W];
    int lanes;
    F x[32], w[32];

    WeightedBlocks(const Chunk& chunk, int first) {
        const int left = chunk.n / 32 - first;
        lanes = left < W ? left : W;
        F mean_sq{};
        for (int i = 0; i < W; ++i) {
            const int b = first + (i < lanes ? i : 0);
            from[i] = chunk.x + 32 * b;
            importance[i] = chunk.importance + 32 * b;
            mean_sq[i] = chunk.row_mean_sq[b];
        }
        load_transposed<32>(from, 0, x);
        load_transposed<32>(importance, 0, w);
        for (int i = 0; i < 32; ++i) w[i] *= square_root(mean_sq + x[i] * x[i]);
    }
};

template <int NMAX, class Block>
static inline void quantize_symmetric(const Chunk& chunk, uint8_t* out) {
    auto* blocks = reinterpret_cast<Block*>(out);
    if (!chunk.importance) {
        for (int b = 0; b < chunk.n / 32; ++b) quantize_symmetric_plain<NMAX>(chunk.x + 32 * b, blocks[b]);
        return;
    }
    for (int first = 0; first < chunk.n / 32; first += W) {
        const WeightedBlocks batch(chunk, first);
        const SymmetricFit fit = fit_symmetric<32, NMAX>(batch.x, batch.w);
        const U d = to_f16(fit.scale);
        for (int i = 0; i < batch.lanes; ++i) {
            Block& block = blocks[first + i];
            block.d = static_cast<uint16_t>(d[i]);
            const float inverse = fit.inverse[i];
            const int middle = inverse != 0 ? NMAX : 0;
            store_q(block, [&](int k) {
                const I q = nearest_int(load<F>(batch.from[i] + k) * inverse);
                return maximum(minimum(q, splat(NMAX - 1)), splat(-NMAX)) + middle;
            });
        }
    }
}

template <int NMAX, class Block>
static inline void quantize_affine(const Chunk& chunk, uint8_t* out,
                                   void (*specification)(const Chunk&, uint8_t*)) {
    auto* blocks = reinterpret_cast<Block*>(out);
    if (!chunk.importance) {
        const int count = chunk.n / 32;
        for (int b = 0; b < count; b += W)
            quantize_affine_plain<NMAX>(chunk.x + 32 * b, blocks + b, count - b < W ? count - b : W);
        return;
    }
    constexpr int G = 2;
    for (int first = 0; first < chunk.n / 32; first += G * W) {
        AffineGroups<32> groups[G];
        const float* from[G * W];
        for (int t = 0; t < G; ++t) {
            const int start = first + t * W < chunk.n / 32 ? first + t * W : first;
            const WeightedBlocks batch(chunk, start);
            for (int i = 0; i < W; ++i) from[t * W + i] = batch.from[i];
            for (int i = 0; i < 32; ++i) {
                groups[t].at[i].x = batch.x[i];
                groups[t].at[i].w = batch.w[i];
            }
        }
        fit_affine<32, NMAX, G>(groups, TRIALS_IMPORTANCE);
        for (int b = first; b < first + G * W && b < chunk.n / 32; ++b) {
            const AffineGroups<32>& g = groups[(b - first) / W];
            const int lane = (b - first) % W;
            Block& block = blocks[b];
            if (g.extreme[lane]) {
                const Chunk one = {chunk.x + 32 * b, chunk.importance + 32 * b, chunk.row_mean_sq + b, 32};
                specification(one, reinterpret_cast<uint8_t*>(&block));
                continue;
            }
            block.d = to_f16(g.scale[lane]);
            block.m = to_f16(g.min[lane]);
            const float inverse = g.inverse[lane], low = g.from[lane];
            store_q(block, [&](int k) {
                const I q = nearest_int(inverse * (load<F>(from[b - first] + k) - low));
                return maximum(minimum(q, splat(NMAX)), I{});
            });
        }
    }
}

void quantize_q4_0(const Chunk& chunk, uint8_t* out) { quantize_symmetric<8, BlockQ4_0>(chunk, out); }

void quantize_q5_0(const Chunk& chunk, uint8_t* out) { quantize_symmetric<16, BlockQ5_0>(chunk, out); }

void quantize_q4_1(const Chunk& chunk, uint8_t* out) {
    quantize_affine<15, BlockQ4_1>(chunk, out, scalar::quantize_q4_1);
}

void quantize_q5_1(const Chunk& chunk, uint8_t* out) {
    quantize_affine<31, BlockQ5_1>(chunk, out, scalar::quantize_q5_1);
}

/// Writes value(q) of the weights of one block, with `fifth` their fifth bits.
template <class Value>
static inline void write_values(const uint8_t* qs, unsigned fifth, float* x, Value value) {
    const I lane = lane_numbers();
    for (int i = 0; i < 16; i += W) {
        const I q = load_bytes(qs + i);
        I low = q & 15, high = q >> 4;
        if (fifth) {
            low |= (splat(static_cast<int>(fifth >> i)) >> lane & 1) << 4;
            high |= (splat(static_cast<int>(fifth >> (16 + i))) >> lane & 1) << 4;
        }
        store(x + i, value(low));
        store(x + 16 + i, value(high));
    }
}

void dequantize_q4_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ4_0*>(in);
    for (int start = 0; start < n; start += 32, ++block) {
        const float d = from_f16(block->d);
        write_values(block->qs, 0, x + start, [&](I q) { return to_float(q - 8) * d; });
    }
}

void dequantize_q4_1(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ4_1*>(in);
    for (int start = 0; start < n; start += 32, ++block) {
        const float d = from_f16(block->d), m = from_f16(block->m);
        write_values(block->qs, 0, x + start, [&](I q) { return to_float(q) * d + m; });
    }
}

void dequantize_q5_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ5_0*>(in);
    for (int start = 0; start < n; start += 32, ++block) {
        const float d = from_f16(block->d);
        write_values(block->qs, load<unsigned>(block->qh), x + start, [&](I q) { return to_float(q - 16) * d; });
    }
}

void dequantize_q5_1(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ5_1*>(in);
    for (int start = 0; start < n; start += 32, ++block) {
        const float d = from_f16(block->d), m = from_f16(block->m);
        write_values(block->qs, load<unsigned>(block->qh), x + start, [&](I q) { return to_float(q) * d + m; });
    }
}

void dequantize_q8_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ8_0*>(in);
    for (int start = 0; start < n; start += 32, ++block) {
        const float d = from_f16(block->d);
        for (int i = 0; i < 32; i += W) {
            const I q = load_bytes(block->qs + i);
            store(x + start + i, to_float(q) * d);
        }
    }
}

}  // namespace ggufpress::GGUFPRESS_ISA
