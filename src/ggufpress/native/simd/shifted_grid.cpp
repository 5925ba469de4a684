// IQ1_S and IQ1_M; see scalar/shifted_grid.cpp for what each step makes. W groups are sorted and split side by side,
// one per lane; then the points of each group are found one after another, with the neighbours in the lanes.
#include <cfloat>

#include "../grids/shifted.hpp"
#include "batch.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

/// Weights of W groups, each lane's sorted by size; equal ones keep their order.
template <int N>
struct Sorted {
    F x[N], w[N];
    /// Where in its group each weight was.
    I from[N];

    void compare(int a, int b) {
        const I swap = (x[a] > x[b]) | ((x[a] == x[b]) & (from[a] > from[b]));
        const F low = select(swap, x[b], x[a]), low_w = select(swap, w[b], w[a]);
        const I low_from = select(swap, from[b], from[a]);
        x[b] = select(swap, x[a], x[b]);
        w[b] = select(swap, w[a], w[b]);
        from[b] = select(swap, from[a], from[b]);
        x[a] = low;
        w[a] = low_w;
        from[a] = low_from;
    }

    /// Batcher's odd-even merge sort.
    void sort() {
        for (int run = 1; run < N; run *= 2)
            for (int step = run; step >= 1; step /= 2)
                for (int j = step % run; j + step < N; j += 2 * step)
                    for (int i = j; i < j + step && i + step < N; ++i)
                        if (i / (2 * run) == (i + step) / (2 * run)) compare(i, i + step);
    }
};

/// The best split of each lane; where is -1 in lanes that found none.
struct Splits {
    F scale{}, score = splat(-FLT_MAX);
    /// first << 16 | second << 8 | shifts
    I where = splat(-1);

    void consider(F sum_qx, F sum_q2, int i1, int i2, int shifts) {
        const I better = (sum_q2 > 0) & (sum_qx * sum_qx > score * sum_q2);
        if (!any(better)) return;
        const F candidate = sum_qx / sum_q2;
        scale = select(better, candidate, scale);
        score = select(better, candidate * sum_qx, score);
        where = select(better, splat(i1 << 16 | i2 << 8 | shifts), where);
    }
};

static inline Splits best_splits(const Sorted<32>& groups) {
    F sum_x[33], sum_w[33], last_x[2][33], last_w[2][33];
    sum_x[0] = sum_w[0] = F{};
    for (int j = 0; j < 32; ++j) {
        sum_x[j + 1] = sum_x[j] + groups.w[j] * groups.x[j];
        sum_w[j + 1] = sum_w[j] + groups.w[j];
    }
    for (int down = 0; down < 2; ++down) {
        const float v = SHIFTED[down][2];
        for (int j = 0; j <= 32; ++j) {
            last_x[down][j] = (sum_x[32] - sum_x[j]) * v;
            last_w[down][j] = (sum_w[32] - sum_w[j]) * v * v;
        }
    }
    Splits best;
    for (int i1 = 0; i1 <= 32; ++i1) {
        const F x_up = sum_x[i1] * SHIFTED[0][0], x_down = sum_x[i1] * SHIFTED[1][0];
        const F w_up = sum_w[i1] * SHIFTED[0][0] * SHIFTED[0][0], w_down = sum_w[i1] * SHIFTED[1][0] * SHIFTED[1][0];
        for (int i2 = i1; i2 <= 32; ++i2) {
            // The middle values are an eighth, up or down.
            const F x = (sum_x[i2] - sum_x[i1]) * 0.125f, w = (sum_w[i2] - sum_w[i1]) * 0.125f * 0.125f;
            best.consider(x_up + x + last_x[0][i2], w_up + w + last_w[0][i2], i1, i2, 0);
            best.consider(x_down - x + last_x[1][i2], w_down + w + last_w[1][i2], i1, i2, 1);
        }
    }
    return best;
}

static inline Splits best_splits(const Sorted<16>& groups) {
    F sum_x[2][17], sum_w[2][17];
    for (int half = 0; half < 2; ++half) {
        sum_x[half][0] = sum_w[half][0] = F{};
        for (int j = 0; j < 16; ++j) {
            const I mine = (groups.from[j] < 8) == (half == 0 ? splat(-1) : I{});
            const F x = sum_x[half][j], w = sum_w[half][j];
            sum_x[half][j + 1] = select(mine, x + groups.w[j] * groups.x[j], x);
            sum_w[half][j + 1] = select(mine, w + groups.w[j], w);
        }
    }
    Splits best;
    for (int i1 = 0; i1 <= 16; ++i1) {
        for (int i2 = i1; i2 <= 16; ++i2) {
            F qx[2][2], q2[2][2];
            for (int half = 0; half < 2; ++half) {
                for (int down = 0; down < 2; ++down) {
                    const float* v = SHIFTED[down];
                    const F *sx = sum_x[half], *sw = sum_w[half];
                    qx[half][down] = sx[16] * v[2] - (sx[i1] + sx[i2]);
                    q2[half][down] = sw[16] * v[2] * v[2] + sw[i1] * (v[0] * v[0] - v[1] * v[1]) +
                                     sw[i2] * (v[1] * v[1] - v[2] * v[2]);
                }
            }
            for (int shifts = 0; shifts < 4; ++shifts)
                best.consider(qx[0][shifts >> 1] + qx[1][shifts & 1], q2[0][shifts >> 1] + q2[1][shifts & 1], i1, i2,
                              shifts);
        }
    }
    return best;
}

