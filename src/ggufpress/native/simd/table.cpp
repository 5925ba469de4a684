// The table of this instruction set: the scalar one with everything replaced that has a version here.
#include "../tables.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

#define GGUFPRESS_STRING_OF(name) #name
#define GGUFPRESS_STRING(name) GGUFPRESS_STRING_OF(name)

namespace ggufpress::GGUFPRESS_ISA {

static Kernels make_table() {
    Kernels table = scalar::kernels();
    table.name = GGUFPRESS_STRING(GGUFPRESS_ISA);
    table.of[F16] = {quantize_f16, dequantize_f16};
    table.of[BF16] = {quantize_bf16, dequantize_bf16};
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
    // Its vectors are of eight doubles: with fewer lanes the scalar code is used.
    if (W >= 8) table.add_differences = add_differences;
    table.add_squares = add_squares;
    return table;
}

const Kernels& kernels() {
    static const Kernels table = make_table();
    return table;
}

}  // namespace ggufpress::GGUFPRESS_ISA
