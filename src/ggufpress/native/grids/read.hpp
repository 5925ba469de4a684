// Blocks on a grid, point by point. Compiled for several instruction sets, so nothing here may be merged by the linker.
#pragma once

#include "../blocks.hpp"
#include "../numbers.hpp"

namespace ggufpress {

/// Seven signs and the eighth that makes the number of minus signs even.
static inline int complete_signs(uint32_t bits) {
    const uint32_t seven = bits & 127, fold = seven ^ seven >> 4, pairs = fold ^ fold >> 2;
    return static_cast<int>(seven | ((pairs ^ pairs >> 1) & 1) << 7);
}

/// A scale of 4 bits as the IQ2 types mean it.
static inline float scale_iq2(uint16_t d, int scale) { return from_f16(d) * (0.5f + static_cast<float>(scale)) * 0.25f; }

/// Calls write(number of the point, its index, signs as low bits, scale) for each point of a block, in order.
template <class Write>
static inline void each_point(const BlockIQ2_XXS& block, Write write) {
    for (int i = 0; i < 32; ++i) {
        const uint32_t signs = block.qs[i / 4 * 2 + 1];
        const int point = block.qs[i / 4 * 2] >> i % 4 * 8 & 255;
        write(i, point, complete_signs(signs >> i % 4 * 7), scale_iq2(block.d, static_cast<int>(signs >> 28)));
    }
}

template <class Write>
static inline void each_point(const BlockIQ2_XS& block, Write write) {
    for (int i = 0; i < 32; ++i) {
        const uint32_t q = block.qs[i];
        write(i, q & 511, complete_signs(q >> 9), scale_iq2(block.d, block.scales[i / 4] >> i / 2 % 2 * 4 & 15));
    }
}

template <class Write>
static inline void each_point(const BlockIQ2_S& block, Write write) {
    for (int i = 0; i < 32; ++i) {
        const int point = block.qs[i] | (block.qh[i / 4] >> i % 4 * 2 & 3) << 8;
        write(i, point, block.signs[i], scale_iq2(block.d, block.scales[i / 4] >> i / 2 % 2 * 4 & 15));
    }
}

template <class Write>
static inline void each_point(const BlockIQ3_XXS& block, Write write) {
    for (int i = 0; i < 64; ++i) {
        const uint32_t signs = block.scales[i / 8];
        const float scale = from_f16(block.d) * (0.5f + static_cast<float>(signs >> 28)) * 0.5f;
        write(i, block.qs[i], complete_signs(signs >> i % 8 / 2 * 7) >> i % 2 * 4, scale);
    }
}

template <class Write>
static inline void each_point(const BlockIQ3_S& block, Write write) {
    for (int i = 0; i < 64; ++i) {
        const int point = block.qs[i] | (block.qh[i / 8] >> i % 8 & 1) << 8;
        const int scale = 1 + 2 * (block.scales[i / 16] >> i / 8 % 2 * 4 & 15);
        write(i, point, block.signs[i / 2] >> i % 2 * 4, from_f16(block.d) * static_cast<float>(scale));
    }
}

/// With the shift (an eighth, up or down) instead of signs.
template <class Write>
static inline void each_point(const BlockIQ1_S& block, Write write) {
    for (int i = 0; i < 32; ++i) {
        const int high = block.qh[i / 4];
        const float scale = from_f16(block.d) * static_cast<float>(2 * (high >> 12 & 7) + 1);
        write(i, block.qs[i] | (high >> i % 4 * 3 & 7) << 8, high >> 15 ? -0.125f : 0.125f, scale);
    }
}

template <class Write>
static inline void each_point(const BlockIQ1_M& block, Write write) {
    const float d = from_f16(block.d());
    for (int i = 0; i < 32; ++i) {
        const int high = block.qh[i / 2] >> i % 2 * 4;
        const float scale = d * static_cast<float>(2 * (block.scales[i / 8] >> i / 2 % 4 * 3 & 7) + 1);
        write(i, block.qs[i] | (high & 7) << 8, high & 8 ? -0.125f : 0.125f, scale);
    }
}

}  // namespace ggufpress
