// Dequantizing of the IQ1, IQ2 and IQ3 types: a point is one load from a table of floats.
#include "../grids/grid.hpp"
#include "../grids/read.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace ggufpress::GGUFPRESS_ISA {

typedef float F4 __attribute__((vector_size(16)));
typedef int32_t I4 __attribute__((vector_size(16)));

/// Writes scale * size with the signs of four weights.
static inline void write_four(const float* sizes, int signs, float scale, float* x) {
    const I4 bits = {1, 2, 4, 8};
    const I4 minus = (bits & signs) != 0;
    store(x, (F4)((I4)(load<F4>(sizes) * scale) ^ (minus << 31)));
}

template <int DIMS, class Block>
static inline void dequantize_on_grid(const Grid& grid, const uint8_t* in, int n, float* x) {
    const auto* block = reinterpret_cast<const Block*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        each_point(*block, [&](int number, int point, int signs, float scale) {
            const float* from = grid.sizes_at(point);
            float* to = x + start + DIMS * number;
            write_four(from, signs, scale, to);
            if (DIMS == 8) write_four(from + 4, signs >> 4, scale, to + 4);
        });
    }
}

void dequantize_iq2_xxs(const uint8_t* in, int n, float* x) {
    dequantize_on_grid<8, BlockIQ2_XXS>(grid_of_iq2_xxs(), in, n, x);
}

void dequantize_iq2_xs(const uint8_t* in, int n, float* x) {
    dequantize_on_grid<8, BlockIQ2_XS>(grid_of_iq2_xs(), in, n, x);
}

void dequantize_iq2_s(const uint8_t* in, int n, float* x) {
    dequantize_on_grid<8, BlockIQ2_S>(grid_of_iq2_s(), in, n, x);
}

void dequantize_iq3_xxs(const uint8_t* in, int n, float* x) {
    dequantize_on_grid<4, BlockIQ3_XXS>(grid_of_iq3_xxs(), in, n, x);
}

void dequantize_iq3_s(const uint8_t* in, int n, float* x) {
    dequantize_on_grid<4, BlockIQ3_S>(grid_of_iq3_s(), in, n, x);
}

template <class Block>
static inline void dequantize_shifted(const uint8_t* in, int n, float* x) {
    const Grid& grid = grid_of_iq1();
    const auto* block = reinterpret_cast<const Block*>(in);
    for (int start = 0; start < n; start += SUPER, ++block) {
        each_point(*block, [&](int number, int point, float shift, float scale) {
            for (int i = 0; i < 8; i += 4)
                store(x + start + 8 * number + i, (load<F4>(grid.sizes_at(point) + i) + shift) * scale);
        });
    }
}

void dequantize_iq1_s(const uint8_t* in, int n, float* x) { dequantize_shifted<BlockIQ1_S>(in, n, x); }

void dequantize_iq1_m(const uint8_t* in, int n, float* x) { dequantize_shifted<BlockIQ1_M>(in, n, x); }

}  // namespace ggufpress::GGUFPRESS_ISA
