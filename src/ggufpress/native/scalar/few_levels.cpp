// Types of one scale per block and two to four levels: Q1_0, Q2_0, TQ1_0, TQ2_0. None looks at importance.
#include <cmath>
#include <cstring>

#include "fit.hpp"
#include "kernels.hpp"

namespace ggufpress::scalar {

static float largest_size(const float* x, int n) { return std::fabs(largest_by_size(x, n)); }

/// d is the mean size; a weight keeps only its sign, and zeros count as positive.
void quantize_q1_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ1_0*>(out);
    for (int start = 0; start < chunk.n; start += 128, ++block) {
        const float* x = chunk.x + start;
        float sum = 0;
        for (int i = 0; i < 128; ++i) sum += std::fabs(x[i]);
        block->d = to_f16(sum / 128);
        std::memset(block->qs, 0, sizeof block->qs);
        for (int i = 0; i < 128; ++i) block->qs[i / 8] = static_cast<uint8_t>(block->qs[i / 8] | (x[i] >= 0) << i % 8);
    }
}

void dequantize_q1_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ1_0*>(in);
    for (int start = 0; start < n; start += 128, ++block) {
        const float d = from_f16(block->d);
        for (int i = 0; i < 128; ++i) x[start + i] = block->qs[i / 8] >> i % 8 & 1 ? d : -d;
    }
}

/// x / d + 1 rounded, halves away from zero, with d the largest size: 0, 1 or 2. Where 1 / d overflows, ggml's
/// quotients do not fit an integer: `overflow` is what becomes of them.
static int level(float x, float inverse, int overflow) {
    return std::isinf(inverse) ? overflow : static_cast<int>(std::round(x * inverse)) + 1;
}

void quantize_q2_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockQ2_0*>(out);
    for (int start = 0; start < chunk.n; start += 64, ++block) {
        const float* x = chunk.x + start;
        const float d = largest_size(x, 64), inverse = d > 0 ? 1 / d : 0.0f;
        block->d = to_f16(d);
        std::memset(block->qs, 0, sizeof block->qs);
        for (int i = 0; i < 64; ++i)
            block->qs[i / 4] = static_cast<uint8_t>(block->qs[i / 4] | level(x[i], inverse, 0) << i % 4 * 2);
    }
}

void dequantize_q2_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ2_0*>(in);
    for (int start = 0; start < n; start += 64, ++block)
        for (int i = 0; i < 64; ++i)
            x[start + i] = static_cast<float>((block->qs[i / 4] >> i % 4 * 2 & 3) - 1) * from_f16(block->d);
}

/// Where a weight of TQ1_0 is stored: its byte of the block, which begins with qs and qh, and which digit of that byte
/// it is, the first one counting most.
struct Digit {
    int byte;
    int place;
};

static Digit digit_of(int i) {
    if (i < 160) return {i % 32, i / 32};
    if (i < 240) return {32 + i % 16, (i - 160) / 16};
    return {48 + i % 4, (i - 240) / 4};
}

constexpr int POWERS_OF_3[5] = {1, 3, 9, 27, 81};

/// Five digits to base 3 become the smallest byte b with b / 256 not below the fraction that they are.
void quantize_tq1_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockTQ1_0*>(out);
    for (int start = 0; start < chunk.n; start += SUPER, ++block) {
        const float* x = chunk.x + start;
        const float d = largest_size(x, SUPER), inverse = d != 0 ? 1 / d : 0.0f;
        block->d = to_f16(d);
        int digits[52] = {};
        for (int i = 0; i < SUPER; ++i) {
            const Digit at = digit_of(i);
            digits[at.byte] += level(x[i], inverse, 1) * POWERS_OF_3[4 - at.place];
        }
        auto* bytes = reinterpret_cast<uint8_t*>(block);
        for (int i = 0; i < 52; ++i) bytes[i] = static_cast<uint8_t>((digits[i] * 256 + 242) / 243);
    }
}

void dequantize_tq1_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockTQ1_0*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        const auto* bytes = reinterpret_cast<const uint8_t*>(block);
        for (int i = 0; i < SUPER; ++i) {
            const Digit at = digit_of(i);
            const auto rest = static_cast<uint8_t>(bytes[at.byte] * POWERS_OF_3[at.place]);
            x[start + i] = static_cast<float>((rest * 3 >> 8) - 1) * from_f16(block->d);
        }
    }
}

void quantize_tq2_0(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockTQ2_0*>(out);
    for (int start = 0; start < chunk.n; start += SUPER, ++block) {
        const float* x = chunk.x + start;
        const float d = largest_size(x, SUPER), inverse = d != 0 ? 1 / d : 0.0f;
        block->d = to_f16(d);
        std::memset(block->qs, 0, sizeof block->qs);
        for (int i = 0; i < SUPER; ++i) {
            uint8_t& byte = block->qs[i / 128 * 32 + i % 32];
            byte = static_cast<uint8_t>(byte | level(x[i], inverse, 1) << i % 128 / 32 * 2);
        }
    }
}

void dequantize_tq2_0(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockTQ2_0*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        for (int i = 0; i < SUPER; ++i) {
            const int q = block->qs[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
            x[start + i] = static_cast<float>(q - 1) * from_f16(block->d);
        }
    }
}

}  // namespace ggufpress::scalar
