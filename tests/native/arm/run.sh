#!/bin/sh
# Builds compare.cpp for this machine and, with Debian's g++-aarch64-linux-gnu, for arm64, runs the latter under
# qemu-user, and compares what they print. Usage: tests/native/arm/run.sh [build folder]
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
native=$root/src/ggufpress/native
build=${1:-$(mktemp -d)}
flags="-std=gnu++17 -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -Wall -Wextra -Werror -Wno-psabi"

# compiler, name of the instruction set, output
build_for() {
    mkdir -p "$build/$2"
    for file in "$native"/simd/*.cpp "$native"/scalar/*.cpp "$native"/grids/*.cpp "$root"/tests/native/arm/compare.cpp; do
        object=$build/$2/$(basename "$(dirname "$file")")-$(basename "$file").o
        "$1" $flags -DGGUFPRESS_ISA="$2" -DGGUFPRESS_LANES=4 -c "$file" -o "$object"
    done
    "$1" -static "$build/$2"/*.o -o "$build/compare-$2"
}

build_for g++ sse2
build_for aarch64-linux-gnu-g++ neon
"$build/compare-sse2" > "$build/x86-64.txt"
qemu-aarch64 "$build/compare-neon" > "$build/arm64.txt"
cmp "$build/x86-64.txt" "$build/arm64.txt"
echo "arm64 makes the same $(wc -l < "$build/arm64.txt") results as x86-64"
