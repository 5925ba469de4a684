// The IQ2 and IQ3 types: groups of weights whose sizes lie on a grid together. See grids/rules.hpp.
#include <cfloat>
#include <cmath>
#include <cstring>

#include "../grids/blocks.hpp"
#include "../grids/read.hpp"
#include "fit.hpp"
#include "grid_search.hpp"
#include "kernels.hpp"

namespace ggufpress::scalar {

/// Splits 8 weights into sizes and signs. To make the number of minus signs even, the weight that counts least takes the
/// wrong sign, and its size becomes negative.
static uint8_t split_signs(const float* x, const float* w, bool even_signs, float* size) {
    int signs = 0, minus = 0;
    for (int i = 0; i < 8; ++i) {
        size[i] = x[i] >= 0 ? x[i] : -x[i];
        if (x[i] >= 0) continue;
        signs |= 1 << i;
        ++minus;
    }
    if (even_signs && minus % 2 == 1) {
        int least = 0;
        for (int i = 1; i < 8; ++i)
            if (w[i] * x[i] * x[i] < w[least] * x[least] * x[least]) least = i;
        size[least] = -size[least];
        signs ^= 1 << least;
    }
    return static_cast<uint8_t>(even_signs ? signs & 127 : signs);
}

/// Best scale and points for the weights of a group; `importance` may be null.
static GridGroup fit_group(const GridRules& rules, const float* x, const float* importance, float mean_sq) {
    const Grid& grid = rules.grid();
    const int n = rules.group, points = rules.points();
    GridGroup group = {};
    float w[32], root_w[32], size[32];
    for (int i = 0; i < n; ++i) {
        w[i] = importance ? importance[i] * std::sqrt(mean_sq + x[i] * x[i])
                          : rules.mean_sq_share * mean_sq + x[i] * x[i];
        root_w[i] = std::sqrt(w[i]);
    }
    uint8_t signs[4];
    for (int i = 0; i < n; i += 8) signs[i / 8] = split_signs(x + i, w + i, rules.even_signs, size + i);
    float largest = size[0];
    for (int i = 1; i < n; ++i) largest = largest > size[i] ? largest : size[i];
    group.zero = true;
    if (!(largest > 0) || largest < rules.tiny) return group;
    if (rules.fit_first) {
        uint8_t unused[32];
        largest = fit_positive(size, w, n, rules.levels + 1, unused) * static_cast<float>(rules.levels);
        if (largest <= 0) return group;
    }

    group.zero = false;
    const auto code_at = [&](float inverse, int point) {
        int code = 0;
        for (int i = 0; i < rules.dims; ++i) {
            const int l = nearest_int(0.5f * (inverse * size[rules.dims * point + i] - 1));
            code |= clamp(l, 0, rules.levels - 1) << grid.bits() * i;
        }
        return code;
    };
    const auto on_grid = [&](int code, int point, float scale) {
        return nearest_point(grid, code, size + rules.dims * point, root_w + rules.dims * point, rules.dims, scale);
    };
    float sum_qx, sum_q2;
    const auto sums_of = [&](const int* codes) {
        sum_qx = sum_q2 = 0;
        for (int i = 0; i < n; ++i) {
            const auto q = static_cast<float>(2 * grid.digit(codes[i / rules.dims], i % rules.dims) + 1);
            sum_qx += w[i] * size[i] * q;
            sum_q2 += w[i] * q * q;
        }
    };

    int codes[8] = {};
    bool off_grid[8] = {};
    for (int p = 0; p < points; ++p) off_grid[p] = rules.again != Again::POINTS_OFF_GRID;
    float scale = rules.fit_first ? largest / static_cast<float>(rules.levels) : largest / rules.top(), best = 0;
    for (int trial = -rules.reach; trial <= rules.reach; ++trial) {
        const float inverse = (rules.top() + static_cast<float>(trial) * rules.step) / largest;
        int snapped[8];
        bool moved[8];
        for (int p = 0; p < points; ++p) {
            const int code = code_at(inverse, p);
            snapped[p] = on_grid(code, p, 1 / inverse);
            moved[p] = grid.index_of(code) < 0;
        }
        sums_of(snapped);
        if (!(sum_q2 > 0 && sum_qx * sum_qx > best * sum_q2)) continue;
        scale = sum_qx / sum_q2;
        best = scale * sum_qx;
        std::memcpy(codes, snapped, sizeof codes);
        std::memcpy(off_grid, moved, sizeof off_grid);
    }

    bool again = rules.again == Again::ALWAYS;
    for (int p = 0; p < points; ++p) again = again || off_grid[p];
    if (again && scale > 0) {
        const float inverse = 1 / scale;
        for (int p = 0; p < points; ++p)
            if (rules.again != Again::POINTS_OFF_GRID || off_grid[p]) codes[p] = on_grid(code_at(inverse, p), p, scale);
        sums_of(codes);
        if (sum_q2 > 0) scale = sum_qx / sum_q2;
    }
    const int flip = scale < 0 ? rules.even_signs ? 127 : 255 : 0;
    // A scale that is not a number, which only weights near the largest float make, is where ggml gives up.
    group.scale = std::isnan(scale) ? 0 : std::fabs(scale);
    for (int p = 0; p < points; ++p) group.points[p] = static_cast<uint16_t>(grid.index_of(codes[p]));
    for (int i = 0; i < n / 8; ++i) group.signs[i] = static_cast<uint8_t>(signs[i] ^ flip);
    return group;
}

template <class Block>
static void quantize_on_grid(const GridRules& rules, const Chunk& chunk, uint8_t* out) {
    auto* block = reinterpret_cast<Block*>(out);
    for (int start = 0; start < chunk.n; start += SUPER, ++block) {
        const float* x = chunk.x + start;
        float sum_sq = 0;
        for (int i = 0; i < SUPER; ++i) sum_sq += x[i] * x[i];
        const float mean_sq = rules.mean_sq_factor * sum_sq / SUPER;
        GridGroup groups[16];
        for (int i = 0; i < SUPER; i += rules.group)
            groups[i / rules.group] =
                fit_group(rules, x + i, chunk.importance ? chunk.importance + start + i : nullptr, mean_sq);
        store_super_block(rules, groups, *block);
    }
}

void quantize_iq2_xxs(const Chunk& chunk, uint8_t* out) { quantize_on_grid<BlockIQ2_XXS>(IQ2_XXS_RULES, chunk, out); }

void quantize_iq2_xs(const Chunk& chunk, uint8_t* out) { quantize_on_grid<BlockIQ2_XS>(IQ2_XS_RULES, chunk, out); }

void quantize_iq2_s(const Chunk& chunk, uint8_t* out) { quantize_on_grid<BlockIQ2_S>(IQ2_S_RULES, chunk, out); }

void quantize_iq3_xxs(const Chunk& chunk, uint8_t* out) { quantize_on_grid<BlockIQ3_XXS>(IQ3_XXS_RULES, chunk, out); }

void quantize_iq3_s(const Chunk& chunk, uint8_t* out) { quantize_on_grid<BlockIQ3_S>(IQ3_S_RULES, chunk, out); }

/// Each weight is scale * size at the point, with its sign.
template <class Block>
static void dequantize_on_grid(const GridRules& rules, const uint8_t* in, int n, float* x) {
    const Grid& grid = rules.grid();
    const auto* block = reinterpret_cast<const Block*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        each_point(*block, [&](int number, int point, int signs, float scale) {
            for (int i = 0; i < rules.dims; ++i) {
                const float size = scale * grid.sizes_at(point)[i];
                x[start + rules.dims * number + i] = signs >> i & 1 ? -size : size;
            }
        });
    }
}

void dequantize_iq2_xxs(const uint8_t* in, int n, float* x) {
    dequantize_on_grid<BlockIQ2_XXS>(IQ2_XXS_RULES, in, n, x);
}

void dequantize_iq2_xs(const uint8_t* in, int n, float* x) {
    dequantize_on_grid<BlockIQ2_XS>(IQ2_XS_RULES, in, n, x);
}

void dequantize_iq2_s(const uint8_t* in, int n, float* x) {
    dequantize_on_grid<BlockIQ2_S>(IQ2_S_RULES, in, n, x);
}

void dequantize_iq3_xxs(const uint8_t* in, int n, float* x) {
    dequantize_on_grid<BlockIQ3_XXS>(IQ3_XXS_RULES, in, n, x);
}

void dequantize_iq3_s(const uint8_t* in, int n, float* x) {
    dequantize_on_grid<BlockIQ3_S>(IQ3_S_RULES, in, n, x);
}

}  // namespace ggufpress::scalar
