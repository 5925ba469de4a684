// F16 and BF16, and what is measured on floats.
#include "kernels.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

template <class Vector, class One>
static inline void narrow(const Chunk& chunk, uint8_t* out, Vector vector, One one) {
    int i = 0;
    for (; i + W <= chunk.n; i += W) store(out + 2 * i, __builtin_convertvector(vector(load<F>(chunk.x + i)), H));
    for (; i < chunk.n; ++i) store(out + 2 * i, one(chunk.x[i]));
}

template <class Vector, class One>
static inline void widen(const uint8_t* in, int n, float* x, Vector vector, One one) {
    int i = 0;
    for (; i + W <= n; i += W) store(x + i, vector(__builtin_convertvector(load<H>(in + 2 * i), U)));
    for (; i < n; ++i) x[i] = one(load<uint16_t>(in + 2 * i));
}

void quantize_f16(const Chunk& chunk, uint8_t* out) {
    narrow(chunk, out, [](F v) { return to_f16(v); }, [](float v) { return to_f16(v); });
}

void quantize_bf16(const Chunk& chunk, uint8_t* out) {
    narrow(chunk, out, [](F v) { return to_bf16(v); }, [](float v) { return to_bf16(v); });
}

void dequantize_f16(const uint8_t* in, int n, float* x) {
    widen(in, n, x, [](U h) { return from_f16(h); }, [](uint16_t h) { return from_f16(h); });
}

void dequantize_bf16(const uint8_t* in, int n, float* x) {
    widen(in, n, x, [](U h) { return from_bf16(h); }, [](uint16_t h) { return from_bf16(h); });
}

int first_nonfinite(const float* x, int n) {
    constexpr int EXPONENT = 0x7f800000;
    const auto is_bad = [](float v) { return (static_cast<int>(bits_of(v)) & EXPONENT) == EXPONENT; };
    I bad{};
    int i = 0;
    for (; i + W <= n; i += W) bad |= (load<I>(x + i) & EXPONENT) == EXPONENT;
    if (!any(bad)) {
        while (i < n && !is_bad(x[i])) ++i;
        return i;
    }
    for (i = 0; !is_bad(x[i]); ++i) {
    }
    return i;
}

void add_differences(const float* a, const float* b, int n, Differences& sums) {
    // Eight lanes on every instruction set, because the order of these sums is part of the result.
    typedef float F8 __attribute__((vector_size(32)));
    typedef double D8 __attribute__((vector_size(64)));
    D8 sum_sq = load<D8>(sums.sum_sq), sum_sq_a = load<D8>(sums.sum_sq_a);
    F8 max_abs{};
    const auto add = [&](F8 left, F8 right) {
        const D8 x = __builtin_convertvector(left, D8), diff = x - __builtin_convertvector(right, D8);
        sum_sq += diff * diff;
        sum_sq_a += x * x;
        const F8 rounded = __builtin_convertvector(diff, F8), size = rounded < 0 ? -rounded : rounded;
        max_abs = (size > max_abs) | (size != size) ? size : max_abs;
    };
    int i = 0;
    for (; i + 8 <= n; i += 8) add(load<F8>(a + i), load<F8>(b + i));
    if (i < n) {
        float rest[2][8] = {};
        std::memcpy(rest[0], a + i, sizeof(float) * static_cast<size_t>(n - i));
        std::memcpy(rest[1], b + i, sizeof(float) * static_cast<size_t>(n - i));
        add(load<F8>(rest[0]), load<F8>(rest[1]));
    }
    store(sums.sum_sq, sum_sq);
    store(sums.sum_sq_a, sum_sq_a);
    for (int part = 0; part < 8; ++part) {
        const float size = max_abs[part];
        if (size > sums.max_abs || size != size) sums.max_abs = size;
    }
}

void add_squares(const float* const* rows, int lanes, int n, float* sums) {
    int lane = 0;
    for (; lane + W <= lanes && n % W == 0; lane += W) {
        const float* from[W];
        for (int i = 0; i < W; ++i) from[i] = rows[lane + i];
        F sum = load<F>(sums + lane);
        for (int k = 0; k < n; k += W) {
            F x[W];
            load_transposed<W>(from, k, x);
            for (int i = 0; i < W; ++i) sum += x[i] * x[i];
        }
        store(sums + lane, sum);
    }
    for (; lane < lanes; ++lane)
        for (int i = 0; i < n; ++i) sums[lane] += rows[lane][i] * rows[lane][i];
}

}  // namespace ggufpress::GGUFPRESS_ISA
