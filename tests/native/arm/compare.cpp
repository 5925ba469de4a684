// Quantizes, dequantizes and sums up the same inputs with the scalar kernels and with this machine's four lanes, and
// prints a hash of what the scalar ones make. Fails where the others differ. The output must be the same on every kind of processor.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <vector>

#include "../../../src/ggufpress/native/float_mode.hpp"
#include "../../../src/ggufpress/native/tables.hpp"

using namespace ggufpress;

static uint32_t state = 1;

static float uniform() {
    state = state * 1664525u + 1013904223u;
    return static_cast<float>(state >> 8) / 8388608.0f - 1;
}

/// Inputs by family: bell-shaped, with outliers, tiny, with zero groups, on a grid, below every threshold.
static void fill(int family, std::vector<float>& x) {
    for (size_t i = 0; i < x.size(); ++i) {
        float v = 0.02f * (uniform() + uniform() + uniform());
        if (family == 1 && i % 29 == 0) v *= 1000;
        if (family == 2) v *= 1e-9f;
        if (family == 3 && i / 32 % 3 == 1) v = 0;
        if (family == 4) v = static_cast<float>(static_cast<int>(v * 200 + 100) - 100) * 0.125f;
        if (family == 5) v *= 1e-37f;
        x[i] = v;
    }
}

static uint32_t hash(const void* data, size_t n) {
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < n; ++i) sum = (sum ^ static_cast<const uint8_t*>(data)[i]) * 16777619u;
    return sum;
}

/// Values of types that are only read: random bytes, with a Q8_K's d finite.
static int compare_reading(const Kernels& scalar, const Kernels& other, int type) {
    const BlockSize size = block_size(type);
    const int n = 16 * size.weights;
    std::vector<uint8_t> blocks(16 * static_cast<size_t>(size.bytes));
    for (uint8_t& byte : blocks) byte = static_cast<uint8_t>(128 * (uniform() + 1));
    for (int i = 0; type == Q8_K && i < 16; ++i) reinterpret_cast<BlockQ8_K*>(blocks.data())[i].d = uniform();
    std::vector<float> values(static_cast<size_t>(n)), other_values(values.size());
    scalar.of[type].dequantize(blocks.data(), n, values.data());
    other.of[type].dequantize(blocks.data(), n, other_values.data());
    std::printf("type %d read: %08x\n", type, hash(values.data(), 4 * values.size()));
    if (std::memcmp(values.data(), other_values.data(), 4 * values.size()) == 0) return 0;
    std::fprintf(stderr, "%s differs: type %d read\n", other.name, type);
    return 1;
}

/// What is measured on floats, with and without a rest after the last whole vector.
static int compare_sums(const Kernels& scalar, const Kernels& other) {
    constexpr size_t SUMS = offsetof(Differences, max_abs) + sizeof(float);
    int failures = 0;
    for (int n : {256, 253}) {
        std::vector<float> rows[7];
        const float* from[7];
        for (int i = 0; i < 7; ++i) {
            rows[i].resize(static_cast<size_t>(n));
            fill(i % 2, rows[i]);
            from[i] = rows[i].data();
        }
        float squares[2][7] = {};
        Differences differences[2] = {};
        int bad[2] = {};
        for (const Kernels* table : {&scalar, &other}) {
            const int t = table == &other;
            table->add_squares(from, 7, n, squares[t]);
            table->add_differences(from[0], from[1], n, differences[t]);
            for (int where = 0; where <= n; ++where) {
                std::vector<float> x = rows[0];
                if (where < n) x[static_cast<size_t>(where)] = -INFINITY;
                bad[t] += table->first_nonfinite(x.data(), n) == where;
            }
        }
        std::printf("sums n %d: %08x %08x %d\n", n, hash(squares[0], sizeof squares[0]),
                    hash(&differences[0], SUMS), bad[0]);
        if (std::memcmp(squares[0], squares[1], sizeof squares[0]) != 0 || bad[0] != n + 1 || bad[1] != n + 1 ||
            std::memcmp(&differences[0], &differences[1], SUMS) != 0) {
            std::fprintf(stderr, "%s differs: sums of %d\n", other.name, n);
            ++failures;
        }
    }
    return failures;
}

int main() {
    const FloatMode mode;
#if defined(__x86_64__)
    const Kernels& other = sse2::kernels();
#else
    const Kernels& other = neon::kernels();
#endif
    const Kernels& scalar = scalar::kernels();
    int failures = compare_sums(scalar, other);
    for (int type = 0; type < TYPE_COUNT; ++type) {
        const BlockSize size = block_size(type);
        if (scalar.of[type].dequantize == nullptr) continue;
        if (scalar.of[type].quantize == nullptr) {
            failures += compare_reading(scalar, other, type);
            continue;
        }
        for (int family = 0; family < 6; ++family) {
            for (int n : {256, 1280, CHUNK}) {
                std::vector<float> x(static_cast<size_t>(n)), importance(x.size()), mean_sq(x.size() / 32, 1e-4f);
                fill(family, x);
                for (float& v : importance) v = std::fabs(uniform());
                for (int weighted = needs_importance(type); weighted < 2; ++weighted) {
                    const Chunk chunk = {x.data(), weighted ? importance.data() : nullptr, mean_sq.data(), n};
                    std::vector<uint8_t> wanted(x.size() / static_cast<size_t>(size.weights) * static_cast<size_t>(size.bytes));
                    std::vector<uint8_t> made(wanted.size());
                    std::vector<float> values(x.size()), other_values(x.size());
                    scalar.of[type].quantize(chunk, wanted.data());
                    scalar.of[type].dequantize(wanted.data(), n, values.data());
                    other.of[type].quantize(chunk, made.data());
                    other.of[type].dequantize(wanted.data(), n, other_values.data());
                    if (made != wanted || std::memcmp(values.data(), other_values.data(), 4 * x.size()) != 0) {
                        std::fprintf(stderr, "%s differs: type %d, family %d, %d weights, %s\n", other.name, type,
                                     family, n, weighted ? "weighted" : "plain");
                        ++failures;
                    }
                    std::printf("type %d family %d n %d weighted %d: %08x %08x\n", type, family, n, weighted,
                                hash(wanted.data(), wanted.size()), hash(values.data(), 4 * values.size()));
                }
            }
        }
    }
    return failures != 0;
}
