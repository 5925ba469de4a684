// Super-blocks as the kernels of K types take them: one per lane on the way in, one after another on the way out.
#pragma once

#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

/// Up to W super-blocks of a chunk. Lanes past the end repeat the first; what they make is thrown away.
struct Batch {
    const float* x[W];
    const float* importance[W];
    int lanes;
};

static inline Batch batch_of(const Chunk& chunk, int first) {
    Batch batch;
    const int left = chunk.n / SUPER - first;
    batch.lanes = left < W ? left : W;
    for (int i = 0; i < W; ++i) {
        const int start = SUPER * (first + (i < batch.lanes ? i : 0));
        batch.x[i] = chunk.x + start;
        batch.importance[i] = chunk.importance ? chunk.importance + start : nullptr;
    }
    return batch;
}

/// Sum of the squares of each super-block, in order.
static inline F sum_of_squares(const float* const (&from)[W]) {
    F sum{};
    for (int k = 0; k < SUPER; k += W) {
        F x[W];
        load_transposed<W>(from, k, x);
        for (int i = 0; i < W; ++i) sum += x[i] * x[i];
    }
    return sum;
}

/// Leaves the super-block of one lane to its scalar kernel.
static inline void specify(const Batch& batch, int lane, void (*specification)(const Chunk&, uint8_t*), void* block) {
    const Chunk one = {batch.x[lane], batch.importance[lane], nullptr, SUPER};
    specification(one, static_cast<uint8_t*>(block));
}

/// What the affine fits of W super-blocks settle on: stored scales and mins, and how to round again.
template <int GROUPS>
struct AffineBatch {
    U d, dmin;
    I scale[GROUPS], min[GROUPS];
    F inverse[GROUPS], from[GROUPS];
    /// Lanes to be left to the specification.
    I extreme;
};

/// What turns the weights of one group into q: nearest_int((x + shift) / d), or for a scale of 0 as its fit did it.
struct GroupRounding {
    float d, shift, inverse, from;

    template <int NMAX>
    I round(const float* x) const {
        const F v = d != 0 ? (load<F>(x) + shift) / d : inverse * (load<F>(x) - from);
        return maximum(minimum(nearest_int(v), splat(NMAX)), I{});
    }
};

}  // namespace ggufpress::GGUFPRESS_ISA
