// Types with blocks of 32 weights and a linear scale: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.
#include <cmath>

#include "fit.hpp"
#include "kernels.hpp"

namespace ggufpress::scalar {

/// The low four bits of 32 q, the second half in the high nibbles.
static void store_nibbles(const uint8_t (&q)[32], uint8_t* qs) {
    for (int i = 0; i < 16; ++i) qs[i] = static_cast<uint8_t>((q[i] & 15) | (q[16 + i] & 15) << 4);
}

/// The fifth bits of 32 q.
static void store_fifth_bits(const uint8_t (&q)[32], uint8_t* qh) {
    for (int byte = 0; byte < 4; ++byte) {
        qh[byte] = 0;
        for (int i = 0; i < 8; ++i) qh[byte] = static_cast<uint8_t>(qh[byte] | (q[8 * byte + i] >> 4 & 1) << i);
    }
}

static int nibble(const uint8_t* qs, int i) { return qs[i % 16] >> i / 16 * 4 & 15; }

static int fifth_bit(const uint8_t* qh, int i) { return (qh[i / 8] >> i % 8 & 1) << 4; }

/// With importance a weight counts by its importance and its size beside the row's root mean square.
static void weights_of(const Chunk& chunk, int start, float (&w)[32]) {
    for (int i = 0; i < 32; ++i) {
        const float x = chunk.x[start + i];
        w[i] = chunk.importance[start + i] * std::sqrt(chunk.row_mean_sq[start / 32] + x * x);
    }
}

/// x is about d * (q - nmax). d is the first weight of largest size over -nmax, so that weight is exact, and
/// q = floor(x / d + nmax + 0.5), at most 2 * nmax - 1. With importance, d is the best of a search. Returns d.
static uint16_t quantize_symmetric(const Chunk& chunk, int start, int nmax, uint8_t (&q)[32]) {
    const float* x = chunk.x + start;
    if (chunk.importance) {
        float w[32];
        weights_of(chunk, start, w);
        return to_f16(fit_symmetric(x, w, 32, nmax, q));
    }
    const float d = largest_by_size(x, 32) / -nmax, inverse = d != 0 ? 1 / d : 0.0f;
    for (int i = 0; i < 32; ++i) {
        const auto l = static_cast<int8_t>(truncate(x[i] * inverse + (nmax + 0.5f)));
        q[i] = static_cast<uint8_t>(l > 2 * nmax - 1 ? 2 * nmax - 1 : l);
    }
    return to_f16(d);
}

/// x is about d * q + m with q up to nmax: m is the smallest weight, d the range over nmax, q rounded half up. With
/// importance, both come from a search that allows no m above zero.
template <class Block>
static void quantize_affine(const Chunk& chunk, int start, int nmax, Block& block, uint8_t (&q)[32]) {
    const float* x = chunk.x + start;
    if (chunk.importance) {
        float w[32];
        weights_of(chunk, start, w);
        const AffineFit fit = fit_affine(x, w, 32, nmax, TRIALS_IMPORTANCE, q);
        block.d = to_f16(fit.scale);
        block.m = to_f16(-fit.minus);
        return;
    }
    float low = x[0], high = x[0];
    for (int i = 1; i < 32; ++i) {
        if (x[i] < low) low = x[i];
        if (x[i] > high) high = x[i];
    }
    const float d = (high - low) / nmax, inverse = d != 0 ? 1 / d : 0.0f;
    block.d = to_f16(d);
    block.m = to_f16(low);
    for (int i = 0; i < 32; ++i) q[i] = static_cast<uint8_t>(truncate((x[i] - low) * inverse + 0.5f));
}

void quantize_q4_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ4_0*>(out);
    for (int start = 0; start < chunk.n; start += 32, ++block) {
        uint8_t q[32];
        block->d = quantize_symmetric(chunk, start, 8, q);
        store_nibbles(q, block->qs);
    }
}

void quantize_q4_1(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ4_1*>(out);
    for (int start = 0; start < chunk.n; start += 32, ++block) {
        uint8_t q[32];
        quantize_affine(chunk, start, 15, *block, q);
        store_nibbles(q, block->qs);
    }
}

void quantize_q5_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ5_0*>(out);
    for (int start = 0; start < chunk.n; start += 32, ++block) {
        uint8_t q[32];
        block->d = quantize_symmetric(chunk, start, 16, q);
        store_nibbles(q, block->qs);
        store_fifth_bits(q, block->qh);
    }
}

void quantize_q5_1(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ5_1*>(out);
    for (int start = 0; start < chunk.n; start += 32, ++block) {
        uint8_t q[32];
        quantize_affine(chunk, start, 31, *block, q);
        store_nibbles(q, block->qs);
        store_fifth_bits(q, block->qh);
    }
}

void dequantize_q4_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ4_0*>(in);
    for (int start = 0; start < n; start += 32, ++block)
        for (int i = 0; i < 32; ++i) x[start + i] = static_cast<float>(nibble(block->qs, i) - 8) * from_f16(block->d);
}

void dequantize_q4_1(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ4_1*>(in);
    for (int start = 0; start < n; start += 32, ++block)
        for (int i = 0; i < 32; ++i)
            x[start + i] = static_cast<float>(nibble(block->qs, i)) * from_f16(block->d) + from_f16(block->m);
}

void dequantize_q5_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ5_0*>(in);
    for (int start = 0; start < n; start += 32, ++block) {
        for (int i = 0; i < 32; ++i) {
            const int q = nibble(block->qs, i) | fifth_bit(block->qh, i);
            x[start + i] = static_cast<float>(q - 16) * from_f16(block->d);
        }
    }
}

void dequantize_q5_1(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ5_1*>(in);
    for (int start = 0; start < n; start += 32, ++block) {
        for (int i = 0; i < 32; ++i) {
            const int q = nibble(block->qs, i) | fifth_bit(block->qh, i);
            x[start + i] = static_cast<float>(q) * from_f16(block->d) + from_f16(block->m);
        }
    }
}

/// d is the largest size over 127; q = x / d rounded, halves away from zero.
void quantize_q8_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ8_0*>(out);
    for (int start = 0; start < chunk.n; start += 32, ++block) {
        const float* x = chunk.x + start;
        const float d = std::fabs(largest_by_size(x, 32)) / 127, inverse = d != 0 ? 1 / d : 0.0f;
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
