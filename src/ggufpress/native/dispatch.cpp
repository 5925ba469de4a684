#include "dispatch.hpp"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "tables.hpp"

namespace ggufpress {

namespace {

using Table = const Kernels& (*)();

std::vector<Table> supported_tables() {
    std::vector<Table> tables;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        tables.push_back(avx512::kernels);
    if (__builtin_cpu_supports("avx2")) tables.push_back(avx2::kernels);
    tables.push_back(sse2::kernels);
#elif defined(__aarch64__)
    tables.push_back(neon::kernels);
#endif
    tables.push_back(scalar::kernels);
    return tables;
}

const Kernels& table_named(const std::string& name, const char* where) {
    std::string names;
    for (const Table table : supported_tables()) {
        if (name == table().name) return table();
        names += names.empty() ? table().name : std::string(" ") + table().name;
    }
    throw std::invalid_argument(std::string(where) + " is '" + name + "', this machine has: " + names);
}

std::atomic<const Kernels*> active{nullptr};

}  // namespace

std::vector<std::string> supported_isas() {
    std::vector<std::string> names;
    for (const Table table : supported_tables()) names.emplace_back(table().name);
    return names;
}

const Kernels& active_kernels() {
    const Kernels* table = active.load();
    if (table == nullptr) {
        const char* forced = std::getenv("GGUFPRESS_ISA");
        table = forced && *forced ? &table_named(forced, "GGUFPRESS_ISA") : &supported_tables().front()();
        active.store(table);
    }
    return *table;
}

void set_isa(const std::string& name) { active.store(&table_named(name, "isa")); }

}  // namespace ggufpress
