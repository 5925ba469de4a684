// The scale searches, one group of weights at a time: the specification of simd/fit.hpp.
// Facts from ggml/src/ggml-quants.c (make_qx_quants, make_qkx2_quants, make_qkx3_quants, make_qp_quants).
// Each sum is a float sum over the group in order, and products associate as written here: both decide last bits.
#pragma once

#include <cmath>
#include <cstdint>

#include "../numbers.hpp"
#include "../trials.hpp"

namespace ggufpress::scalar {

static inline int clamp(int v, int low, int high) { return v < low ? low : v > high ? high : v; }

/// The first of n numbers of largest size, with its sign.
static inline float largest_by_size(const float* x, int n) {
    float largest = 0;
    for (int i = 0; i < n; ++i)
        if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
    return largest;
}

/// x is about scale * q - minus.
struct AffineFit {
    float scale;
    float minus;
};

/// Best scale and minimum for 0 <= q <= nmax with weighted squared error, and the q found on the way.
/// Starts from the plain range. Each trial divides the range above the best minimum so far, rounds, and solves for the
/// best line through the result; a minimum above zero is not representable and becomes zero.
static inline AffineFit fit_affine(const float* x, const float* w, int n, int nmax, const Trials& trials, uint8_t* q) {
    float low = x[0], high = x[0], sum_w = w[0], sum_x = w[0] * x[0];
    for (int i = 1; i < n; ++i) {
        if (x[i] < low) low = x[i];
        if (x[i] > high) high = x[i];
        sum_w += w[i];
        sum_x += w[i] * x[i];
    }
    if (low > 0) low = 0;
    if (high == low) {
        for (int i = 0; i < n; ++i) q[i] = 0;
        return {0.0f, -low};
    }
    const auto round_with = [&](float inverse, float min, float v) {
        return static_cast<uint8_t>(clamp(nearest_int(inverse * (v - min)), 0, nmax));
    };
    const auto round_clamped = [&](float v) {
        const float top = static_cast<float>(nmax);
        return static_cast<uint8_t>(v > 0 ? nearest_int(v < top ? v : top) : 0);
    };
    const auto error_of = [&](float scale, float min, const uint8_t* l) {
        float error = 0;
        for (int i = 0; i < n; ++i) {
            const float diff = scale * l[i] + min - x[i];
            error += w[i] * (trials.absolute ? std::fabs(diff) : diff * diff);
        }
        return error;
    };

    const float plain = nmax / (high - low);
    for (int i = 0; i < n; ++i) q[i] = round_with(plain, low, x[i]);
    float best_scale = 1 / plain, best_min = low;
    float best_error = error_of(best_scale, best_min, q);

    uint8_t l[32];
    for (int trial = 0; trial < trials.count; ++trial) {
        const float inverse = (trials.first + trials.step * trial + nmax) / (high - best_min);
        float sum_l = 0, sum_l2 = 0, sum_xl = 0;
        for (int i = 0; i < n; ++i) {
            l[i] = trials.clamp_first ? round_clamped(inverse * (x[i] - best_min)) : round_with(inverse, best_min, x[i]);
            const float wl = w[i] * l[i];
            sum_l += wl;
            sum_l2 += wl * l[i];
            sum_xl += wl * x[i];
        }
        const float det = sum_w * sum_l2 - sum_l * sum_l;
        if (!(det > 0)) continue;
        float scale = (sum_w * sum_xl - sum_x * sum_l) / det;
        float min = (sum_l2 * sum_x - sum_l * sum_xl) / det;
        if (min > 0) {
            min = 0;
            scale = sum_xl / sum_l2;
        }
        const float error = error_of(scale, min, l);
        if (error < best_error) {
            best_error = error;
            best_scale = scale;
            best_min = min;
            for (int i = 0; i < n; ++i) q[i] = l[i];
        }
    }
    return {best_scale, -best_min};
}

/// Best scale for -nmax <= q < nmax, where x is about scale * q, by 19 trials around the plain range; writes q + nmax.
/// A group of zeros gives scale 0 and writes zeros (not nmax).
static inline float fit_symmetric(const float* x, const float* w, int n, int nmax, uint8_t* q) {
    const float largest = largest_by_size(x, n);
    if (std::fabs(largest) < TINY) {
        for (int i = 0; i < n; ++i) q[i] = 0;
        return 0;
    }
    const auto round_with = [&](float inverse, int i) { return clamp(nearest_int(inverse * x[i]), -nmax, nmax - 1); };
    float sum_xl, sum_l2;
    const auto sums_of = [&](float inverse) {
        sum_xl = sum_l2 = 0;
        for (int i = 0; i < n; ++i) {
            const float l = static_cast<float>(round_with(inverse, i));
            sum_xl += w[i] * x[i] * l;
            sum_l2 += w[i] * l * l;
        }
    };

    float best_inverse = -nmax / largest;
    sums_of(best_inverse);
    float scale = sum_l2 != 0 ? sum_xl / sum_l2 : 0.0f;
    float best = scale * sum_xl;
    for (int trial = -9; trial <= 9; ++trial) {
        if (trial == 0) continue;
        const float inverse = -(nmax + 0.1f * trial) / largest;
        sums_of(inverse);
        if (sum_l2 > 0 && sum_xl * sum_xl > best * sum_l2) {
            best_inverse = inverse;
            scale = sum_xl / sum_l2;
            best = scale * sum_xl;
        }
    }
    for (int i = 0; i < n; ++i) q[i] = static_cast<uint8_t>(round_with(best_inverse, i) + nmax);
    return scale;
}

/// Best scale for -nmax <= q < nmax, where x is about scale * q and a weight counts by its square: from the plain range
/// q moves one by one as long as that helps, at most five rounds. Writes q + nmax. A group of zeros is as above.
static inline float fit_symmetric_by_moves(const float* x, int n, int nmax, uint8_t* q) {
    const float largest = largest_by_size(x, n);
    if (std::fabs(largest) < TINY) {
        for (int i = 0; i < n; ++i) q[i] = 0;
        return 0;
    }
    const auto round = [&](float v) { return clamp(nearest_int(v), -nmax, nmax - 1); };
    const float inverse = -nmax / largest;
    int held[16];
    float sum_xl = 0, sum_l2 = 0;
    for (int i = 0; i < n; ++i) {
        const float w = x[i] * x[i];
        held[i] = round(inverse * x[i]);
        sum_xl += w * x[i] * held[i];
        sum_l2 += w * held[i] * held[i];
    }
    for (int pass = 0; pass < 5; ++pass) {
        bool moved = false;
        for (int i = 0; i < n; ++i) {
            const float w = x[i] * x[i];
            float xl = sum_xl - w * x[i] * held[i], l2 = sum_l2 - w * held[i] * held[i];
            if (!(xl > 0)) continue;
            const int l = round(x[i] * l2 / xl);
            if (l == held[i]) continue;
            xl += w * x[i] * l;
            l2 += w * l * l;
            if (l2 > 0 && xl * xl * sum_l2 > sum_xl * sum_xl * l2) {
                held[i] = l;
                sum_xl = xl;
                sum_l2 = l2;
                moved = true;
            }
        }
        if (!moved) break;
    }
    for (int i = 0; i < n; ++i) q[i] = static_cast<uint8_t>(held[i] + nmax);
    return sum_l2 > 0 ? sum_xl / sum_l2 : 0.0f;
}

/// Best scale for 0 <= q <= nmax, where x is about scale * q: the group scales of a super-block, weighted.
/// Picks among nine inverse scales, then moves single q as long as that helps, at most five rounds. q wraps at 256.
static inline float fit_positive(const float* x, const float* w, int n, int nmax, uint8_t* q) {
    float largest = 0;
    for (int i = 0; i < n; ++i) largest = largest > x[i] ? largest : x[i];
    if (largest < TINY) {
        for (int i = 0; i < n; ++i) q[i] = 0;
        return 0;
    }
    float best_inverse = nmax / largest, best_error = 0;
    for (int i = 0; i < n; ++i) {
        const float diff = x[i] - 1 / best_inverse * static_cast<uint8_t>(nearest_int(best_inverse * x[i]));
        best_error += w[i] * diff * diff;
    }
    const auto round_capped = [&](float v) {
        const int l = nearest_int(v);
        return l > nmax ? nmax : l;
    };
    for (int trial = -4; trial <= 4; ++trial) {
        if (trial == 0) continue;
        const float inverse = (0.1f * trial + nmax) / largest, scale = 1 / inverse;
        float error = 0;
        for (int i = 0; i < n; ++i) {
            const float diff = x[i] - scale * round_capped(inverse * x[i]);
            error += w[i] * diff * diff;
        }
        if (error < best_error) {
            best_error = error;
            best_inverse = inverse;
        }
    }

    float sum_xl = 0, sum_l2 = 0;
    for (int i = 0; i < n; ++i) {
        const int l = round_capped(best_inverse * x[i]);
        q[i] = static_cast<uint8_t>(l);
        sum_xl += w[i] * x[i] * l;
        sum_l2 += w[i] * l * l;
    }
    for (int round = 0; round < 5; ++round) {
        bool moved = false;
        for (int i = 0; i < n; ++i) {
            float xl = sum_xl - w[i] * x[i] * q[i], l2 = sum_l2 - w[i] * q[i] * q[i];
            if (!(xl > 0 && l2 > 0)) continue;
            const int l = round_capped(x[i] * l2 / xl);
            if (l == q[i]) continue;
            xl += w[i] * x[i] * l;
            l2 += w[i] * l * l;
            if (xl * xl * sum_l2 > sum_xl * sum_xl * l2) {
                q[i] = static_cast<uint8_t>(l);
                sum_xl = xl;
                sum_l2 = l2;
                moved = true;
            }
        }
        if (!moved) break;
    }
    return sum_l2 > 0 ? sum_xl / sum_l2 : 0.0f;
}

}  // namespace ggufpress::scalar
