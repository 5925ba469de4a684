// Quantizes and dequantizes the same inputs with every table of kernels of this machine and prints a hash of what the
// scalar ones make. Fails where another table differs. The output must be the same on every kind of processor.
#include <cmath>
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

int main() {
    const FloatMode mode;
#if defined(__x86_64__)
    const Kernels* others[] = {&sse2::kernels()};
#else
    const Kernels* others[] = {&neon::kernels()};
#endif
    const Kernels& scalar = scalar::kernels();
    int failures = 0;
    for (int type = 0; type < TYPE_COUNT; ++type) {
        const BlockSize size = block_size(type);
        if (scalar.of[type].quantize == nullptr) continue;
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
                    for (const Kernels* other : others) {
                        other->of[type].quantize(chunk, made.data());
                        other->of[type].dequantize(wanted.data(), n, other_values.data());
                        if (made != wanted || std::memcmp(values.data(), other_values.data(), 4 * x.size()) != 0) {
                            std::fprintf(stderr, "%s differs: type %d, family %d, %d weights, %s\n", other->name, type,
                                         family, n, weighted ? "weighted" : "plain");
                            ++failures;
                        }
                    }
                    std::printf("type %d family %d n %d weighted %d: %08x %08x\n", type, family, n, weighted,
                                hash(wanted.data(), wanted.size()), hash(values.data(), 4 * values.size()));
                }
            }
        }
    }
    return failures != 0;
}
