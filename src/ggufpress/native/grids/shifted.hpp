// What IQ1_S and IQ1_M have in common, and how their groups lie in a block. Facts from ggml/src/ggml-quants.c. Compiled
// for several instruction sets, so nothing here may be merged by the linker.
#pragma once

#include <cstring>

#include "../blocks.hpp"
#include "../numbers.hpp"
#include "grid.hpp"

namespace ggufpress {

/// Groups whose largest size is smaller count as zero.
constexpr float TINY_IQ1_S = 1e-12f;
constexpr float TINY_IQ1_M = 1e-7f;

/// Values of the digits 0, 1, 2: shifted up, shifted down.
constexpr float SHIFTED[2][3] = {{-0.875f, 0.125f, 1.125f}, {-1.125f, -0.125f, 0.875f}};

/// What a group became. A group of zeros has scale 0 and nothing else.
struct ShiftedGroup {
    float scale;
    /// Indices of points: four in 32 weights, two in 16.
    uint16_t points[4];
    /// Which of SHIFTED each point uses.
    uint8_t down[4];
};

/// Finds the best scale once more, after points moved.
static inline void fit_again(ShiftedGroup& group, const int* codes, const float* x, const float* w, int n) {
    float sum_qx = 0, sum_q2 = 0;
    for (int i = 0; i < n; ++i) {
        const float q = SHIFTED[group.down[i / 8]][codes[i / 8] >> i % 8 * 2 & 3];
        sum_qx += w[i] * q * x[i];
        sum_q2 += w[i] * q * q;
    }
    if (sum_qx > 0 && sum_q2 > 0) group.scale = sum_qx / sum_q2;
}

static inline float largest_scale(const ShiftedGroup* groups, int count) {
    float largest = 0;
    for (int g = 0; g < count; ++g) largest = largest > groups[g].scale ? largest : groups[g].scale;
    return largest;
}

/// The stored bits l of a scale: 2 * l + 1 = 1, 3 ... 15 in units of d.
static inline int stored_scale(float scale, float inverse_d) {
    const int l = nearest_int(0.5f * (inverse_d * scale - 1));
    return l < 0 ? 0 : l > 7 ? 7 : l;
}

static inline void store_iq1_s(const ShiftedGroup* groups, const float*, const float*, BlockIQ1_S& block) {
    const float largest = largest_scale(groups, 8), d = largest / 15;
    block.d = to_f16(d * 1.125f);
    for (int g = 0; g < 8; ++g) {
        int high = 0;
        for (int p = 0; p < 4; ++p) {
            block.qs[4 * g + p] = static_cast<uint8_t>(groups[g].points[p]);
            high |= groups[g].points[p] >> 8 << 3 * p;
        }
        if (largest != 0) high |= stored_scale(groups[g].scale, 1 / d) << 12 | groups[g].down[0] << 15;
        block.qh[g] = static_cast<uint16_t>(high);
    }
}

/// d is fitted once more to all weights, given everything else.
static inline void store_iq1_m(const ShiftedGroup* groups, const float* x, const float* w, BlockIQ1_M& block) {
    const Grid& grid = grid_of_iq1();
    const float largest = largest_scale(groups, 16);
    float d = largest / 15;
    const float inverse = 1 / d;
    std::memset(block.scales, 0, sizeof block.scales);
    float sum_qx = 0, sum_q2 = 0;
    for (int g = 0; g < 16; ++g) {
        int high = 0;
        for (int p = 0; p < 2; ++p) {
            block.qs[2 * g + p] = static_cast<uint8_t>(groups[g].points[p]);
            high |= groups[g].points[p] >> 8 << 4 * p;
            if (largest != 0) high |= groups[g].down[p] << (4 * p + 3);
        }
        block.qh[g] = static_cast<uint8_t>(high);
        if (largest == 0) continue;
        const int scale = stored_scale(groups[g].scale, inverse);
        block.scales[g / 4] = static_cast<uint16_t>(block.scales[g / 4] | scale << g % 4 * 3);
        for (int i = 0; i < 16; ++i) {
            const int code = grid.point(groups[g].points[i / 8]), at = 16 * g + i;
            const float q = SHIFTED[groups[g].down[i / 8]][code >> i % 8 * 2 & 3] * static_cast<float>(2 * scale + 1);
            sum_qx += w[at] * q * x[at];
            sum_q2 += w[at] * q * q;
        }
    }
    if (largest == 0) return;
    if (sum_q2 > 0) d = sum_qx / sum_q2;
    const uint16_t half = to_f16(d * 1.1125f);
    for (int i = 0; i < 4; ++i)
        block.scales[i] = static_cast<uint16_t>(block.scales[i] | (half >> 4 * i & 15) << 12);
}

}  // namespace ggufpress
