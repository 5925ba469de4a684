// The search of scalar/grids.cpp for one group of weights with its trials in the lanes: a trial is a lane, so each
// trial's sums keep their order. Neighbouring trials mostly round to the same code; each code's neighbours are gone
// through once for all of them.
#pragma once

#include <cfloat>

#include "../grids/rules.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

/// A group as the search sees it.
struct Sizes {
    alignas(64) float size[32];
    alignas(64) float w[32];
    alignas(64) float root_w[32];
    uint8_t signs[4];
    float largest;
};

/// nearest_point of scalar/grid_search.hpp for one code, with each term computed once.
template <const GridRules& R>
static inline int nearest_point(const Grid& grid, int code, const float* size, const float* root_w, float scale) {
    if (grid.index_of(code) >= 0) return code;
    float terms[R.dims][8];
    for (int i = 0; i < R.dims; ++i) {
        for (int q = 0; q < R.levels; ++q) {
            const float diff = scale * static_cast<float>(2 * q + 1) - size[i];
            terms[i][q] = root_w[i] * diff * diff;
        }
    }
    constexpr int BITS = R.bits(), MASK = (1 << BITS) - 1;
    const Grid::Neighbours neighbours = grid.neighbours_of(code);
    float best = FLT_MAX;
    int point = neighbours.codes[0];
    for (int j = 0; j < neighbours.count; ++j) {
        const int candidate = neighbours.codes[j];
        float error = terms[0][candidate & MASK];
#pragma GCC unroll 8
        for (int i = 1; i < R.dims; ++i) error += terms[i][candidate >> BITS * i & MASK];
        point = error < best ? candidate : point;
        best = error < best ? error : best;
    }
    return point;
}

template <const GridRules& R>
class GridTrials {
    static constexpr int COUNT = 2 * R.reach + 1, T = (COUNT + W - 1) / W;
    static constexpr int BITS = R.bits(), MASK = (1 << BITS) - 1;
    static_assert(T * W <= 64);

public:
    /// Runs all trials. largest: what the trial scales divide.
    GridTrials(const Grid& grid, const Sizes& group, float largest) : grid_(grid), group_(group) {
        for (int t = 0; t < T; ++t) {
            F trial{};
            for (int i = 0; i < W; ++i) trial[i] = static_cast<float>(t * W + i < COUNT ? t * W + i - R.reach : R.reach);
            inverse_[t] = (R.top() + trial * R.step) / largest;
            scale_[t] = 1 / inverse_[t];
        }
        for (int p = 0; p < R.points(); ++p) snap(p);
        sum_up();
    }

    /// Scale, codes and what is off the grid of the best trial; left as they are where none beats nothing.
    void best(float& scale, int* codes, bool* off_grid) const {
        alignas(64) float sum_qx[T * W], sum_q2[T * W];
        for (int t = 0; t < T; ++t) {
            store(sum_qx + t * W, sum_qx_[t]);
            store(sum_q2 + t * W, sum_q2_[t]);
        }
        int chosen = -1;
        float most = 0;
        for (int trial = 0; trial < COUNT; ++trial) {
            if (!(sum_q2[trial] > 0 && sum_qx[trial] * sum_qx[trial] > most * sum_q2[trial])) continue;
            scale = sum_qx[trial] / sum_q2[trial];
            most = scale * sum_qx[trial];
            chosen = trial;
        }
        if (chosen < 0) return;
        for (int p = 0; p < R.points(); ++p) {
            codes[p] = snapped_[p][chosen / W][chosen % W];
            off_grid[p] = off_grid_[p] >> chosen & 1;
        }
    }

private:
    const Grid& grid_;
    const Sizes& group_;
    F inverse_[T], scale_[T];
    I snapped_[R.points()][T];
    /// A bit per trial.
    uint64_t off_grid_[R.points()];
    F sum_qx_[T], sum_q2_[T];

    void snap(int p) {
        /// Weighted squared error of weight i as digit q.
        F terms[R.dims][R.levels][T];
        I code[T];
        alignas(64) int codes[T * W];
        for (int t = 0; t < T; ++t) {
            code[t] = I{};
            for (int i = 0; i < R.dims; ++i) {
                const float x = group_.size[R.dims * p + i], w = group_.root_w[R.dims * p + i];
                const I l = nearest_int(0.5f * (inverse_[t] * x - 1));
                code[t] |= maximum(minimum(l, splat(R.levels - 1)), I{}) << BITS * i;
#pragma GCC unroll 8
                for (int q = 0; q < R.levels; ++q) {
                    const F diff = scale_[t] * static_cast<float>(2 * q + 1) - x;
                    terms[i][q][t] = w * diff * diff;
                }
            }
            store(codes + t * W, code[t]);
            snapped_[p][t] = code[t];
        }
        off_grid_[p] = 0;
        uint64_t left = ~uint64_t{0} >> (64 - COUNT);
        while (left != 0) {
            const int now = codes[__builtin_ctzll(left)];
            I same[T];
            uint64_t all = 0, bits[T];
            for (int t = 0; t < T; ++t) {
                same[t] = code[t] == now;
                bits[t] = static_cast<uint64_t>(lane_bits(same[t])) << t * W;
                all |= bits[t];
            }
            left &= ~all;
            if (grid_.index_of(now) >= 0) continue;
            off_grid_[p] |= all;
            const Grid::Neighbours neighbours = grid_.neighbours_of(now);
            for (int t = 0; t < T; ++t)
                if (bits[t] != 0) snapped_[p][t] = select(same[t], nearest(terms, t, neighbours), snapped_[p][t]);
        }
    }

    /// Per lane the code of the best neighbour.
    static I nearest(const F (&terms)[R.dims][R.levels][T], int t, const Grid::Neighbours& neighbours) {
        F best = splat(FLT_MAX);
        I point = splat(static_cast<int>(neighbours.codes[0]));
        for (int j = 0; j < neighbours.count; ++j) {
            const int candidate = neighbours.codes[j];
            F error = terms[0][candidate & MASK][t];
#pragma GCC unroll 8
            for (int i = 1; i < R.dims; ++i) error += terms[i][candidate >> BITS * i & MASK][t];
            const I better = error < best;
            point = select(better, splat(candidate), point);
            best = select(better, error, best);
        }
        return point;
    }

    void sum_up() {
        for (int t = 0; t < T; ++t) sum_qx_[t] = sum_q2_[t] = F{};
        for (int i = 0; i < R.group; ++i) {
            const float w = group_.w[i], wx = w * group_.size[i];
#pragma GCC unroll 8
            for (int t = 0; t < T; ++t) {
                const F q = to_float((snapped_[i / R.dims][t] >> BITS * (i % R.dims) & MASK) * 2 + 1);
                sum_qx_[t] += wx * q;
                sum_q2_[t] += w * q * q;
            }
        }
    }
};

}  // namespace ggufpress::GGUFPRESS_ISA
