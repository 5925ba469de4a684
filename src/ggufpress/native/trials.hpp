// What the searches for a scale have in common on every instruction set: thresholds and trials.
// Facts from ggml/src/ggml-quants.c.
#pragma once

namespace ggufpress {

/// Groups whose largest size is smaller than this count as zero.
constexpr float TINY = 1e-15f;

/// Trial steps of an affine fit: candidate i divides the range into nmax + first + step * i parts.
/// clamp_first: quotients are clamped to 0 ... nmax before they are rounded, not after. That differs only where they
/// leave 2^22, for weights far outside their fit. llama.cpp does so with importance since some time after 0.3.36.
struct Trials {
    float first;
    float step;
    int count;
    bool clamp_first;
    /// Whether errors count by their size, not their square.
    bool absolute;
};

/// The trials of every type that looks at importance.
constexpr Trials TRIALS_IMPORTANCE = {-0.9f, 0.05f, 37, true, false};

// Those without importance.
constexpr Trials TRIALS_Q2_K = {-0.5f, 0.1f, 16, false, true};
constexpr Trials TRIALS_Q4_K = {-1.0f, 0.1f, 21, false, false};
constexpr Trials TRIALS_Q5_K = {-0.5f, 0.1f, 16, false, false};

}  // namespace ggufpress
