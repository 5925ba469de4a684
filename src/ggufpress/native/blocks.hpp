// Type numbers and block layouts, as they lie in a GGUF file (little-endian, no padding).
// Source: ggml/include/ggml.h (enum ggml_type) and ggml/src/ggml-common.h of llama.cpp (llama-cpp-python 0.3.36).
#pragma once

#include <cstddef>
#include <cstdint>

namespace ggufpress {

enum TypeId : int {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    BF16 = 30,
    TYPE_COUNT = 43,
};

/// Weights of a super-block, the unit of every K type.
constexpr int SUPER = 256;

/// 32 weights, each d * (q - 8). Low nibbles hold weights 0..15, high nibbles 16..31.
struct [[gnu::packed]] BlockQ4_0 {
    uint16_t d;
    uint8_t qs[16];
};

/// 32 weights, each d * q + m; nibbles as in Q4_0.
struct [[gnu::packed]] BlockQ4_1 {
    uint16_t d;
    uint16_t m;
    uint8_t qs[16];
};

/// 32 weights, each d * (q - 16). Nibbles as in Q4_0; bit i of qh is the fifth bit of weight i.
struct [[gnu::packed]] BlockQ5_0 {
    uint16_t d;
    uint8_t qh[4];
    uint8_t qs[16];
};

/// 32 weights, each d * q + m; bits as in Q5_0.
struct [[gnu::packed]] BlockQ5_1 {
    uint16_t d;
    uint16_t m;
    uint8_t qh[4];
    uint8_t qs[16];
};

/// 32 weights, each d * q.
struct [[gnu::packed]] BlockQ8_0 {
    uint16_t d;
    int8_t qs[32];
};

/// 256 weights in 16 groups of 16, each d * scale * q - dmin * min; scale in the low, min in the high nibble.
/// qs: 32 bytes per half of 128 weights; bits 2 * r of byte i hold weight i of the half's run r of 32.
struct [[gnu::packed]] BlockQ2_K {
    uint8_t scales[16];
    uint8_t qs[64];
    uint16_t d;
    uint16_t dmin;
};

/// 256 weights in 16 groups of 16, each d * (scale - 32) * (q - 4). qs holds the two low bits as in Q2_K; bit r of
/// hmask[i] is the third bit of weight i of run r of 32. scales: bytes 0..7 hold the low nibbles of scales 0..7 and,
/// high, 8..15; bits 2 * (j / 4) of byte 8 + j % 4 are the two high bits of scale j.
struct [[gnu::packed]] BlockQ3_K {
    uint8_t hmask[32];
    uint8_t qs[64];
    uint8_t scales[12];
    uint16_t d;
};

/// 256 weights in 8 groups of 32, each d * scale * q - dmin * min with 6-bit scale and min per group.
/// scales: byte j < 4 holds scale j in its low 6 bits, byte 4 + j min j; byte 8 + j holds the low nibbles of
/// scale 4 + j and min 4 + j, whose two high bits are the high bits of bytes j and 4 + j.
/// qs: 32 bytes per pair of groups; the even group in the low nibbles.
struct [[gnu::packed]] BlockQ4_K {
    uint16_t d;
    uint16_t dmin;
    uint8_t scales[12];
    uint8_t qs[128];
};

/// As Q4_K with a fifth bit: bit g of qh[i] belongs to weight i of group g.
struct [[gnu::packed]] BlockQ5_K {
    uint16_t d;
    uint16_t dmin;
    uint8_t scales[12];
    uint8_t qh[32];
    uint8_t qs[128];
};

/// 256 weights in 16 groups of 16, each d * scale * (q - 32) with an 8-bit scale per group.
/// Per half of 128 weights, as four runs a b c d of 32: ql has 32 bytes a | c << 4, then 32 bytes b | d << 4;
/// qh has 32 bytes with the two high bits of a, b, c and d, a lowest.
struct [[gnu::packed]] BlockQ6_K {
    uint8_t ql[128];
    uint8_t qh[64];
    int8_t scales[16];
    uint16_t d;
};

static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34);
static_assert(sizeof(BlockQ2_K) == 84 && sizeof(BlockQ3_K) == 110);
static_assert(sizeof(BlockQ4_K) == 144 && sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);
static_assert(offsetof(BlockQ6_K, d) == 208);

/// Weights per block and bytes per block of each type that we know; {0, 0} for the others.
struct BlockSize {
    int weights;
    int bytes;
};

constexpr BlockSize block_size(int type) {
    switch (type) {
        case F32: return {1, 4};
        case F16: return {1, 2};
        case BF16: return {1, 2};
        case Q4_0: return {32, sizeof(BlockQ4_0)};
        case Q4_1: return {32, sizeof(BlockQ4_1)};
        case Q5_0: return {32, sizeof(BlockQ5_0)};
        case Q5_1: return {32, sizeof(BlockQ5_1)};
        case Q8_0: return {32, sizeof(BlockQ8_0)};
        case Q2_K: return {SUPER, sizeof(BlockQ2_K)};
        case Q3_K: return {SUPER, sizeof(BlockQ3_K)};
        case Q4_K: return {SUPER, sizeof(BlockQ4_K)};
        case Q5_K: return {SUPER, sizeof(BlockQ5_K)};
        case Q6_K: return {SUPER, sizeof(BlockQ6_K)};
        default: return {0, 0};
    }
}

/// Offsets of the half floats that scale a block, which must be finite: what ggml_validate_row_data looks at.
struct HalfScales {
    int count;
    int offset[2];
};

constexpr HalfScales half_scales(int type) {
    switch (type) {
        case Q4_0: return {1, {offsetof(BlockQ4_0, d)}};
        case Q4_1: return {2, {offsetof(BlockQ4_1, d), offsetof(BlockQ4_1, m)}};
        case Q5_0: return {1, {offsetof(BlockQ5_0, d)}};
        case Q5_1: return {2, {offsetof(BlockQ5_1, d), offsetof(BlockQ5_1, m)}};
        case Q8_0: return {1, {offsetof(BlockQ8_0, d)}};
        case Q2_K: return {2, {offsetof(BlockQ2_K, d), offsetof(BlockQ2_K, dmin)}};
        case Q3_K: return {1, {offsetof(BlockQ3_K, d)}};
        case Q4_K: return {2, {offsetof(BlockQ4_K, d), offsetof(BlockQ4_K, dmin)}};
        case Q5_K: return {2, {offsetof(BlockQ5_K, d), offsetof(BlockQ5_K, dmin)}};
        case Q6_K: return {1, {offsetof(BlockQ6_K, d)}};
        default: return {0, {}};
    }
}

}  // namespace ggufpress
