// What the IQ2 and IQ3 types have in common, and where they differ. Facts from ggml/src/ggml-quants.c.
#pragma once

#include "grid.hpp"

namespace ggufpress {

/// When the weights of a group are put on the grid once more, with the scale that the trials ended with.
enum class Again { ALWAYS, POINTS_OFF_GRID, ALL_IF_ANY_OFF_GRID };

/// A super-block has groups of `group` weights with a scale of 4 bits each. The sizes of the weights of a group are put
/// on the grid with 2 * reach + 1 trial scales that make the largest size top + step * trial, the best is kept.
struct GridRules {
    const Grid& (*grid)();
    /// Weights per point of the grid.
    int dims;
    int group;
    /// Digits are below it; digit q stands for 2 * q + 1.
    int levels;
    int reach;
    float step;
    /// Groups of smaller weights count as zero.
    float tiny;
    /// Whether an eighth sign follows from seven: there must be an even number of minus signs in eight weights.
    bool even_signs;
    /// Whether the trials start from a fit without grid instead of the largest size.
    bool fit_first;
    Again again;
    /// In the weight of x, that is importance * sqrt(factor * mean square + x * x).
    float mean_sq_factor;
    /// Without importance the weight is share * mean square + x * x.
    float mean_sq_share;
    /// The stored scale of a super-block is this much larger than the one that group scales are counted in.
    float fudge;
    /// Whether a super-block whose scales are all zero still stores points and signs.
    bool keeps_points_of_zero;

    constexpr float top() const { return static_cast<float>(2 * levels - 1); }
    /// Bits of a digit in a code.
    constexpr int bits() const { return dims == 8 ? 2 : 3; }
    constexpr int points() const { return group / dims; }
};

constexpr GridRules IQ2_XXS_RULES = {grid_of_iq2_xxs, 8, 32, 3, 6, 0.1f, 1e-15f, true, true, Again::ALWAYS,
                                     1, 0, 1, false};
constexpr GridRules IQ2_XS_RULES = {grid_of_iq2_xs, 8, 16, 3, 9, 0.1f, 1e-15f, true, false, Again::POINTS_OFF_GRID,
                                    1, 0, 1, false};
constexpr GridRules IQ2_S_RULES = {grid_of_iq2_s, 8, 16, 3, 9, 0.1f, 1e-8f, false, false, Again::POINTS_OFF_GRID,
                                   2, 0.25f, 0.9875f, true};
constexpr GridRules IQ3_XXS_RULES = {grid_of_iq3_xxs, 4, 32, 8, 15, 0.2f, 1e-8f, true, false, Again::POINTS_OFF_GRID,
                                     2, 0, 1.0125f, false};
constexpr GridRules IQ3_S_RULES = {grid_of_iq3_s, 4, 32, 8, 9, 0.2f, 0, false, false, Again::ALL_IF_ANY_OFF_GRID,
                                   2, 0, 1.033f, true};

/// What a group of 16 or 32 weights became: weights are scale * sign * value of a point of the grid.
struct GridGroup {
    float scale;
    /// Indices of points.
    uint16_t points[8];
    /// A bit per weight, set for minus; with even_signs only seven of eight.
    uint8_t signs[4];
    /// Set where the weights count as zero; then everything else is zero.
    bool zero;
};

}  // namespace ggufpress
