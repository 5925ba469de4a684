// The scale searches of scalar/fit.hpp for W groups at once, one group per lane, which keeps each group's sums in
// order. All lanes try the same trial; a lane takes it where it is better. Instead of q a fit returns the inverse
// scale that made it: rounding is repeated in the rare place where q is asked for.
#pragma once

#include "../trials.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

/// w times the error of one weight.
template <bool ABSOLUTE>
static inline F weighted_error(F w, F diff) {
    return ABSOLUTE ? w * abs(diff) : w * (diff * diff);
}

/// A group per lane on its way through fit_affine. Whoever calls fills in x and w.
template <int N>
struct AffineGroups {
    /// Next to each other, because arrays 4096 bytes apart make loads wait for unrelated stores.
    struct {
        F x, w, q;
    } at[N];
    F sum_w, sum_x, high, narrowest;
    F best_error;
    /// What scalar/fit.hpp returns, with min = -minus.
    F scale, min;
    /// q = nearest_int(inverse * (x - from)), clamped.
    F inverse, from;
    /// Lanes whose range is so small or large that the short cut for rounding does not hold; their fit is void.
    I extreme;
};

/// The short cut: where v = inverse * (x - min) lies well inside 2^22 (see narrowest), clamping before or after
/// rounding is the same, and the instruction set may round in whichever way it has.
/// CAP: whether v may exceed NMAX + 0.5, so that the upper clamp is needed.
template <int NMAX, bool CAP>
static inline F round_affine(F v) {
    return round_even(CAP ? at_most(at_least(v, 0), NMAX) : at_least(v, 0));
}

