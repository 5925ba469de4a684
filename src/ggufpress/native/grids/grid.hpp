// The grids of the IQ1, IQ2 and IQ3 types: sets of points that weights may take together, four or eight at a time.
// A point is a code of one digit per weight; digits count levels from the smallest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ggufpress {

/// Codes that may be read past the end of any list of neighbours.
constexpr int READ_AHEAD = 16;

class Grid {
public:
    /// points: ascending codes. levels: digits are below it. rings: how many of the nearest distances count.
    Grid(const uint16_t* points, int size, int dims, int levels, int rings);

    int size() const { return size_; }
    int bits() const { return bits_; }
    uint16_t point(int index) const { return points_[index]; }
    int digit(int code, int k) const { return code >> bits_ * k & ((1 << bits_) - 1); }

    /// Index of the point with this code, or -1.
    int index_of(int code) const {
        const int32_t entry = entries_[static_cast<size_t>(code)];
        return entry >= 0 ? entry : -1;
    }

    /// Codes of points, nearest first and at equal distance by index.
    struct Neighbours {
        const uint16_t* codes;
        int count;
    };

    /// The points at the smallest `rings` distances from a code that is no point itself.
    Neighbours neighbours_of(int code) const {
        const uint16_t* list = lists_.data() + ~entries_[static_cast<size_t>(code)];
        return {list + 1, list[0]};
    }

private:
    const uint16_t* points_;
    int size_;
    int bits_;
    /// By code: the index of a point, or the complement of where in lists_ its neighbours are.
    std::vector<int32_t> entries_;
    /// Counts, each before as many codes.
    std::vector<uint16_t> lists_;
};

/// Grids are built at first use; building takes some milliseconds.
const Grid& grid_of_iq1();
const Grid& grid_of_iq2_xxs();
const Grid& grid_of_iq2_xs();
const Grid& grid_of_iq2_s();
const Grid& grid_of_iq3_xxs();
const Grid& grid_of_iq3_s();

}  // namespace ggufpress
