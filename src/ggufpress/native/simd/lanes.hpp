// Vectors of W lanes in the compiler's own vector types. CMakeLists.txt compiles every .cpp file of this folder once
// per instruction set, with its compiler flags, GGUFPRESS_LANES = W and GGUFPRESS_ISA = a namespace of its own, so
// that the linker never merges code of two sets. For the same reason nothing here calls templates of std.
#pragma once

#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "../kernels.hpp"
#include "../numbers.hpp"

namespace ggufpress::GGUFPRESS_ISA {

using ggufpress::from_bf16;
using ggufpress::from_f16;
using ggufpress::nearest_int;
using ggufpress::to_bf16;
using ggufpress::to_f16;

constexpr int W = GGUFPRESS_LANES;

typedef float F __attribute__((vector_size(4 * W)));
typedef int32_t I __attribute__((vector_size(4 * W)));
typedef uint32_t U __attribute__((vector_size(4 * W)));
typedef uint16_t H __attribute__((vector_size(2 * W)));
typedef uint8_t B __attribute__((vector_size(W)));

static inline F splat(float v) { return v - F{}; }
static inline I splat(int v) { return v - I{}; }

/// 0, 1 ... W - 1.
static inline I lane_numbers() {
    I lane{};
    for (int i = 0; i < W; ++i) lane[i] = i;
    return lane;
}

template <class V>
static inline V load(const void* from) {
    V v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

template <class V>
static inline void store(void* to, V v) {
    std::memcpy(to, &v, sizeof v);
}

/// Per lane a where the mask is set, else b.
template <class V>
static inline V select(I mask, V a, V b) {
    return mask ? a : b;
}

static inline F abs(F v) { return (F)((I)v & 0x7fffffff); }

// GCC makes compare and blend of select(a < b, a, b), though x86 has just that in one instruction. The maskz_ forms
// below are the plain instructions; the plain intrinsics draw false warnings from GCC 12's header.

static inline I minimum(I a, I b) {
#if defined(__AVX512F__)
    return (I)_mm512_maskz_min_epi32(0xffff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (I)_mm256_min_epi32((__m256i)a, (__m256i)b);
#else
    return select(a < b, a, b);
#endif
}

static inline I maximum(I a, I b) {
#if defined(__AVX512F__)
    return (I)_mm512_maskz_max_epi32(0xffff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (I)_mm256_max_epi32((__m256i)a, (__m256i)b);
#else
    return select(a > b, a, b);
#endif
}

/// a < b ? a : b
static inline F minimum(F a, F b) {
#if defined(__AVX512F__)
    return _mm512_maskz_min_ps(0xffff, a, b);
#elif defined(__AVX__)
    return _mm256_min_ps(a, b);
#elif defined(__SSE2__)
    return _mm_min_ps(a, b);
#else
    return select(a < b, a, b);
#endif
}

/// a > b ? a : b
static inline F maximum(F a, F b) {
#if defined(__AVX512F__)
    return _mm512_maskz_max_ps(0xffff, a, b);
#elif defined(__AVX__)
    return _mm256_max_ps(a, b);
#elif defined(__SSE2__)
    return _mm_max_ps(a, b);
#else
    return select(a > b, a, b);
#endif
}

// Floats that are not negative compare as their bits do, and integers have more execution ports. Negative ones are
// smaller than any other either way, as are NaNs that x86 makes, which have the sign bit set.

/// The smaller of v and limit > 0.
static inline F at_most(F v, float limit) {
#if defined(__AVX2__)
    return (F)minimum((I)v, (I)splat(limit));
#else
    return minimum(v, splat(limit));
#endif
}

/// The larger of v and limit >= 0.
static inline F at_least(F v, float limit) {
#if defined(__AVX2__)
    return (F)maximum((I)v, (I)splat(limit));
#else
    return maximum(v, splat(limit));
#endif
}

static inline F square_root(F v) {
#if defined(__AVX512F__)
    return _mm512_maskz_sqrt_ps(0xffff, v);
#elif defined(__AVX__)
    return _mm256_sqrt_ps(v);
#elif defined(__SSE2__)
    return _mm_sqrt_ps(v);
#elif defined(__aarch64__)
    return vsqrtq_f32(v);
#endif
}

/// Bit i is set where lane i of the mask is.
static inline unsigned lane_bits(I mask) {
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask);
#elif defined(__AVX__)
    return static_cast<unsigned>(_mm256_movemask_ps((F)mask));
#elif defined(__SSE2__)
    return static_cast<unsigned>(_mm_movemask_ps((F)mask));
#else
    return vaddvq_u32((uint32x4_t)(mask & I{1, 2, 4, 8}));
#endif
}

static inline bool any(I mask) { return lane_bits(mask) != 0; }

/// See numbers.hpp: exact also where ggml's rounding overflows.
static inline I nearest_int(F v) { return ((I)(v + ROUNDER) & 0x007fffff) - 0x00400000; }

/// Nearest whole number, ties to even, for |v| < 2^22.
static inline F round_even(F v) {
#if defined(__AVX512F__)
    return _mm512_maskz_roundscale_ps(0xffff, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__AVX__)
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__aarch64__)
    return vrndnq_f32(v);
#else
    return v + ROUNDER - ROUNDER;
#endif
}

/// Nearest integer, halves away from zero: adds the float before 0.5, away from zero, and cuts off.
static inline I round_half_away(F v) {
    const F half = (F)(((I)v & (int)0x80000000) | 0x3effffff);
    return __builtin_convertvector(v + half, I);
}

static inline F to_float(I v) { return __builtin_convertvector(v, F); }

/// Half floats of W numbers in the low 16 bits of each lane; as to_f16 in numbers.hpp.
static inline U to_f16(F v) {
    const U bits = (U)v, size = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
    const U normal = ((size + 0xfff + (size >> 13 & 1)) >> 13) - (112 << 10);
    const U subnormal = (U)((F)size + 0.5f) - 0x3f000000;
    const U special = (size >> 13 & 0x3ff) | 0x7e00;
    U result = select((I)size < 0x38800000, subnormal, normal);
    result = select((I)size >= 0x47800000, U{} + 0x7c00, result);
    result = select((I)size > 0x7f800000, special, result);
    return sign | result;
}

/// Numbers of W half floats in the low 16 bits of each lane; as from_f16 in numbers.hpp.
static inline F from_f16(U h) {
    const U sign = (h & 0x8000) << 16, size = h & 0x7fff;
    const U normal = (size << 13) + (112 << 23);
    const U subnormal = (U)((F)(size | 0x3f000000) - 0.5f);
    const U special = size << 13 | 0x7f800000 | ((U)(size > 0x7c00) & 0x400000);
    U result = select((I)size < 0x400, subnormal, normal);
    result = select((I)size >= 0x7c00, special, result);
    return (F)(sign | result);
}

static inline U to_bf16(F v) {
    const U bits = (U)v;
    const U rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return select((I)((bits & 0x7fffffff) > 0x7f800000), bits >> 16 | 64, rounded);
}

static inline F from_bf16(U h) { return (F)(h << 16); }

/// Per lane table[index], for 0 <= index < 16.
static inline F pick(const float (&table)[16], I index) {
#if defined(__AVX512F__)
    return _mm512_maskz_permutexvar_ps(0xffff, (__m512i)index, load<F>(table));
#elif defined(__AVX2__)
    const F low = _mm256_permutevar8x32_ps(load<F>(table), (__m256i)index);
    const F high = _mm256_permutevar8x32_ps(load<F>(table + 8), (__m256i)index);
    return _mm256_blendv_ps(low, high, (F)(index << 28));
#else
    F v{};
    for (int i = 0; i < W; ++i) v[i] = table[index[i]];
    return v;
#endif
}

/// Per lane table[index & 3].
static inline F pick_of_4(const float* table, I index) {
#if defined(__AVX512F__)
    return _mm512_maskz_permutevar_ps(0xffff, _mm512_maskz_broadcast_f32x4(0xffff, load<__m128>(table)), (__m512i)index);
#elif defined(__AVX2__)
    const __m128 four = load<__m128>(table);
    return _mm256_permutevar_ps(_mm256_set_m128(four, four), (__m256i)index);
#else
    F v{};
    for (int i = 0; i < W; ++i) v[i] = table[index[i] & 3];
    return v;
#endif
}

template <int... K>
struct Indices {};
template <int N, int... K>
struct CountTo : CountTo<N - 1, N - 1, K...> {};
template <int... K>
struct CountTo<0, K...> {
    using type = Indices<K...>;
};
using AllLanes = CountTo<W>::type;

template <int S, int... K>
static inline F fold_largest(F v, Indices<K...> all) {
    v = maximum(v, __builtin_shufflevector(v, v, (K ^ S)...));
    if constexpr (S > 1) return fold_largest<S / 2>(v, all);
    return v;
}

/// Largest lane.
static inline float largest(F v) { return fold_largest<W / 2>(v, AllLanes{})[0]; }

/// One step of a transpose: swaps the off-diagonal halves of each 2S x 2S tile of the rows a (upper) and b (lower).
template <int S, int... K>
static inline void swap_tiles(F& a, F& b, Indices<K...>) {
    const F upper = __builtin_shufflevector(a, b, ((K & S) ? W + K - S : K)...);
    b = __builtin_shufflevector(a, b, ((K & S) ? W + K : K + S)...);
    a = upper;
}

template <int S>
static inline void transpose_steps(F (&rows)[W]) {
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i)
        if (!(i & S)) swap_tiles<S>(rows[i], rows[i + S], AllLanes{});
    if constexpr (S > 1) transpose_steps<S / 2>(rows);
}

static inline bool is_infinite(float v) { return (bits_of(v) & 0x7fffffff) == 0x7f800000; }

/// Largest size of N floats.
template <int N>
static inline float largest_size(const float* x) {
    F size{};
    for (int i = 0; i < N; i += W) size = maximum(size, abs(load<F>(x + i)));
    return largest(size);
}

/// Lane i of out[k] becomes from[i][k], for k < N.
template <int N>
static inline void load_transposed(const float* const (&from)[W], int offset, F* out) {
    for (int k = 0; k < N; k += W) {
        F rows[W];
#pragma GCC unroll 16
        for (int i = 0; i < W; ++i) rows[i] = load<F>(from[i] + offset + k);
        transpose_steps<W / 2>(rows);
#pragma GCC unroll 16
        for (int i = 0; i < W; ++i) out[k + i] = rows[i];
    }
}

}  // namespace ggufpress::GGUFPRESS_ISA
