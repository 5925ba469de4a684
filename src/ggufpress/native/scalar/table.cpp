// The scalar table, and the float types and sums that are too short for files of their own.
#include <cmath>
#include <cstring>

#include "../numbers.hpp"
#include "../tables.hpp"
#include "kernels.hpp"

namespace ggufpress::scalar {

static void copy_f32(const Chunk& chunk, uint8_t* out) { std::memcpy(out, chunk.x, 4 * static_cast<size_t>(chunk.n)); }

static void copy_f32(const uint8_t* in, int n, float* x) { std::memcpy(x, in, 4 * static_cast<size_t>(n)); }

template <uint16_t (*Round)(float)>
static void narrow(const Chunk& chunk, uint8_t* out) {
    for (int i = 0; i < chunk.n; ++i) {
        const uint16_t h = Round(chunk.x[i]);
        std::memcpy(out + 2 * i, &h, 2);
    }
}

template <float (*Value)(uint16_t)>
static void widen(const uint8_t* in, int n, float* x) {
    for (int i = 0; i < n; ++i) {
        uint16_t h;
        std::memcpy(&h, in + 2 * i, 2);
        x[i] = Value(h);
    }
}

static int first_nonfinite(const float* x, int n) {
    for (int i = 0; i < n; ++i)
        if (!std::isfinite(x[i])) return i;
    return n;
}

static void add_differences(const float* a, const float* b, int n, Differences& sums) {
    for (int i = 0; i < n; ++i) {
        const double diff = static_cast<double>(a[i]) - static_cast<double>(b[i]);
        sums.sum_sq[i % 8] += diff * diff;
        sums.sum_sq_a[i % 8] += static_cast<double>(a[i]) * static_cast<double>(a[i]);
        const float size = static_cast<float>(std::fabs(diff));
        if (size > sums.max_abs || size != size) sums.max_abs = size;
    }
}

static void add_squares(const float* const* rows, int lanes, int n, float* sums) {
    for (int lane = 0; lane < lanes; ++lane)
        for (int i = 0; i < n; ++i) sums[lane] += rows[lane][i] * rows[lane][i];
}

static Kernels make_table() {
    Kernels table{};
    table.name = "scalar";
    table.of[F32] = {copy_f32, copy_f32};
    table.of[F16] = {narrow<to_f16>, widen<from_f16>};
    table.of[BF16] = {narrow<to_bf16>, widen<from_bf16>};
    table.of[Q4_0] = {quantize_q4_0, dequantize_q4_0};
    table.of[Q4_1] = {quantize_q4_1, dequantize_q4_1};
    table.of[Q5_0] = {quantize_q5_0, dequantize_q5_0};
    table.of[Q5_1] = {quantize_q5_1, dequantize_q5_1};
    table.of[Q8_0] = {quantize_q8_0, dequantize_q8_0};
    table.of[Q2_K] = {quantize_q2_k, dequantize_q2_k};
    table.of[Q3_K] = {quantize_q3_k, dequantize_q3_k};
    table.of[Q4_K] = {quantize_q4_k, dequantize_q4_k};
    table.of[Q5_K] = {quantize_q5_k, dequantize_q5_k};
    table.of[Q6_K] = {quantize_q6_k, dequantize_q6_k};
    table.of[Q8_K] = {nullptr, dequantize_q8_k};
    table.of[IQ4_NL] = {quantize_iq4_nl, dequantize_iq4_nl};
    table.of[IQ4_XS] = {quantize_iq4_xs, dequantize_iq4_xs};
    table.of[IQ2_XXS] = {quantize_iq2_xxs, dequantize_iq2_xxs};
    table.of[IQ2_XS] = {quantize_iq2_xs, dequantize_iq2_xs};
    table.of[IQ2_S] = {quantize_iq2_s, dequantize_iq2_s};
    table.of[IQ3_XXS] = {quantize_iq3_xxs, dequantize_iq3_xxs};
    table.of[IQ3_S] = {quantize_iq3_s, dequantize_iq3_s};
    table.of[IQ1_S] = {quantize_iq1_s, dequantize_iq1_s};
    table.of[IQ1_M] = {quantize_iq1_m, dequantize_iq1_m};
    table.of[Q1_0] = {quantize_q1_0, dequantize_q1_0};
    table.of[Q2_0] = {quantize_q2_0, dequantize_q2_0};
    table.of[TQ1_0] = {quantize_tq1_0, dequantize_tq1_0};
    table.of[TQ2_0] = {quantize_tq2_0, dequantize_tq2_0};
    table.of[MXFP4] = {quantize_mxfp4, dequantize_mxfp4};
    table.of[NVFP4] = {nullptr, dequantize_nvfp4};
    table.first_nonfinite = first_nonfinite;
    table.add_differences = add_differences;
    table.add_squares = add_squares;
    return table;
}

const Kernels& kernels() {
    static const Kernels table = make_table();
    return table;
}

}  // namespace ggufpress::scalar
