// Types of 4-bit floats with a scale that is a small float itself: MXFP4, NVFP4. Neither looks at importance.
#include <cmath>

#include "fit.hpp"
#include "kernels.hpp"

namespace ggufpress::scalar {

/// The first of the sixteen values that is nearest to x / d: halfway, the one nearer to zero. Never the second zero,
/// nor one whose product with d overflows.
static int nearest_fp4(float x, float d) {
    int q = 0;
    for (int i = 1; i < 8; ++i) {
        const float halfway = 0.5f * static_cast<float>(TWICE_FP4[i - 1] + TWICE_FP4[i]) * d;
        q += std::fabs(x) > halfway && !std::isinf(TWICE_FP4[i] * d);
    }
    return q > 0 && x < 0 ? q + 8 : q;
}

/// The largest size lies between 4 and 8 times the scale, which loses what is above 6. Below 2^-125 the exponent wraps
/// around and the weights become zeros.
void quantize_mxfp4(const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<BlockMXFP4*>(out);
    for (int start = 0; start < chunk.n; start += 32, ++block) {
        const float* x = chunk.x + start;
        const float size = std::fabs(largest_by_size(x, 32));
        block->e = static_cast<uint8_t>(size > 0 ? floor_log2(size) + 125 : 0);
        const float d = half_of_e8m0(block->e);
        for (int i = 0; i < 16; ++i)
            block->qs[i] = static_cast<uint8_t>(nearest_fp4(x[i], d) | nearest_fp4(x[16 + i], d) << 4);
    }
}

void dequantize_mxfp4(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockMXFP4*>(in);
    for (int start = 0; start < n; start += 32, ++block)
        for (int i = 0; i < 32; ++i)
            x[start + i] = TWICE_FP4[block->qs[i % 16] >> i / 16 * 4 & 15] * half_of_e8m0(block->e);
}

void dequantize_nvfp4(const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const BlockNVFP4*>(in);
    for (int start = 0; start < n; start += 64, ++block) {
        for (int i = 0; i < 64; ++i) {
            const int q = block->qs[i / 16 * 8 + i % 8] >> i % 16 / 8 * 4 & 15;
            x[start + i] = TWICE_FP4[q] * half_of_ue4m3(block->d[i / 16]);
        }
    }
}

}  // namespace ggufpress::scalar
