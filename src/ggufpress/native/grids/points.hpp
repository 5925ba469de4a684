// The points of each grid, see points.cpp.
#pragma once

#include <cstdint>

namespace ggufpress {

extern const uint16_t POINTS_2_BITS_256[256];
extern const uint16_t POINTS_2_BITS_512[512];
extern const uint16_t POINTS_2_BITS_1024[1024];
extern const uint16_t POINTS_1_BIT_2048[2048];
extern const uint16_t POINTS_3_BITS_256[256];
extern const uint16_t POINTS_3_BITS_512[512];

}  // namespace ggufpress
