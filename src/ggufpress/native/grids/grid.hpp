// The grids of the IQ1, IQ2 and IQ3 types: sets of points that weights may take together, four or eight at a time.
// A point is a code of one digit per weight; digits count levels from the smallest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ggufpress {

/// Codes that may be read past the end of any list of neighbours.
constexpr int READ_AHEAD = 16;

/// Inlined always, and without templates of std: kernels of every instruction set call it, and the linker would merge
/// their copies.
class Grid {
public:
    /// points: ascending codes. sizes: one per level, digits are below their number. rings: how many of the nearest
    /// distances count.
    Grid(const uint16_t* points, int size, int dims, const std::vector<float>& sizes, int rings);
    /// Not copied: what it points into is its own.
    Grid(const Grid&) = delete;
    Grid& operator=(const Grid&) = delete;

    [[gnu::always_inline]] int bits() const { return bits_; }
    [[gnu::always_inline]] int point(int index) const { return points_[index]; }
    [[gnu::always_inline]] int digit(int code, int k) const { return code >> bits_ * k & ((1 << bits_) - 1); }

    /// The size of each weight of a point.
    [[gnu::always_inline]] const float* sizes_at(int index) const { return sizes_ + dims_ * index; }

    /// Index of the point with this code, or -1.
    [[gnu::always_inline]] int index_of(int code) const { return entries_[code] >= 0 ? entries_[code] : -1; }

    /// Codes of points, nearest first and at equal distance by index.
    struct Neighbours {
        const uint16_t* codes;
        int count;
    };

    /// The points at the smallest `rings` distances from a code that is no point itself.
    [[gnu::always_inline]] Neighbours neighbours_of(int code) const {
        const uint16_t* list = lists_ + ~entries_[code];
        return {list + 1, list[0]};
    }

private:
    const uint16_t* points_;
    int dims_;
    int bits_;
    /// By code: the index of a point, or the complement of where in lists_ its neighbours are.
    const int32_t* entries_;
    /// Counts, each before as many codes.
    const uint16_t* lists_;
    const float* sizes_;
    std::vector<int32_t> entries_held_;
    std::vector<uint16_t> lists_held_;
    std::vector<float> sizes_held_;
};

/// Grids are built at first use; the largest takes some tenths of a second.
const Grid& grid_of_iq1();
const Grid& grid_of_iq2_xxs();
const Grid& grid_of_iq2_xs();
const Grid& grid_of_iq2_s();
const Grid& grid_of_iq3_xxs();
const Grid& grid_of_iq3_s();

}  // namespace ggufpress
