// Types with blocks of 32 weights: Q4_0, Q8_0. Without importance a block lies across the lanes: nothing is summed,
// so order does not matter.
#include "bytes.hpp"
#include "fit.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

static inline bool is_infinite(float v) { return (bits_of(v) & 0x7fffffff) == 0x7f800000; }

void quantize_q8_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ8_0*>(out);
    for (int start = 0; start < chunk.n; start += 32, ++block) {
        const float* x = chunk.x + start;
        F size{};
        for (int i = 0; i < 32; i += W) size = maximum(size, abs(load<F>(x + i)));
        const float d = largest(size) / 127;
        float inverse = d != 0 ? 1 / d : 0.0f;
        // Where 1 / d overflows ggml's quotients do not fit an integer and become 0.
        if (is_infinite(inverse)) inverse = 0;
        block->d = to_f16(d);
        for (int i = 0; i < 32; i += W) {
            const F v = load<F>(x + i) * inverse;
            // Adding the float before 0.5, away from zero, and cutting off rounds halves away from zero.
            const F half = (F)(((I)v & (int)0x80000000) | 0x3effffff);
            const I q = __builtin_convertvector(v + half, I);
            store_bytes(reinterpret_cast<uint8_t*>(block->qs) + i, q);
        }
    }
}

/// Stores the 16 bytes of nibbles of a block; q(i) gives the q of weights i ... i + W.
template <class Q>
static inline void store_nibbles(uint8_t* qs, Q q) {
    for (int i = 0; i < 16; i += W) store_bytes(qs + i, q(i) | q(16 + i) << 4);
}

static void quantize_q4_0_plain(const float* x, BlockQ4_0& block) {
    F size{};
    for (int i = 0; i < 32; i += W) size = maximum(size, abs(load<F>(x + i)));
    const float most = largest(size);
    unsigned where = 0;
    for (int i = 0; i < 32; i += W) where |= lane_bits(abs(load<F>(x + i)) == most) << i;
    const float d = most > 0 ? x[__builtin_ctz(where)] / -8 : -0.0f;
    float inverse = d != 0 ? 1 / d : 0.0f, shift = 8.5f;
    // Where 1 / d overflows ggml's quotients do not fit an integer and become 0.
    if (is_infinite(inverse)) inverse = shift = 0;
    block.d = to_f16(d);
    store_nibbles(block.qs, [&](int i) {
        return minimum(__builtin_convertvector(load<F>(x + i) * inverse + shift, I), splat(15));
    });
}

static void quantize_q4_0_weighted(const Chunk& chunk, BlockQ4_0* blocks) {
    const int count = chunk.n / 32;
    for (int first = 0; first < count; first += W) {
        const int lanes = count - first < W ? count - first : W;
        const float *from[W], *importance[W];
        F mean_sq{};
        for (int i = 0; i < W; ++i) {
            const int b = first + (i < lanes ? i : 0);
            from[i] = chunk.x + 32 * b;
            importance[i] = chunk.importance + 32 * b;
            mean_sq[i] = chunk.row_mean_sq[b];
        }
        F x[32], w[32];
        load_transposed<32>(from, 0, x);
        load_transposed<32>(importance, 0, w);
        for (int i = 0; i < 32; ++i) w[i] *= square_root(mean_sq + x[i] * x[i]);
        const SymmetricFit fit = fit_symmetric<32, 8>(x, w);
        const U d = to_f16(fit.scale);
        for (int i = 0; i < lanes; ++i) {
            BlockQ4_0& block = blocks[first + i];
            block.d = static_cast<uint16_t>(d[i]);
            const float inverse = fit.inverse[i];
            const int middle = inverse != 0 ? 8 : 0;
            store_nibbles(block.qs, [&](int k) {
                return maximum(minimum(nearest_int(load<F>(from[i] + k) * inverse), splat(7)), splat(-8)) + middle;
            });
        }
    }
}

void quantize_q4_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ4_0*>(out);
    if (chunk.importance) return quantize_q4_0_weighted(chunk, block);
    for (int start = 0; start < chunk.n; start += 32, ++block) quantize_q4_0_plain(chunk.x + start, *block);
}

void dequantize_q4_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ4_0*>(in);
    for (int start = 0; start < n; start += 32, ++block) {
        const float d = from_f16(block->d);
        for (int i = 0; i < 16; i += W) {
            const I q = load_bytes(block->qs + i);
            store(x + start + i, to_float((q & 15) - 8) * d);
            store(x + start + 16 + i, to_float((q >> 4) - 8) * d);
        }
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
