// Types of 4-bit floats: MXFP4, NVFP4. A block lies across the lanes.
#include "bytes.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

void quantize_mxfp4(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockMXFP4*>(out);
    for (int start = 0; start < chunk.n; start += 32, ++block) {
        const float* x = chunk.x + start;
        const float most = largest_size<32>(x);
        block->e = static_cast<uint8_t>(most > 0 ? floor_log2(most) + 125 : 0);
        const float d = half_of_e8m0(block->e);
        // From halfway[i] on the value after TWICE_FP4[i] is nearer; from nowhere on where that value overflows.
        float halfway[7];
        for (int i = 0; i < 7; ++i) {
            const float next = TWICE_FP4[i + 1] * d;
            halfway[i] = is_infinite(next) ? next : 0.5f * static_cast<float>(TWICE_FP4[i] + TWICE_FP4[i + 1]) * d;
        }
        const auto nearest = [&](int at) {
            const F v = load<F>(x + at), size = abs(v);
            I q{};
            // Masks are -1.
#pragma GCC unroll 8
            for (int i = 0; i < 7; ++i) q -= size > halfway[i];
            return q + ((q > 0) & (v < 0) & 8);
        };
        for (int i = 0; i < 16; i += W) store_bytes(block->qs + i, nearest(i) | nearest(16 + i) << 4);
    }
}

void dequantize_mxfp4(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockMXFP4*>(in);
    float values[16];
    for (int i = 0; i < 16; ++i) values[i] = TWICE_FP4[i];
    for (int start = 0; start < n; start += 32, ++block) {
        const float d = half_of_e8m0(block->e);
        for (int i = 0; i < 16; i += W) {
            const I q = load_bytes(block->qs + i);
            store(x + start + i, pick(values, q & 15) * d);
            store(x + start + 16 + i, pick(values, q >> 4) * d);
        }
    }
}

void dequantize_nvfp4(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockNVFP4*>(in);
    for (int start = 0; start < n; start += 64, ++block) {
        for (int g = 0; g < 4; ++g) {
            float values[16];
            for (int i = 0; i < 16; ++i) values[i] = TWICE_FP4[i] * half_of_ue4m3(block->d[g]);
            float* to = x + start + 16 * g;
            for (int i = 0; i < 8; ++i) {
                to[i] = values[block->qs[8 * g + i] & 15];
                to[8 + i] = values[block->qs[8 * g + i] >> 4];
            }
        }
    }
}

}  // namespace ggufpress::GGUFPRESS_ISA
