// Dequantizing of super-blocks; each value is one product, or one product and a difference, as in the specification.
#include "bytes.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

/// d * scale and dmin * min of each group.
template <class Block>
static inline void scales_of(const Block& block, float (&d)[8], float (&m)[8]) {
    const float scale = from_f16(block.d), min = from_f16(block.dmin);
    const uint8_t* s = block.scales;
    for (int j = 0; j < 4; ++j) {
        d[j] = scale * static_cast<float>(s[j] & 63);
        m[j] = min * static_cast<float>(s[4 + j] & 63);
        d[4 + j] = scale * static_cast<float>((s[8 + j] & 15) | s[j] >> 6 << 4);
        m[4 + j] = min * static_cast<float>(s[8 + j] >> 4 | s[4 + j] >> 6 << 4);
    }
}

void dequantize_q4_k(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ4_K*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        float d[8], m[8];
        scales_of(*block, d, m);
        for (int g = 0; g < 8; g += 2) {
            float* to = x + start + 32 * g;
            for (int i = 0; i < 32; i += W) {
                const I q = load_bytes(block->qs + 16 * g + i);
                store(to + i, to_float(q & 15) * d[g] - m[g]);
                store(to + 32 + i, to_float(q >> 4) * d[g + 1] - m[g + 1]);
            }
        }
    }
}

void dequantize_q5_k(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ5_K*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        float d[8], m[8];
        scales_of(*block, d, m);
        for (int g = 0; g < 8; g += 2) {
            float* to = x + start + 32 * g;
            for (int i = 0; i < 32; i += W) {
                const I q = load_bytes(block->qs + 16 * g + i);
                const I high = load_bytes(block->qh + i) >> g;
                store(to + i, to_float((q & 15) | (high & 1) << 4) * d[g] - m[g]);
                store(to + 32 + i, to_float(q >> 4 | (high & 2) << 3) * d[g + 1] - m[g + 1]);
            }
        }
    }
}

void dequantize_q6_k(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ6_K*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        float d[16];
        for (int g = 0; g < 16; ++g) d[g] = from_f16(block->d) * block->scales[g];
        for (int half = 0; half < 2; ++half) {
            float* to = x + start + 128 * half;
            const float* scale = d + 8 * half;
            for (int i = 0; i < 32; i += W) {
                const int odd = i / 16;
                const I a = load_bytes(block->ql + 64 * half + i);
                const I b = load_bytes(block->ql + 64 * half + 32 + i);
                const I high = load_bytes(block->qh + 32 * half + i);
                store(to + i, to_float(((a & 15) | (high & 3) << 4) - 32) * scale[odd]);
                store(to + 32 + i, to_float(((b & 15) | (high & 12) << 2) - 32) * scale[2 + odd]);
                store(to + 64 + i, to_float((a >> 4 | (high & 48)) - 32) * scale[4 + odd]);
                store(to + 96 + i, to_float((b >> 4 | (high & 192) >> 2) - 32) * scale[6 + odd]);
            }
        }
    }
}

void dequantize_q8_k(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockQ8_K*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        const float d = block->d;
        for (int i = 0; i < SUPER; i += W) store(x + start + i, to_float(load_bytes(block->qs + i)) * d);
    }
}

}  // namespace ggufpress::GGUFPRESS_ISA
