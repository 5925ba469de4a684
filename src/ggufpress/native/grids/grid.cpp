#include "grid.hpp"

#include "points.hpp"

namespace ggufpress {

Grid::Grid(const uint16_t* points, int size, int dims, const std::vector<float>& sizes, int rings)
    : points_(points), dims_(dims), bits_(dims == 8 ? 2 : 3), entries_held_(size_t{1} << dims * bits_) {
    const int levels = static_cast<int>(sizes.size());
    auto& entries = entries_held_;
    auto& lists = lists_held_;
    for (int i = 0; i < size; ++i) {
        entries[points[i]] = i + 1;
        for (int k = 0; k < dims; ++k) sizes_held_.push_back(sizes[static_cast<size_t>(digit(points[i], k))]);
    }
    const auto count = static_cast<size_t>(size);
    std::vector<int16_t> digits(count * static_cast<size_t>(dims)), distances(count);
    for (int k = 0; k < dims; ++k)
        for (size_t i = 0; i < count; ++i)
            digits[static_cast<size_t>(k) * count + i] = static_cast<int16_t>(digit(points[i], k));

    for (size_t code = 0; code < entries.size(); ++code) {
        bool possible = true;
        for (int k = 0; k < dims; ++k) possible = possible && digit(static_cast<int>(code), k) < levels;
        if (entries[code] > 0) {
            --entries[code];
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
        const size_t start = lists.size();
        lists.push_back(0);
        int left = rings;
        for (int distance = 0; distance < 256 && left > 0; ++distance) {
            if (!present[distance]) continue;
            --left;
            for (size_t i = 0; i < count; ++i)
                if (distances[i] == distance) lists.push_back(points[i]);
        }
        lists[start] = static_cast<uint16_t>(lists.size() - start - 1);
        entries[code] = ~static_cast<int32_t>(start);
    }
    lists.resize(lists.size() + READ_AHEAD);
    entries_ = entries.data();
    lists_ = lists.data();
    sizes_ = sizes_held_.data();
}

const Grid& grid_of_iq1() {
    static const Grid grid(POINTS_1_BIT_2048, 2048, 8, {-1, 0, 1}, 3);
    return grid;
}

// Sizes of the levels: iq1s_grid, iq2xxs_grid, iq3xxs_grid and iq3s_grid of ggml/src/ggml-common.h.
static const std::vector<float> SIZES_IQ2 = {8, 25, 43};

const Grid& grid_of_iq2_xxs() {
    static const Grid grid(POINTS_2_BITS_256, 256, 8, SIZES_IQ2, 2);
    return grid;
}

const Grid& grid_of_iq2_xs() {
    static const Grid grid(POINTS_2_BITS_512, 512, 8, SIZES_IQ2, 2);
    return grid;
}

const Grid& grid_of_iq2_s() {
    static const Grid grid(POINTS_2_BITS_1024, 1024, 8, SIZES_IQ2, 1);
    return grid;
}

const Grid& grid_of_iq3_xxs() {
    static const Grid grid(POINTS_3_BITS_256, 256, 4, {4, 12, 20, 28, 36, 44, 52, 62}, 2);
    return grid;
}

const Grid& grid_of_iq3_s() {
    static const Grid grid(POINTS_3_BITS_512, 512, 4, {1, 3, 5, 7, 9, 11, 13, 15}, 3);
    return grid;
}

}  // namespace ggufpress
