// Bytes to lanes and back. The compiler's own conversion of byte vectors goes through scalar registers (GCC 12).
#pragma once

#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

/// W bytes from memory, one per lane.
static inline I load_bytes(const uint8_t* from) {
#if defined(__AVX512F__)
    return (I)_mm512_maskz_cvtepu8_epi32(0xffff, load<__m128i>(from));
#elif defined(__AVX2__)
    return (I)_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
#elif defined(__SSE2__)
    const __m128i bytes = _mm_cvtsi32_si128(load<int>(from)), zero = _mm_setzero_si128();
    return (I)_mm_unpacklo_epi16(_mm_unpacklo_epi8(bytes, zero), zero);
#else
    return __builtin_convertvector(load<B>(from), I);
#endif
}

/// W signed bytes from memory, one per lane.
static inline I load_bytes(const int8_t* from) {
    return load_bytes(reinterpret_cast<const uint8_t*>(from)) << 24 >> 24;
}

/// The low byte of each lane to memory.
static inline void store_bytes(uint8_t* to, I v) {
#if defined(__AVX512F__)
    store(to, _mm512_maskz_cvtepi32_epi8(0xffff, (__m512i)v));
#elif defined(__AVX2__)
    const __m256i low = _mm256_shuffle_epi8(
        (__m256i)v, _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,  //
                                     0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    const __m128i halves = _mm_unpacklo_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), halves);
#elif defined(__SSE2__)
    const __m128i words = _mm_packs_epi32((__m128i)(v & 255), _mm_setzero_si128());
    store(to, _mm_cvtsi128_si32(_mm_packus_epi16(words, words)));
#else
    store(to, __builtin_convertvector(v, B));
#endif
}

}  // namespace ggufpress::GGUFPRESS_ISA
