"""Record what C++'s std::regex finds with random patterns: tests/data/expected/patterns.json.xz.

    python tools/record_patterns.py [--compiler g++]

The compiler must use libstdc++, as the builds of llama.cpp for Linux do.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.tiny_checkpoints import DATA  # noqa: E402

TARGET = DATA / "expected" / "patterns.json.xz"
COUNT = 3000
PARTS = (*"aab-.[]()|*+?{}^$\\,01259_=!:kx", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\b", r"\B", "[^", "(?:", "(?=", "(?!",
         "[[:alpha:]]", "[:digit:]", "[a-b]", r"\.", "{1,2}", "{2}", "blk", "ffn", r"\1", r"\x61", r"\cA", "[.a.]", "[=b=]",
         "(a|b)", "?", "weight")  # fmt: skip
NAMES = ["blk.0.ffn_up.weight", "aab", "a-b.1", "ab01259_k", "blk", "]", "}", "=x!:,{"]
PROGRAM = r"""
#include <iostream>
#include <regex>
#include <string>
int main() {
    std::string pattern, name;
    while (std::getline(std::cin, pattern) && std::getline(std::cin, name)) {
        try {
            std::cout << std::regex_search(name, std::regex(pattern)) << '\n';
        } catch (const std::regex_error &) {
            std::cout << "E\n";
        }
    }
}
"""


def main() -> None:
    """Make patterns from a fixed seed, and write what is found: per pattern a digit for each name, or E for an error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    options = parser.parse_args()
    chance = random.Random(7)
    patterns = {"".join(chance.choices(PARTS, k=chance.randint(1, 9))): "" for _ in range(COUNT)}
    with tempfile.TemporaryDirectory() as temporary:
        program = Path(temporary) / "search"
        command = [options.compiler, "-std=c++17", "-O1", "-x", "c++", "-", "-o", str(program)]
        subprocess.run(command, input=PROGRAM, text=True, check=True)
        lines = "".join(f"{pattern}\n{name}\n" for pattern in patterns for name in NAMES)
        done = subprocess.run([str(program)], input=lines, capture_output=True, text=True, check=True)
    answers = iter(done.stdout.split())
    for pattern in patterns:
        found = "".join(next(answers) for _ in NAMES)
        patterns[pattern] = "E" if "E" in found else found
    data = json.dumps({"names": NAMES, "found": patterns}, separators=(",", ":"))
    TARGET.write_bytes(lzma.compress(data.encode(), preset=9))
    print(f"{len(patterns)} patterns, {sum(found != 'E' for found in patterns.values())} of them valid")


if __name__ == "__main__":
    main()
