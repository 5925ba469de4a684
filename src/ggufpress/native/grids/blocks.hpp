// How groups on a grid lie in a block. Compiled for several instruction sets, so nothing here may be merged by the linker.
#pragma once

#include <cstring>

#include "../blocks.hpp"
#include "../numbers.hpp"
#include "rules.hpp"

namespace ggufpress {

/// Groups of a super-block in `groups`, their stored scales (4 bits) in `scale`; the block is zero before.
static inline void store(const GridGroup* groups, const int* scale, BlockIQ2_XXS& block) {
    for (int g = 0; g < 8; ++g) {
        uint32_t points = 0, signs = 0;
        for (int p = 0; p < 4; ++p) {
            points |= static_cast<uint32_t>(groups[g].points[p]) << 8 * p;
            signs |= static_cast<uint32_t>(groups[g].signs[p]) << 7 * p;
        }
        block.qs[2 * g] = points;
        block.qs[2 * g + 1] = signs | static_cast<uint32_t>(scale[g]) << 28;
    }
}

static inline void store_nibbles(const int* scale, int n, uint8_t* to) {
    for (int i = 0; i < n; ++i) to[i] = static_cast<uint8_t>(scale[2 * i] | scale[2 * i + 1] << 4);
}

static inline void store(const GridGroup* groups, const int* scale, BlockIQ2_XS& block) {
    for (int i = 0; i < 32; ++i)
        block.qs[i] = static_cast<uint16_t>(groups[i / 2].points[i % 2] | groups[i / 2].signs[i % 2] << 9);
    store_nibbles(scale, 8, block.scales);
}

static inline void store(const GridGroup* groups, const int* scale, BlockIQ2_S& block) {
    for (int i = 0; i < 32; ++i) {
        const int point = groups[i / 2].points[i % 2];
        block.qs[i] = static_cast<uint8_t>(point);
        block.qh[i / 4] = static_cast<uint8_t>(block.qh[i / 4] | point >> 8 << i % 4 * 2);
        block.signs[i] = groups[i / 2].signs[i % 2];
    }
    store_nibbles(scale, 8, block.scales);
}

static inline void store(const GridGroup* groups, const int* scale, BlockIQ3_XXS& block) {
    for (int i = 0; i < 64; ++i) block.qs[i] = static_cast<uint8_t>(groups[i / 8].points[i % 8]);
    for (int g = 0; g < 8; ++g) {
        uint32_t signs = 0;
        for (int p = 0; p < 4; ++p) signs |= static_cast<uint32_t>(groups[g].signs[p]) << 7 * p;
        block.scales[g] = signs | static_cast<uint32_t>(scale[g]) << 28;
    }
}

/// ggml does not step over groups of zeros: qs and signs of the groups after one lie too low, and so they must here.
static inline void store(const GridGroup* groups, const int* scale, BlockIQ3_S& block) {
    int place = 0;
    for (int g = 0; g < 8; ++g) {
        if (groups[g].zero) continue;
        for (int i = 0; i < 8; ++i) {
            const int point = groups[g].points[i];
            block.qs[8 * place + i] = static_cast<uint8_t>(point);
            block.qh[g] = static_cast<uint8_t>(block.qh[g] | point >> 8 << i);
        }
        std::memcpy(block.signs + 4 * place, groups[g].signs, 4);
        ++place;
    }
    store_nibbles(scale, 4, block.scales);
}

/// Rounds the scales of the groups to 4 bits and stores d and everything else.
template <class Block>
static inline void store_super_block(const GridRules& rules, const GridGroup* groups, Block& block) {
    std::memset(&block, 0, sizeof block);
    const int count = SUPER / rules.group;
    float largest = 0;
    for (int g = 0; g < count; ++g) largest = largest > groups[g].scale ? largest : groups[g].scale;
    int scale[16] = {};
    if (largest != 0) {
        const float d = largest / 31, inverse = 1 / d;
        block.d = to_f16(d * rules.fudge);
        for (int g = 0; g < count; ++g) {
            const int l = nearest_int(0.5f * (inverse * groups[g].scale - 1));
            scale[g] = l < 0 ? 0 : l > 15 ? 15 : l;
        }
    } else if (!rules.keeps_points_of_zero) {
        return;
    }
    store(groups, scale, block);
}

}  // namespace ggufpress
