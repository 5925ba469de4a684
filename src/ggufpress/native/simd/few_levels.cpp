// Types of one scale per block and two to four levels: Q1_0, Q2_0, TQ1_0, TQ2_0. Blocks lie across the lanes, but for
// the sums of Q1_0, which have one block per lane.
#include "bytes.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

void quantize_q1_0(const Chunk& chunk, uint8_t* out) {
    auto* blocks = reinterpret_cast<BlockQ1_0*>(out);
    const int count = chunk.n / 128;
    for (int first = 0; first < count; first += W) {
        const int lanes = count - first < W ? count - first : W;
        const float* from[W];
        for (int i = 0; i < W; ++i) from[i] = chunk.x + 128 * (first + (i < lanes ? i : 0));
        F sum{};
        for (int k = 0; k < 128; k += W) {
            F x[W];
            load_transposed<W>(from, k, x);
            for (int i = 0; i < W; ++i) sum += abs(x[i]);
        }
        const U d = to_f16(sum / 128);
        for (int i = 0; i < lanes; ++i) {
            BlockQ1_0& block = blocks[first + i];
            block.d = static_cast<uint16_t>(d[i]);
            for (int k = 0; k < 128; k += 32) {
                unsigned bits = 0;
                for (int j = 0; j < 32; j += W) bits |= lane_bits(load<F>(from[i] + k + j) >= 0) << j;
                std::memcpy(block.qs + k / 8, &bits, sizeof bits);
            }
        }
    }
}

void dequantize_q1_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ1_0*>(in);
    const I lane = lane_numbers();
    for (int start = 0; start < n; start += 128, ++block) {
        const I d = (I)splat(from_f16(block->d));
        for (int k = 0; k < 128; k += 32) {
            const auto bits = load<unsigned>(block->qs + k / 8);
            for (int j = 0; j < 32; j += W) {
                const I positive = splat(static_cast<int>(bits >> j)) >> lane & 1;
                store(x + start + k + j, (F)(d ^ (1 - positive) << 31));
            }
        }
    }
}

/// How x becomes a level: round(x * inverse) + shift.
struct Levels {
    float inverse;
    int shift;

    /// overflow: what every weight becomes where 1 / d is infinite.
    Levels(float d, int overflow) : inverse(d != 0 ? 1 / d : 0.0f), shift(1) {
        if (is_infinite(inverse)) {
            inverse = 0;
            shift = overflow;
        }
    }

    I operator()(const float* x) const { return round_half_away(load<F>(x) * inverse) + shift; }
};

void quantize_q2_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ2_0*>(out);
    for (int start = 0; start < chunk.n; start += 64, ++block) {
        const float* x = chunk.x + start;
        const float d = largest_size<64>(x);
        const Levels level(d, 0);
        block->d = to_f16(d);
        uint8_t q[64];
        for (int i = 0; i < 64; i += W) store_bytes(q + i, level(x + i));
        for (int i = 0; i < 16; i += W) {
            const I four = load<I>(q + 4 * i);
            store_bytes(block->qs + i, four | four >> 6 | four >> 12 | four >> 18);
        }
    }
}

void dequantize_q2_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ2_0*>(in);
    for (int start = 0; start < n; start += 64, ++block) {
        uint8_t q[64];
        for (int i = 0; i < 16; i += W) {
            const I four = load_bytes(block->qs + i);
            store(q + 4 * i, (four | four << 6 | four << 12 | four << 18) & 0x03030303);
        }
        const float d = from_f16(block->d);
        for (int i = 0; i < 64; i += W) store(x + start + i, to_float(load_bytes(q + i) - 1) * d);
    }
}

/// The bytes for q = 0 ... 242, the ceiling of 256 * q / 243; the division is exact in this range.
static inline I fraction(I q) { return (q * 256 + 242) * 17261 >> 22; }

void quantize_tq1_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockTQ1_0*>(out);
    for (int start = 0; start < chunk.n; start += SUPER, ++block) {
        const float* x = chunk.x + start;
        const float d = largest_size<SUPER>(x);
        const Levels level(d, 1);
        block->d = to_f16(d);
        for (int i = 0; i < 48; i += W) {
            const int run = i < 32 ? 32 : 16;
            const float* from = i < 32 ? x + i : x + 160 + i - 32;
            I q{};
            for (int place = 0; place < 5; ++place) q = q * 3 + level(from + run * place);
            store_bytes(block->qs + i, fraction(q));
        }
        uint8_t last[16];
        for (int i = 0; i < 16; i += W) store_bytes(last + i, level(x + 240 + i));
        for (int i = 0; i < 4; ++i) {
            const int q = ((last[i] * 3 + last[4 + i]) * 3 + last[8 + i]) * 3 + last[12 + i];
            block->qh[i] = static_cast<uint8_t>((q * 3 * 256 + 242) / 243);
        }
    }
}

void dequantize_tq1_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockTQ1_0*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        const float d = from_f16(block->d);
        float* to = x + start;
        for (int i = 0; i < 48; i += W) {
            const int run = i < 32 ? 32 : 16;
            float* at = i < 32 ? to + i : to + 160 + i - 32;
            I rest = load_bytes(block->qs + i);
            for (int place = 0; place < 5; ++place, at += run) {
                rest = rest * 3;
                store(at, to_float((rest >> 8) - 1) * d);
                rest &= 255;
            }
        }
        for (int i = 0; i < 4; ++i) {
            int rest = block->qh[i];
            for (int place = 0; place < 4; ++place) {
                rest *= 3;
                to[240 + 4 * place + i] = static_cast<float>((rest >> 8) - 1) * d;
                rest &= 255;
            }
        }
    }
}

void quantize_tq2_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockTQ2_0*>(out);
    for (int start = 0; start < chunk.n; start += SUPER, ++block) {
        const float* x = chunk.x + start;
        const float d = largest_size<SUPER>(x);
        const Levels level(d, 1);
        block->d = to_f16(d);
        for (int half = 0; half < 2; ++half) {
            for (int i = 0; i < 32; i += W) {
                I bits{};
                for (int run = 0; run < 4; ++run) bits |= level(x + 128 * half + 32 * run + i) << 2 * run;
                store_bytes(block->qs + 32 * half + i, bits);
            }
        }
    }
}

void dequantize_tq2_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockTQ2_0*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        const float d = from_f16(block->d);
        for (int half = 0; half < 2; ++half) {
            for (int i = 0; i < 32; i += W) {
                const I bits = load_bytes(block->qs + 32 * half + i);
                for (int run = 0; run < 4; ++run)
                    store(x + start + 128 * half + 32 * run + i, to_float((bits >> 2 * run & 3) - 1) * d);
            }
        }
    }
}

}  // namespace ggufpress::GGUFPRESS_ISA
