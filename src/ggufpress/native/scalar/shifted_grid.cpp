// Types of three levels on a grid, shifted up or down by an eighth: IQ1_S with a shift per 32 weights, IQ1_M with a
// shift per 8. Facts from ggml/src/ggml-quants.c.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "../grids/read.hpp"
#include "../grids/shifted.hpp"
#include "fit.hpp"
#include "kernels.hpp"

namespace ggufpress::scalar {

/// A split of the sorted weights into digits: those before first get 0, those before second 1, the others 2.
struct Split {
    float scale = 0;
    int first = -1;
    int second = -1;
    int shifts = 0;
    float score = -FLT_MAX;

    /// Takes the candidate if its best scale explains more.
    void consider(float sum_qx, float sum_q2, int i1, int i2, int with_shifts) {
        if (!(sum_q2 > 0 && sum_qx * sum_qx > score * sum_q2)) return;
        scale = sum_qx / sum_q2;
        score = scale * sum_qx;
        first = i1;
        second = i2;
        shifts = with_shifts;
    }
};

/// The best split of 32 weights, the same shift for all; shifts is 0 (up) or 1.
static Split best_split_of_32(const float* x, const float* w, const int* order) {
    float sum_x[33] = {}, sum_w[33] = {};
    for (int j = 0; j < 32; ++j) {
        sum_x[j + 1] = sum_x[j] + w[order[j]] * x[order[j]];
        sum_w[j + 1] = sum_w[j] + w[order[j]];
    }
    Split best;
    for (int i1 = 0; i1 <= 32; ++i1) {
        for (int i2 = i1; i2 <= 32; ++i2) {
            const float x1 = sum_x[i2] - sum_x[i1], x2 = sum_x[32] - sum_x[i2];
            const float w1 = sum_w[i2] - sum_w[i1], w2 = sum_w[32] - sum_w[i2];
            for (int down = 0; down < 2; ++down) {
                const float* v = SHIFTED[down];
                best.consider(sum_x[i1] * v[0] + x1 * v[1] + x2 * v[2],
                              sum_w[i1] * v[0] * v[0] + w1 * v[1] * v[1] + w2 * v[2] * v[2], i1, i2, down);
            }
        }
    }
    return best;
}

/// The best split of 16 weights with a shift per 8; bit 1 of shifts is that of the first 8, bit 0 of the others.
static Split best_split_of_16(const float* x, const float* w, const int* order) {
    float sum_x[2][17] = {}, sum_w[2][17] = {};
    for (int j = 0; j < 16; ++j) {
        const int i = order[j];
        for (int half = 0; half < 2; ++half) {
            sum_x[half][j + 1] = i / 8 == half ? sum_x[half][j] + w[i] * x[i] : sum_x[half][j];
            sum_w[half][j + 1] = i / 8 == half ? sum_w[half][j] + w[i] : sum_w[half][j];
        }
    }
    Split best;
    for (int i1 = 0; i1 <= 16; ++i1) {
        for (int i2 = i1; i2 <= 16; ++i2) {
            // Digits differ by 1: all weights at the value of digit 2, less one for each bound passed.
            float qx[2][2], q2[2][2];
            for (int half = 0; half < 2; ++half) {
                for (int down = 0; down < 2; ++down) {
                    const float *v = SHIFTED[down], *sx = sum_x[half], *sw = sum_w[half];
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

/// The code itself if it is a point, else its nearest neighbour with the digits' shifted values.
static int nearest_shifted(const Grid& grid, int code, const float* x, const float* w, float scale, const float* values) {
    if (grid.index_of(code) >= 0) return code;
    const Grid::Neighbours neighbours = grid.neighbours_of(code);
    float best = FLT_MAX;
    int point = neighbours.codes[0];
    for (int j = 0; j < neighbours.count; ++j) {
        float error = 0;
        for (int i = 0; i < 8; ++i) {
            const float diff = scale * values[grid.digit(neighbours.codes[j], i)] - x[i];
            error += w[i] * diff * diff;
        }
        if (error < best) {
            best = error;
            point = neighbours.codes[j];
        }
    }
    return point;
}

/// Splits n = 16 or 32 weights in the best way, puts the digits on the grid, and if that moved any finds the best scale
/// again.
static ShiftedGroup fit_group(const float* x, const float* w, int n, float tiny) {
    const Grid& grid = grid_of_iq1();
    ShiftedGroup group = {};
    if (std::fabs(largest_by_size(x, n)) < tiny) return group;
    int order[32];
    for (int i = 0; i < n; ++i) order[i] = i;
    std::stable_sort(order, order + n, [&](int a, int b) { return x[a] < x[b]; });
    Split split = n == 32 ? best_split_of_32(x, w, order) : best_split_of_16(x, w, order);
    if (split.first < 0) return group;
    int digits[32];
    for (int j = 0; j < n; ++j) digits[order[j]] = j < split.first ? 0 : j < split.second ? 1 : 2;
    if (split.scale < 0) {
        for (int i = 0; i < n; ++i) digits[i] = 2 - digits[i];
        split.scale = -split.scale;
        split.shifts = n == 32 ? 1 - split.shifts : 3 - split.shifts;
    }

    bool moved = false;
    int codes[4];
    for (int p = 0; p < n / 8; ++p) {
        group.down[p] = static_cast<uint8_t>(n == 32 ? split.shifts : split.shifts >> (1 - p) & 1);
        int code = 0;
        for (int i = 0; i < 8; ++i) code |= digits[8 * p + i] << 2 * i;
        codes[p] = nearest_shifted(grid, code, x + 8 * p, w + 8 * p, split.scale, SHIFTED[group.down[p]]);
        moved = moved || grid.index_of(code) < 0;
        group.points[p] = static_cast<uint16_t>(grid.index_of(codes[p]));
    }
    group.scale = split.scale;
    if (!moved) return group;
    fit_again(group, codes, x, w, n);
    return group;
}

/// Weights of a super-block: as IQ3 types have them.
static void weights_of(const float* x, const float* importance, float (&w)[SUPER]) {
    float sum_sq = 0;
    for (int i = 0; i < SUPER; ++i) sum_sq += x[i] * x[i];
    const float mean_sq = 2 * sum_sq / SUPER;
    for (int i = 0; i < SUPER; ++i) w[i] = importance ? importance[i] * std::sqrt(mean_sq + x[i] * x[i]) : x[i] * x[i];
}

/// Fits every group of `n` weights of a chunk; x, w and the groups of a super-block go to `store`.
template <class Block, class Store>
static void quantize_shifted(const Chunk& chunk, uint8_t* out, int n, float tiny, Store store) {
    auto* block = reinterpret_cast<Block*>(out);
    for (int start = 0; start < chunk.n; start += SUPER, ++block) {
        const float* x = chunk.x + start;
        float w[SUPER];
        weights_of(x, chunk.importance ? chunk.importance + start : nullptr, w);
        ShiftedGroup groups[16];
        for (int i = 0; i < SUPER; i += n) groups[i / n] = fit_group(x + i, w + i, n, tiny);
        store(groups, x, w, *block);
    }
}

void quantize_iq1_s(const Chunk& chunk, uint8_t* out) {
    quantize_shifted<BlockIQ1_S>(chunk, out, 32, TINY_IQ1_S, store_iq1_s);
}

void quantize_iq1_m(const Chunk& chunk, uint8_t* out) {
    quantize_shifted<BlockIQ1_M>(chunk, out, 16, TINY_IQ1_M, store_iq1_m);
}

/// Each weight is scale * (-1, 0 or 1 + shift).
template <class Block>
static void dequantize_shifted(const uint8_t* in, int n, float* x) {
    const Grid& grid = grid_of_iq1();
    const auto* block = reinterpret_cast<const Block*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        each_point(*block, [&](int number, int point, float shift, float scale) {
            for (int i = 0; i < 8; ++i)
                x[start + 8 * number + i] = scale * (grid.sizes_at(point)[i] + shift);
        });
    }
}

void dequantize_iq1_s(const uint8_t* in, int n, float* x) { dequantize_shifted<BlockIQ1_S>(in, n, x); }

void dequantize_iq1_m(const uint8_t* in, int n, float* x) { dequantize_shifted<BlockIQ1_M>(in, n, x); }

}  // namespace ggufpress::scalar