/// The first of the neighbours with the smallest error, as nearest_shifted of scalar/shifted_grid.cpp.
static inline int nearest_neighbour(const Grid::Neighbours& neighbours, const float* x, const float* w, float scale,
                                    const float* values) {
    float terms[8][4] = {};
    for (int i = 0; i < 8; ++i) {
        for (int digit = 0; digit < 3; ++digit) {
            const float diff = scale * values[digit] - x[i];
            terms[i][digit] = w[i] * diff * diff;
        }
    }
    static_assert(W <= READ_AHEAD);
    const I lane = lane_numbers();
    F best = splat(FLT_MAX);
    I place = splat(neighbours.count);
    for (int j = 0; j < neighbours.count; j += W) {
        const I codes = __builtin_convertvector(load<H>(neighbours.codes + j), I);
        F error = pick_of_4(terms[0], codes);
#pragma GCC unroll 8
        for (int i = 1; i < 8; ++i) error += pick_of_4(terms[i], codes >> 2 * i);
        const I better = (error < best) & (lane + j < neighbours.count);
        best = select(better, error, best);
        place = select(better, lane + j, place);
    }
    const float least = -largest(-best);
    int first = neighbours.count;
    for (int i = 0; i < W; ++i)
        if (best[i] == least && place[i] < first) first = place[i];
    return neighbours.codes[first < neighbours.count ? first : 0];
}

/// Puts one group, whose lane was split, on the grid.
template <int N>
static inline ShiftedGroup place_group(const Grid& grid, const Sorted<N>& sorted, const Splits& splits, int lane,
                                       const float* x, const float* w) {
    ShiftedGroup group = {};
    const int where = splits.where[lane], first = where >> 16, second = where >> 8 & 255;
    int shifts = where & 255, codes[4] = {};
    group.scale = splits.scale[lane];
    const bool flip = group.scale < 0;
    if (flip) {
        group.scale = -group.scale;
        shifts = N == 32 ? 1 - shifts : 3 - shifts;
    }
    for (int j = 0; j < N; ++j) {
        const int digit = j < first ? 0 : j < second ? 1 : 2, i = sorted.from[j][lane];
        codes[i / 8] |= (flip ? 2 - digit : digit) << i % 8 * 2;
    }
    bool moved = false;
    for (int p = 0; p < N / 8; ++p) {
        group.down[p] = static_cast<uint8_t>(N == 32 ? shifts : shifts >> (1 - p) & 1);
        if (grid.index_of(codes[p]) < 0) {
            moved = true;
            codes[p] = nearest_neighbour(grid.neighbours_of(codes[p]), x + 8 * p, w + 8 * p, group.scale,
                                         SHIFTED[group.down[p]]);
        }
        group.points[p] = static_cast<uint16_t>(grid.index_of(codes[p]));
    }
    if (moved) fit_again(group, codes, x, w, N);
    return group;
}

template <int N, class Block, class Store>
static inline void quantize_shifted(const Chunk& chunk, uint8_t* out, float tiny, Store store_block) {
    const Grid& grid = grid_of_iq1();
    alignas(64) float w[CHUNK];
    ShiftedGroup groups[CHUNK / N];
    for (int first = 0; first < chunk.n / SUPER; first += W) {
        const Batch batch = batch_of(chunk, first);
        const F mean_sq = 2 * sum_of_squares(batch.x) / SUPER;
        for (int lane = 0; lane < batch.lanes; ++lane) {
            const float* x = batch.x[lane];
            for (int i = 0; i < SUPER; i += W) {
                const F v = load<F>(x + i);
                store(w + SUPER * (first + lane) + i,
                      chunk.importance ? load<F>(batch.importance[lane] + i) * square_root(mean_sq[lane] + v * v)
                                       : v * v);
            }
        }
    }
    const int count = chunk.n / N;
    for (int first = 0; first < count; first += W) {
        const int lanes = count - first < W ? count - first : W;
        const float *xs[W], *ws[W];
        for (int i = 0; i < W; ++i) {
            const int g = first + (i < lanes ? i : 0);
            xs[i] = chunk.x + N * g;
            ws[i] = w + N * g;
        }
        Sorted<N> sorted;
        load_transposed<N>(xs, 0, sorted.x);
        load_transposed<N>(ws, 0, sorted.w);
        F size{};
        for (int i = 0; i < N; ++i) {
            size = maximum(size, abs(sorted.x[i]));
            sorted.from[i] = splat(i);
        }
        sorted.sort();
        const Splits splits = best_splits(sorted);
        for (int i = 0; i < lanes; ++i) {
            const bool zero = size[i] < tiny || splits.where[i] < 0;
            groups[first + i] = zero ? ShiftedGroup{} : place_group<N>(grid, sorted, splits, i, xs[i], ws[i]);
        }
    }
    for (int b = 0; b < chunk.n / SUPER; ++b)
        store_block(groups + SUPER / N * b, chunk.x + SUPER * b, w + SUPER * b, reinterpret_cast<Block*>(out)[b]);
}

void quantize_iq1_s(const Chunk& chunk, uint8_t* out) {
    quantize_shifted<32, BlockIQ1_S>(chunk, out, TINY_IQ1_S, store_iq1_s);
}

void quantize_iq1_m(const Chunk& chunk, uint8_t* out) {
    quantize_shifted<16, BlockIQ1_M>(chunk, out, TINY_IQ1_M, store_iq1_m);
}

}  // namespace ggufpress::GGUFPRESS_ISA
