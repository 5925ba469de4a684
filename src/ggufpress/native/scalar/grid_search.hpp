// Which point of a grid some weights go to.
#pragma once

#include <cfloat>

#include "../grids/grid.hpp"

namespace ggufpress::scalar {

/// The code itself if it is a point, else of its neighbours the first with the smallest weighted squared error, where
/// x is about scale * (2 * digit + 1).
static inline int nearest_point(const Grid& grid, int code, const float* x, const float* w, int dims, float scale) {
    if (grid.index_of(code) >= 0) return code;
    const Grid::Neighbours neighbours = grid.neighbours_of(code);
    float best = FLT_MAX;
    int point = neighbours.codes[0];
    for (int j = 0; j < neighbours.count; ++j) {
        float error = 0;
        for (int i = 0; i < dims; ++i) {
            const float diff = scale * static_cast<float>(2 * grid.digit(neighbours.codes[j], i) + 1) - x[i];
            error += w[i] * diff * diff;
        }
        if (error < best) {
            best = error;
            point = neighbours.codes[j];
        }
    }
    return point;
}

}  // namespace ggufpress::scalar
