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
    Q8_K = 15,
    IQ2_XXS = 16,
    IQ2_XS = 17,
    IQ3_XXS = 18,
    IQ1_S = 19,
    IQ4_NL = 20,
    IQ3_S = 21,
    IQ2_S = 22,
    IQ4_XS = 23,
    IQ1_M = 29,
    BF16 = 30,
    TQ1_0 = 34,
    TQ2_0 = 35,
    MXFP4 = 39,
    NVFP4 = 40,
    Q1_0 = 41,
    Q2_0 = 42,
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

/// 256 weights, each d * q; sums of 16 q. Only dequantized: ggml makes it of activations, never of weights.
struct [[gnu::packed]] BlockQ8_K {
    float d;
    int8_t qs[256];
    int16_t sums[16];
};

/// 32 weights, each d times one of sixteen unevenly spaced numbers (UNEVEN); nibbles as in Q4_0.
struct [[gnu::packed]] BlockIQ4_NL {
    uint16_t d;
    uint8_t qs[16];
};

/// 256 weights in 8 groups of 32, each d * (scale - 32) times one of UNEVEN; 16 bytes of nibbles per group as in Q4_0.
/// Scales have 6 bits: the low ones are nibbles of scales_l, bits 2 * g of scales_h the high ones.
struct [[gnu::packed]] BlockIQ4_XS {
    uint16_t d;
    uint16_t scales_h;
    uint8_t scales_l[4];
    uint8_t qs[128];
};

/// 256 weights in 8 groups of 32, each d * (scale + 0.5) / 4 times sign and value (8, 25, 43) of a point of the grid of
/// 256 points in 8 dimensions. Per group 8 bytes: four indices, then four times 7 bits of signs and 4 bits of scale.
struct [[gnu::packed]] BlockIQ2_XXS {
    uint16_t d;
    uint32_t qs[16];
};

/// As IQ2_XXS in 16 groups of 16, with 512 points. qs: 9 bits of index, 7 bits of signs. Scales are nibbles.
struct [[gnu::packed]] BlockIQ2_XS {
    uint16_t d;
    uint16_t qs[32];
    uint8_t scales[8];
};

/// As IQ2_XS with 1024 points and all eight signs. Bits 2 * (i % 4) of qh[i / 4] are the high bits of index i.
struct [[gnu::packed]] BlockIQ2_S {
    uint16_t d;
    uint8_t qs[32];
    uint8_t signs[32];
    uint8_t qh[8];
    uint8_t scales[8];
};

/// 256 weights in 8 groups of 32, each d * (scale + 0.5) / 2 times sign and value (4, 12, 20, 28, 36, 44, 52, 62) of a
/// point of the grid of 256 points in 4 dimensions. scales: per group four times 7 bits of signs and 4 bits of scale.
struct [[gnu::packed]] BlockIQ3_XXS {
    uint16_t d;
    uint8_t qs[64];
    uint32_t scales[8];
};

/// 256 weights in 8 groups of 32, each d * (1 + 2 * scale) times sign and value (1, 3 ... 15) of a point of the grid of
/// 512 points in 4 dimensions. Bit i % 8 of qh[i / 8] is the ninth bit of index i. Scales are nibbles.
struct [[gnu::packed]] BlockIQ3_S {
    uint16_t d;
    uint8_t qs[64];
    uint8_t qh[8];
    uint8_t signs[32];
    uint8_t scales[4];
};

/// 256 weights in 8 groups of 32, each d * (2 * scale + 1) times -1, 0 or 1 of a point of the grid of 2048 points in 8
/// dimensions, all shifted by 1/8 or -1/8. qs: low bits of indices. qh: per group four times 3 high bits, 3 bits of
/// scale, and a bit that is set for -1/8.
struct [[gnu::packed]] BlockIQ1_S {
    uint16_t d;
    uint8_t qs[32];
    uint16_t qh[8];
};

/// As IQ1_S in 16 groups of 16 with a shift per point. qh: per group twice 3 high bits of an index and the bit of the
/// shift. scales: per four groups 3 bits each and 4 bits of the half float d, lowest first.
struct [[gnu::packed]] BlockIQ1_M {
    uint8_t qs[32];
    uint8_t qh[16];
    uint16_t scales[4];

    [[gnu::always_inline]] uint16_t d() const {
        return static_cast<uint16_t>(scales[0] >> 12 | (scales[1] >> 12) << 4 | (scales[2] >> 12) << 8 |
                                     (scales[3] >> 12) << 12);
    }
};

/// 128 weights, each d or -d; bit i % 8 of qs[i / 8] is set for d.
struct [[gnu::packed]] BlockQ1_0 {
    uint16_t d;
    uint8_t qs[16];
};

/// 64 weights, each d * (q - 1); bits 2 * (i % 4) of qs[i / 4] hold q of weight i.
struct [[gnu::packed]] BlockQ2_0 {
    uint16_t d;
    uint8_t qs[16];
};

