// The IQ2 and IQ3 types; see scalar/grids.cpp for what each step makes.
#include "../grids/blocks.hpp"
#include "batch.hpp"
#include "fit.hpp"
#include "grid_fit.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

/// Splits the weights of a group into sizes and signs, and weighs them.
template <const GridRules& R>
static inline void prepare(const float* x, const float* importance, float mean_sq, Sizes& group) {
    alignas(64) float share[32];
    uint32_t minus = 0;
    for (int i = 0; i < R.group; i += W) {
        const F v = load<F>(x + i);
        const F w = importance ? load<F>(importance + i) * square_root(mean_sq + v * v)
                               : R.mean_sq_share * mean_sq + v * v;
        store(group.w + i, w);
        store(group.root_w + i, square_root(w));
        store(group.size + i, abs(v));
        if (R.even_signs) store(share + i, w * v * v);
        minus |= lane_bits(v < 0) << i;
    }
    for (int p = 0; p < R.group / 8; ++p) {
        unsigned signs = minus >> 8 * p & 255;
        if (R.even_signs) {
            if (__builtin_popcount(signs) % 2 == 1) {
                int least = 0;
                for (int i = 1; i < 8; ++i)
                    if (share[8 * p + i] < share[8 * p + least]) least = i;
                group.size[8 * p + least] = -group.size[8 * p + least];
                signs ^= 1u << least;
            }
            signs &= 127;
        }
        group.signs[p] = static_cast<uint8_t>(signs);
    }
    F most = load<F>(group.size);
    for (int i = W; i < R.group; i += W) most = maximum(most, load<F>(group.size + i));
    group.largest = largest(most);
}

/// With R.fit_first, what the trials divide instead of the largest size; it may be 0.
template <const GridRules& R>
static inline void fit_without_grid(Sizes (&groups)[16]) {
    constexpr int COUNT = SUPER / R.group;
    for (int first = 0; first < COUNT; first += W) {
        const float *sizes[W], *weights[W];
        for (int i = 0; i < W; ++i) {
            const Sizes& group = groups[first + i < COUNT ? first + i : first];
            sizes[i] = group.size;
            weights[i] = group.w;
        }
        F x[R.group], w[R.group];
        I unused[R.group];
        load_transposed<R.group>(sizes, 0, x);
        load_transposed<R.group>(weights, 0, w);
        const F scale = fit_positive<R.group, R.levels + 1>(x, w, unused) * static_cast<float>(R.levels);
        for (int i = 0; i < W && first + i < COUNT; ++i) groups[first + i].largest = scale[i];
    }
}

template <const GridRules& R>
static inline GridGroup fit_group(const Grid& grid, const Sizes& group) {
    GridGroup result = {};
    const GridTrials<R> trials(grid, group, group.largest);
    int codes[8] = {};
    bool off_grid[8];
    for (bool& off : off_grid) off = R.again != Again::POINTS_OFF_GRID;
    float scale = group.largest / (R.fit_first ? static_cast<float>(R.levels) : R.top());
    trials.best(scale, codes, off_grid);

    bool again = R.again == Again::ALWAYS;
    for (int p = 0; p < R.points(); ++p) again = again || off_grid[p];
    if (again && scale > 0) {
        const float inverse = 1 / scale;
        float sum_qx = 0, sum_q2 = 0;
        for (int p = 0; p < R.points(); ++p) {
            const float *size = group.size + R.dims * p, *w = group.w + R.dims * p;
            if (R.again != Again::POINTS_OFF_GRID || off_grid[p]) {
                int code = 0;
                for (int i = 0; i < R.dims; ++i) {
                    const int l = nearest_int(0.5f * (inverse * size[i] - 1));
                    code |= (l < 0 ? 0 : l > R.levels - 1 ? R.levels - 1 : l) << grid.bits() * i;
                }
                codes[p] = nearest_point<R>(grid, code, size, group.root_w + R.dims * p, scale);
            }
            for (int i = 0; i < R.dims; ++i) {
                const auto q = static_cast<float>(2 * grid.digit(codes[p], i) + 1);
                sum_qx += w[i] * size[i] * q;
                sum_q2 += w[i] * q * q;
            }
        }
        if (sum_q2 > 0) scale = sum_qx / sum_q2;
    }
    const int flip = scale < 0 ? R.even_signs ? 127 : 255 : 0;
    result.scale = scale != scale ? 0 : scale < 0 ? -scale : scale;
    for (int p = 0; p < R.points(); ++p) result.points[p] = static_cast<uint16_t>(grid.index_of(codes[p]));
    for (int i = 0; i < R.group / 8; ++i) result.signs[i] = static_cast<uint8_t>(group.signs[i] ^ flip);
    return result;
}

template <const GridRules& R, class Block>
static inline void quantize_on_grid(const Chunk& chunk, uint8_t* out) {
    const Grid& grid = R.grid();
    auto* blocks = reinterpret_cast<Block*>(out);
    for (int first = 0; first < chunk.n / SUPER; first += W) {
        const Batch batch = batch_of(chunk, first);
        const F mean_sq = R.mean_sq_factor * sum_of_squares(batch.x) / SUPER;
        for (int lane = 0; lane < batch.lanes; ++lane) {
            constexpr int COUNT = SUPER / R.group;
            Sizes sizes[16];
            bool zero[16];
            GridGroup groups[16] = {};
            for (int g = 0; g < COUNT; ++g) {
                const float* importance = batch.importance[lane] ? batch.importance[lane] + R.group * g : nullptr;
                prepare<R>(batch.x[lane] + R.group * g, importance, mean_sq[lane], sizes[g]);
                zero[g] = !(sizes[g].largest > 0) || sizes[g].largest < R.tiny;
            }
            if (R.fit_first) fit_without_grid<R>(sizes);
            for (int g = 0; g < COUNT; ++g) {
                if (zero[g] || sizes[g].largest <= 0)
                    groups[g].zero = true;
                else
                    groups[g] = fit_group<R>(grid, sizes[g]);
            }
            store_super_block(R, groups, blocks[first + lane]);
        }
    }
}

void quantize_iq2_xxs(const Chunk& chunk, uint8_t* out) { quantize_on_grid<IQ2_XXS_RULES, BlockIQ2_XXS>(chunk, out); }

void quantize_iq2_xs(const Chunk& chunk, uint8_t* out) { quantize_on_grid<IQ2_XS_RULES, BlockIQ2_XS>(chunk, out); }

void quantize_iq2_s(const Chunk& chunk, uint8_t* out) { quantize_on_grid<IQ2_S_RULES, BlockIQ2_S>(chunk, out); }

void quantize_iq3_xxs(const Chunk& chunk, uint8_t* out) { quantize_on_grid<IQ3_XXS_RULES, BlockIQ3_XXS>(chunk, out); }

void quantize_iq3_s(const Chunk& chunk, uint8_t* out) { quantize_on_grid<IQ3_S_RULES, BlockIQ3_S>(chunk, out); }

}  // namespace ggufpress::GGUFPRESS_ISA
