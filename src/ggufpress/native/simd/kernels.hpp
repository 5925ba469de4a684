// The kernels of one instruction set; see scalar/kernels.hpp for what each makes.
#pragma once

#include "../kernels.hpp"

namespace ggufpress::GGUFPRESS_ISA {

void quantize_f16(const Chunk& chunk, uint8_t* out);
void quantize_bf16(const Chunk& chunk, uint8_t* out);
void quantize_q4_0(const Chunk& chunk, uint8_t* out);
void quantize_q4_1(const Chunk& chunk, uint8_t* out);
void quantize_q5_0(const Chunk& chunk, uint8_t* out);
void quantize_q5_1(const Chunk& chunk, uint8_t* out);
void quantize_q8_0(const Chunk& chunk, uint8_t* out);
void quantize_q2_k(const Chunk& chunk, uint8_t* out);
void quantize_q3_k(const Chunk& chunk, uint8_t* out);
void quantize_q4_k(const Chunk& chunk, uint8_t* out);
void quantize_q5_k(const Chunk& chunk, uint8_t* out);
void quantize_q6_k(const Chunk& chunk, uint8_t* out);
void quantize_iq4_nl(const Chunk& chunk, uint8_t* out);
void quantize_iq4_xs(const Chunk& chunk, uint8_t* out);
void quantize_iq2_xxs(const Chunk& chunk, uint8_t* out);
void quantize_iq2_xs(const Chunk& chunk, uint8_t* out);
void quantize_iq2_s(const Chunk& chunk, uint8_t* out);
void quantize_iq3_xxs(const Chunk& chunk, uint8_t* out);
void quantize_iq3_s(const Chunk& chunk, uint8_t* out);
void quantize_iq1_s(const Chunk& chunk, uint8_t* out);
void quantize_iq1_m(const Chunk& chunk, uint8_t* out);
void quantize_q1_0(const Chunk& chunk, uint8_t* out);
void quantize_q2_0(const Chunk& chunk, uint8_t* out);
void quantize_tq1_0(const Chunk& chunk, uint8_t* out);
void quantize_tq2_0(const Chunk& chunk, uint8_t* out);
void quantize_mxfp4(const Chunk& chunk, uint8_t* out);

void dequantize_f16(const uint8_t* in, int n, float* x);
void dequantize_bf16(const uint8_t* in, int n, float* x);
void dequantize_q4_0(const uint8_t* in, int n, float* x);
void dequantize_q4_1(const uint8_t* in, int n, float* x);
void dequantize_q5_0(const uint8_t* in, int n, float* x);
void dequantize_q5_1(const uint8_t* in, int n, float* x);
void dequantize_q8_0(const uint8_t* in, int n, float* x);
void dequantize_q2_k(const uint8_t* in, int n, float* x);
void dequantize_q3_k(const uint8_t* in, int n, float* x);
void dequantize_q4_k(const uint8_t* in, int n, float* x);
void dequantize_q5_k(const uint8_t* in, int n, float* x);
void dequantize_q6_k(const uint8_t* in, int n, float* x);
void dequantize_q8_k(const uint8_t* in, int n, float* x);
void dequantize_iq4_nl(const uint8_t* in, int n, float* x);
void dequantize_iq4_xs(const uint8_t* in, int n, float* x);
void dequantize_iq2_xxs(const uint8_t* in, int n, float* x);
void dequantize_iq2_xs(const uint8_t* in, int n, float* x);
void dequantize_iq2_s(const uint8_t* in, int n, float* x);
void dequantize_iq3_xxs(const uint8_t* in, int n, float* x);
void dequantize_iq3_s(const uint8_t* in, int n, float* x);
void dequantize_iq1_s(const uint8_t* in, int n, float* x);
void dequantize_iq1_m(const uint8_t* in, int n, float* x);
void dequantize_q1_0(const uint8_t* in, int n, float* x);
void dequantize_q2_0(const uint8_t* in, int n, float* x);
void dequantize_tq1_0(const uint8_t* in, int n, float* x);
void dequantize_tq2_0(const uint8_t* in, int n, float* x);
void dequantize_mxfp4(const uint8_t* in, int n, float* x);
void dequantize_nvfp4(const uint8_t* in, int n, float* x);

int first_nonfinite(const float* x, int n);
void add_differences(const float* a, const float* b, int n, Differences& sums);
void add_squares(const float* const* rows, int lanes, int n, float* sums);

}  // namespace ggufpress::GGUFPRESS_ISA
