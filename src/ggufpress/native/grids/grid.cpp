#include "grid.hpp"

#include "points.hpp"

namespace ggufpress {

Grid::Grid(const uint16_t* points, int size, int dims, int levels, int rings)
    : points_(points), size_(size), bits_(dims == 8 ? 2 : 3), entries_(size_t{1} << dims * bits_) {
    for (int i = 0; i < size; ++i) entries_[points[i]] = i + 1;
    const auto count = static_cast<size_t>(size);
    std::vector<int16_t> digits(count * static_cast<size_t>(dims)), distances(count);
    for (int k = 0; k < dims; ++k)
        for (size_t i = 0; i < count; ++i)
            digits[static_cast<size_t>(k) * count + i] = static_cast<int16_t>(digit(points[i], k));

    for (size_t code = 0; code < entries_.size(); ++code) {
        bool possible = true;
        for (int k = 0; k < dims; ++k) possible = possible && digit(static_cast<int>(code), k) < levels;
        if (entries_[code] > 0) {
            --entries_[code];
            continue;
        }
        if (!possible) continue;
        for (auto& distance : distances) distance = 0;
        for (int k = 0; k < dims; ++k) {
            const auto from = static_cast<int16_t>(digit(static_cast<int>(code), k));
            const int16_t* to = digits.data() + static_cast<size_t>(k) * count;
            for (size_t i = 0; i < count; ++i) {
                const auto step = static_cast<int16_t>(to[i] - from);
                distances[i] = static_cast<int16_t>(distances[i] + step * step);
            }
        }
        bool present[256] = {};
        for (const int16_t distance : distances) present[distance] = true;
        const size_t start = lists_.size();
        lists_.push_back(0);
        int left = rings;
        for (int distance = 0; distance < 256 && left > 0; ++distance) {
            if (!present[distance]) continue;
            --left;
            for (size_t i = 0; i < count; ++i)
                if (distances[i] == distance) lists_.push_back(points[i]);
        }
        lists_[start] = static_cast<uint16_t>(lists_.size() - start - 1);
        entries_[code] = ~static_cast<int32_t>(start);
    }
    lists_.resize(lists_.size() + READ_AHEAD);
}

const Grid& grid_of_iq1() {
    static const Grid grid(POINTS_1_BIT_2048, 2048, 8, 3, 3);
    return grid;
}

const Grid& grid_of_iq2_xxs() {
    static const Grid grid(POINTS_2_BITS_256, 256, 8, 3, 2);
    return grid;
}

const Grid& grid_of_iq2_xs() {
    static const Grid grid(POINTS_2_BITS_512, 512, 8, 3, 2);
    return grid;
}

const Grid& grid_of_iq2_s() {
    static const Grid grid(POINTS_2_BITS_1024, 1024, 8, 3, 1);
    return grid;
}

const Grid& grid_of_iq3_xxs() {
    static const Grid grid(POINTS_3_BITS_256, 256, 4, 8, 2);
    return grid;
}

const Grid& grid_of_iq3_s() {
    static const Grid grid(POINTS_3_BITS_512, 512, 4, 8, 3);
    return grid;
}

}  // namespace ggufpress