/// One trial for G times W groups: a trial is a long chain of sums, and G chains side by side fill the pipeline.
template <int N, int NMAX, int G, bool CAP, bool ABSOLUTE>
static inline void try_affine(AffineGroups<N> (&groups)[G], float parts) {
    F inverse[G], sum_l[G], sum_l2[G], sum_xl[G];
#pragma GCC unroll 4
    for (int t = 0; t < G; ++t) {
        const F range = groups[t].high - groups[t].min;
        groups[t].extreme |= ~((range > groups[t].narrowest) & (range < 1e30f));
        inverse[t] = parts / range;
        sum_l[t] = sum_l2[t] = sum_xl[t] = F{};
    }
    for (int i = 0; i < N; ++i) {
#pragma GCC unroll 4
        for (int t = 0; t < G; ++t) {
            auto& at = groups[t].at[i];
            const F x = at.x, l = round_affine<NMAX, CAP>(inverse[t] * (x - groups[t].min));
            const F wl = at.w * l;
            at.q = l;
            sum_l[t] += wl;
            sum_l2[t] += wl * l;
            sum_xl[t] += wl * x;
        }
    }
    F scale[G], min[G], error[G];
    I solvable[G];
#pragma GCC unroll 4
    for (int t = 0; t < G; ++t) {
        const AffineGroups<N>& g = groups[t];
        const F det = g.sum_w * sum_l2[t] - sum_l[t] * sum_l[t];
        scale[t] = (g.sum_w * sum_xl[t] - g.sum_x * sum_l[t]) / det;
        min[t] = (sum_l2[t] * g.sum_x - sum_l[t] * sum_xl[t]) / det;
        const I above_zero = min[t] > 0;
        if (any(above_zero)) {
            min[t] = select(above_zero, F{}, min[t]);
            scale[t] = select(above_zero, sum_xl[t] / sum_l2[t], scale[t]);
        }
        solvable[t] = det > 0;
        error[t] = F{};
    }
    for (int i = 0; i < N; ++i) {
#pragma GCC unroll 4
        for (int t = 0; t < G; ++t) {
            const auto& at = groups[t].at[i];
            const F diff = scale[t] * at.q + min[t] - at.x;
            error[t] += weighted_error<ABSOLUTE>(at.w, diff);
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < G; ++t) {
        AffineGroups<N>& g = groups[t];
        const I better = solvable[t] & (error[t] < g.best_error);
        g.best_error = select(better, error[t], g.best_error);
        g.scale = select(better, scale[t], g.scale);
        g.inverse = select(better, inverse[t], g.inverse);
        g.from = select(better, g.min, g.from);
        g.min = select(better, min[t], g.min);
    }
}

/// fit_affine of scalar/fit.hpp for each lane of each of G groups; ABSOLUTE is trials.absolute.
template <int N, int NMAX, int G, bool ABSOLUTE = false>
static inline void fit_affine(AffineGroups<N> (&groups)[G], const Trials& trials) {
    I flat[G];
#pragma GCC unroll 4
    for (int t = 0; t < G; ++t) {
        AffineGroups<N>& g = groups[t];
        F low = g.at[0].x, high = g.at[0].x;
        g.sum_w = g.at[0].w;
        g.sum_x = g.at[0].w * g.at[0].x;
        for (int i = 1; i < N; ++i) {
            low = select(g.at[i].x < low, g.at[i].x, low);
            high = select(g.at[i].x > high, g.at[i].x, high);
            g.sum_w += g.at[i].w;
            g.sum_x += g.at[i].w * g.at[i].x;
        }
        low = select(low > 0, F{}, low);
        flat[t] = high == low;
        const F range = high - low;
        g.high = high;
        g.min = g.from = low;
        g.narrowest = maximum(range * 0x1p-16f, splat(1e-30f));
        g.extreme = I{};
        g.inverse = static_cast<float>(NMAX) / range;
        g.scale = 1 / g.inverse;
        g.best_error = F{};
        for (int i = 0; i < N; ++i) {
            const F diff = g.scale * round_affine<NMAX, false>(g.inverse * (g.at[i].x - low)) + low - g.at[i].x;
            g.best_error += weighted_error<ABSOLUTE>(g.at[i].w, diff);
        }
    }
    for (int trial = 0; trial < trials.count; ++trial) {
        const float parts = trials.first + trials.step * static_cast<float>(trial) + NMAX;
        if (parts < NMAX + 0.49f)
            try_affine<N, NMAX, G, false, ABSOLUTE>(groups, parts);
        else
            try_affine<N, NMAX, G, true, ABSOLUTE>(groups, parts);
    }
#pragma GCC unroll 4
    for (int t = 0; t < G; ++t) {
        AffineGroups<N>& g = groups[t];
        g.extreme &= ~flat[t];
        g.scale = select(flat[t], F{}, g.scale);
        g.min = select(flat[t], g.high, g.min);
        g.inverse = select(flat[t], F{}, g.inverse);
    }
}

struct SymmetricFit {
    F scale;
    /// q = nearest_int(inverse * x), clamped; 0 marks a group of zeros, where q is the lowest, not the middle one.
    F inverse;
};

/// |inverse * x| < NMAX + 1, so adding ROUNDER rounds, and taking it away after the clamps gives q as a float.
/// CAP_LOW: whether |inverse * x| may exceed NMAX + 0.5, so that the lower clamp is needed.
template <int N, int NMAX, int K, bool CAP_LOW>
static inline void symmetric_sums(const F (&x)[N], const F (&w)[N], const F (&wx)[N], const F (&inverse)[K],
                                  F (&sum_xl)[K], F (&sum_l2)[K]) {
#pragma GCC unroll 4
    for (int t = 0; t < K; ++t) sum_xl[t] = sum_l2[t] = F{};
    for (int i = 0; i < N; ++i) {
#pragma GCC unroll 4
        for (int t = 0; t < K; ++t) {
            F l = at_most(inverse[t] * x[i] + ROUNDER, ROUNDER + (NMAX - 1));
            if (CAP_LOW) l = at_least(l, ROUNDER - NMAX);
            l -= ROUNDER;
            sum_xl[t] += wx[i] * l;
            sum_l2[t] += w[i] * l * l;
        }
    }
}

/// fit_symmetric of scalar/fit.hpp.
template <int N, int NMAX>
static inline SymmetricFit fit_symmetric(const F (&x)[N], const F (&w)[N]) {
    F largest{}, size{}, wx[N];
    for (int i = 0; i < N; ++i) {
        const I larger = abs(x[i]) > size;
        size = select(larger, abs(x[i]), size);
        largest = select(larger, x[i], largest);
        wx[i] = w[i] * x[i];
    }
    SymmetricFit best;
    F first[1] = {static_cast<float>(-NMAX) / largest}, first_xl[1], first_l2[1];
    symmetric_sums<N, NMAX, 1, false>(x, w, wx, first, first_xl, first_l2);
    best.inverse = first[0];
    best.scale = select(first_l2[0] != 0, first_xl[0] / first_l2[0], F{});
    F best_gain = best.scale * first_xl[0];

    constexpr int K = 3;
    constexpr int TRIALS[18] = {-9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    for (int trial = 0; trial < 18; trial += K) {
        F inverse[K], sum_xl[K], sum_l2[K];
#pragma GCC unroll 4
        for (int t = 0; t < K; ++t) inverse[t] = -(NMAX + 0.1f * static_cast<float>(TRIALS[trial + t])) / largest;
        if (TRIALS[trial + K - 1] < 5)
            symmetric_sums<N, NMAX, K, false>(x, w, wx, inverse, sum_xl, sum_l2);
        else
            symmetric_sums<N, NMAX, K, true>(x, w, wx, inverse, sum_xl, sum_l2);
#pragma GCC unroll 4
        for (int t = 0; t < K; ++t) {
            const I better = (sum_l2[t] > 0) & (sum_xl[t] * sum_xl[t] > best_gain * sum_l2[t]);
            const F scale = sum_xl[t] / sum_l2[t];
            best.inverse = select(better, inverse[t], best.inverse);
            best.scale = select(better, scale, best.scale);
            best_gain = select(better, scale * sum_xl[t], best_gain);
        }
    }
    const I zero = size < TINY;
    best.inverse = select(zero, F{}, best.inverse);
    best.scale = select(zero, F{}, best.scale);
    return best;
}

/// fit_positive of scalar/fit.hpp for N values; q wraps at 256.
template <int N, int NMAX>
static inline F fit_positive(const F (&x)[N], const F (&w)[N], I (&q)[N]) {
    F largest{};
    for (int i = 0; i < N; ++i) largest = select(largest > x[i], largest, x[i]);
    const I zero = largest < TINY;

    F best_inverse = static_cast<float>(NMAX) / largest, best_error{};
    const F first_scale = 1 / best_inverse;
    for (int i = 0; i < N; ++i) {
        const F diff = x[i] - first_scale * to_float(nearest_int(best_inverse * x[i]) & 255);
        best_error += w[i] * diff * diff;
    }
    for (int trial = -4; trial <= 4; ++trial) {
        if (trial == 0) continue;
        const F inverse = (0.1f * static_cast<float>(trial) + NMAX) / largest, scale = 1 / inverse;
        F error{};
        for (int i = 0; i < N; ++i) {
            const F diff = x[i] - scale * to_float(minimum(nearest_int(inverse * x[i]), splat(NMAX)));
            error += w[i] * diff * diff;
        }
        const I better = error < best_error;
        best_error = select(better, error, best_error);
        best_inverse = select(better, inverse, best_inverse);
    }

    F sum_xl{}, sum_l2{};
    for (int i = 0; i < N; ++i) {
        const I l = minimum(nearest_int(best_inverse * x[i]), splat(NMAX));
        q[i] = l & 255;
        sum_xl += w[i] * x[i] * to_float(l);
        sum_l2 += w[i] * to_float(l) * to_float(l);
    }
    for (int round = 0; round < 5; ++round) {
        I moved{};
        for (int i = 0; i < N; ++i) {
            const F held = to_float(q[i]);
            F xl = sum_xl - w[i] * x[i] * held, l2 = sum_l2 - w[i] * held * held;
            const I l = minimum(nearest_int(x[i] * l2 / xl), splat(NMAX));
            I better = (xl > 0) & (l2 > 0) & (l != q[i]);
            xl += w[i] * x[i] * to_float(l);
            l2 += w[i] * to_float(l) * to_float(l);
            better &= xl * xl * sum_l2 > sum_xl * sum_xl * l2;
            q[i] = select(better, l & 255, q[i]);
            sum_xl = select(better, xl, sum_xl);
            sum_l2 = select(better, l2, sum_l2);
            moved |= better;
        }
        if (!any(moved)) break;
    }
    for (int i = 0; i < N; ++i) q[i] = select(zero, I{}, q[i]);
    return select(zero | ~(sum_l2 > 0), F{}, sum_xl / sum_l2);
}

}  // namespace ggufpress::GGUFPRESS_ISA