/// 256 weights, each d * (q - 1) with q = 0, 1, 2. A byte holds five q, the digits of a fraction to base 3: of runs of
/// 32 in the first 32 bytes of qs, of runs of 16 in the others. A byte of qh holds four of runs of 4 and a zero.
struct [[gnu::packed]] BlockTQ1_0 {
    uint8_t qs[48];
    uint8_t qh[4];
    uint16_t d;
};

/// 256 weights, each d * (q - 1); bits as in Q2_K.
struct [[gnu::packed]] BlockTQ2_0 {
    uint8_t qs[64];
    uint16_t d;
};

/// 32 weights, each 2^(e - 128) times one of sixteen small numbers (TWICE_FP4); nibbles as in Q4_0.
struct [[gnu::packed]] BlockMXFP4 {
    uint8_t e;
    uint8_t qs[16];
};

/// 64 weights in 4 groups of 16, each a scale (UE4M3, halved) times one of TWICE_FP4. Per group 8 bytes, the second 8
/// weights in the high nibbles.
struct [[gnu::packed]] BlockNVFP4 {
    uint8_t d[4];
    uint8_t qs[32];
};

static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34);
static_assert(sizeof(BlockQ2_K) == 84 && sizeof(BlockQ3_K) == 110);
static_assert(sizeof(BlockQ4_K) == 144 && sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);
static_assert(offsetof(BlockQ6_K, d) == 208);
static_assert(sizeof(BlockQ8_K) == 292 && sizeof(BlockQ1_0) == 18 && sizeof(BlockQ2_0) == 18);
static_assert(sizeof(BlockIQ4_NL) == 18 && sizeof(BlockIQ4_XS) == 136);
static_assert(sizeof(BlockIQ2_XXS) == 66 && sizeof(BlockIQ2_XS) == 74 && sizeof(BlockIQ2_S) == 82);
static_assert(sizeof(BlockIQ3_XXS) == 98 && sizeof(BlockIQ3_S) == 110);
static_assert(sizeof(BlockIQ1_S) == 50 && sizeof(BlockIQ1_M) == 56);
static_assert(sizeof(BlockTQ1_0) == 54 && sizeof(BlockTQ2_0) == 66);
static_assert(sizeof(BlockMXFP4) == 17 && sizeof(BlockNVFP4) == 36);

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
        case Q8_K: return {SUPER, sizeof(BlockQ8_K)};
        case IQ4_NL: return {32, sizeof(BlockIQ4_NL)};
        case IQ4_XS: return {SUPER, sizeof(BlockIQ4_XS)};
        case IQ2_XXS: return {SUPER, sizeof(BlockIQ2_XXS)};
        case IQ2_XS: return {SUPER, sizeof(BlockIQ2_XS)};
        case IQ2_S: return {SUPER, sizeof(BlockIQ2_S)};
        case IQ3_XXS: return {SUPER, sizeof(BlockIQ3_XXS)};
        case IQ3_S: return {SUPER, sizeof(BlockIQ3_S)};
        case IQ1_S: return {SUPER, sizeof(BlockIQ1_S)};
        case IQ1_M: return {SUPER, sizeof(BlockIQ1_M)};
        case Q1_0: return {128, sizeof(BlockQ1_0)};
        case Q2_0: return {64, sizeof(BlockQ2_0)};
        case TQ1_0: return {SUPER, sizeof(BlockTQ1_0)};
        case TQ2_0: return {SUPER, sizeof(BlockTQ2_0)};
        case MXFP4: return {32, sizeof(BlockMXFP4)};
        case NVFP4: return {64, sizeof(BlockNVFP4)};
        default: return {0, 0};
    }
}

/// Bytes of n weights, whole blocks.
constexpr int64_t bytes_of(int type, int64_t n) { return n / block_size(type).weights * block_size(type).bytes; }

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
        case IQ4_NL: return {1, {offsetof(BlockIQ4_NL, d)}};
        case IQ4_XS: return {1, {offsetof(BlockIQ4_XS, d)}};
        case IQ2_XXS: return {1, {offsetof(BlockIQ2_XXS, d)}};
        case IQ2_XS: return {1, {offsetof(BlockIQ2_XS, d)}};
        case IQ2_S: return {1, {offsetof(BlockIQ2_S, d)}};
        case IQ3_XXS: return {1, {offsetof(BlockIQ3_XXS, d)}};
        case IQ3_S: return {1, {offsetof(BlockIQ3_S, d)}};
        case IQ1_S: return {1, {offsetof(BlockIQ1_S, d)}};
        case Q1_0: return {1, {offsetof(BlockQ1_0, d)}};
        case Q2_0: return {1, {offsetof(BlockQ2_0, d)}};
        case TQ1_0: return {1, {offsetof(BlockTQ1_0, d)}};
        case TQ2_0: return {1, {offsetof(BlockTQ2_0, d)}};
        default: return {0, {}};
    }
}

}  // namespace ggufpress
