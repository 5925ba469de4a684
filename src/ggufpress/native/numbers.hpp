// Single numbers: 16-bit floats and the rounding that ggml uses. Internal linkage throughout, because this header
// is compiled for several instruction sets and their versions must not be merged by the linker.
#pragma once

#include <cstdint>
#include <cstring>

namespace ggufpress {

static inline uint32_t bits_of(float v) {
    uint32_t bits;
    std::memcpy(&bits, &v, 4);
    return bits;
}

static inline float float_of(uint32_t bits) {
    float v;
    std::memcpy(&v, &bits, 4);
    return v;
}

/// Nearest half float, ties to even, subnormals kept, infinity from 65520 up; a NaN keeps its sign and becomes quiet.
static inline uint16_t to_f16(float v) {
    const uint32_t bits = bits_of(v), size = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
    if (size > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00 | (size >> 13 & 0x3ff));
    if (size >= 0x47800000) return static_cast<uint16_t>(sign | 0x7c00);
    // Below 2^-14 the spacing is 2^-24, which is that of 32-bit floats just above 0.5: adding 0.5 rounds.
    if (size < 0x38800000) return static_cast<uint16_t>(sign | (bits_of(float_of(size) + 0.5f) - 0x3f000000));
    return static_cast<uint16_t>(sign | (((size + 0xfff + (size >> 13 & 1)) >> 13) - (112 << 10)));
}

/// The value of a half float, exact.
static inline float from_f16(uint16_t h) {
    const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16, size = h & 0x7fff;
    if (size >= 0x7c00) return float_of(sign | 0x7f800000 | size << 13 | (size > 0x7c00 ? 0x400000 : 0));
    if (size < 0x400) return float_of(sign | bits_of(float_of(0x3f000000 | size) - 0.5f));
    return float_of(sign | ((size << 13) + (112 << 23)));
}

/// Nearest bfloat16, ties to even; a NaN becomes quiet.
static inline uint16_t to_bf16(float v) {
    const uint32_t bits = bits_of(v);
    if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 64);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float from_bf16(uint16_t h) { return float_of(static_cast<uint32_t>(h) << 16); }

/// Half of a UE4M3: 4 bits of exponent (bias 7), 3 of mantissa; 0x7f counts as 0.
static inline float half_of_ue4m3(uint8_t v) {
    if (v == 0x7f) return 0;
    const uint32_t exponent = v >> 3 & 15, mantissa = v & 7;
    if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-10f;
    return float_of((exponent + 119) << 23 | mantissa << 20);
}

/// Half of an E8M0, 2^(v - 128).
static inline float half_of_e8m0(uint8_t v) { return float_of(v < 2 ? 0x00200000u << v : (v - 1u) << 23); }

/// Twice the values of a 4-bit float (E2M1). Source: kvalues_fp4 of ggml/src/ggml-common.h.
constexpr int8_t TWICE_FP4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// The values of IQ4_NL and IQ4_XS. Source: kvalues_iq4nl of ggml/src/ggml-common.h.
constexpr int8_t UNEVEN[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/// Halfway from UNEVEN[i] to the next.
constexpr float uneven_middle(int i) { return 0.5f * static_cast<float>(UNEVEN[i] + UNEVEN[i + 1]); }

/// 1.5 * 2^23: floats around it are whole numbers, so adding it rounds to the nearest, ties to even.
constexpr float ROUNDER = 12582912.0f;

/// Nearest integer for |v| < 2^22. Outside, what ggml's nearest_int gives: the low mantissa bits of v + ROUNDER
/// (0 for NaN, -2^22 for infinities); blocks of extreme weights depend on it.
static inline int nearest_int(float v) {
    return static_cast<int>(bits_of(v + ROUNDER) & 0x007fffff) - 0x00400000;
}

/// floor(log2(v)) for v > 0, with the logarithm rounded to a float as log2f does: just below a power of two it may
/// round up to that power. 2^k - v is then less than ln 2 times half the distance of the floats below k, over 2^k.
static inline int floor_log2(float v) {
    const bool subnormal = v < 0x1p-126f;
    const uint32_t bits = bits_of(subnormal ? v * 0x1p24f : v);
    const int floor = static_cast<int>(bits >> 23) - 127 - (subnormal ? 24 : 0), above = floor + 1;
    const uint32_t missing = 0x800000 - (bits & 0x7fffff);
    // Numbers of the binade 2^n ... 2^(n + 1) lie below `above`.
    int n = 0;
    for (int size = above > 0 ? above - 1 : -above; size > 1; size >>= 1) ++n;
    return static_cast<float>(missing) < 0.6931472f * static_cast<float>(1 << n) ? above : floor;
}

/// (int) v as x86 does it: numbers that do not fit become INT32_MIN.
static inline int truncate(float v) {
    return v > -2147483648.0f && v < 2147483648.0f ? static_cast<int>(v) : INT32_MIN;
}

}  // namespace ggufpress
