"""HF checkpoint -> GGUF, whole processes: ggufpress against llama.cpp's converter and llama-quantize, in one run.

    python benchmarks/bench_convert.py                                          ggufpress alone
    python benchmarks/bench_convert.py --llama-cpp TREE --python PY --quantize "CMD"   and the ratios

Makes a checkpoint of TinyLlama-1.1B's shape with random BF16 weights (2.2 GB) under --folder, once. TREE, PY and CMD
are those of tools/record_expected.py. Each measurement is the median of --runs runs with a warm page cache; memory is the
peak of anonymous memory (RssAnon: without mapped files), sampled every 20 ms, and the kernel's peak RSS.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.checkpoints import Shape, write_checkpoint
from benchmarks.processes import GGUFPRESS, Cost, machine, measure, median

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632,
    "num_hidden_layers": 22, "num_attention_heads": 32, "num_key_value_heads": 4, "vocab_size": 32000,
    "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False,
}  # fmt: skip


def random_values(random: np.random.Generator, shape: Shape) -> bytes:
    """BF16 bits of small weights."""
    values = random.standard_normal(prod(shape), np.float32) * np.float32(0.02)
    return (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "ggufpress-bench")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--llama-cpp", type=Path)
    parser.add_argument("--python")
    parser.add_argument("--quantize")
    options = parser.parse_args()
    given = (options.llama_cpp, options.python, options.quantize)
    if any(given) and not all(given):
        parser.error("--llama-cpp, --python and --quantize go together")
    source = options.folder / "tinyllama-shaped"
    if not (source / "model.safetensors").exists():
        write_checkpoint(source, CONFIG, partial(random_values, np.random.default_rng(0)))
    out = options.folder / "out"

    def ours(*types: str) -> Cost:
        shutil.rmtree(out, ignore_errors=True)
        named = [argument for name in types for argument in ("-q", name)]
        return measure([*GGUFPRESS, "quantize", str(source), *named, "-o", str(out), "--quiet"])

    def convert(outtype: str) -> Cost:
        script = str(options.llama_cpp / "convert_hf_to_gguf.py")
        path = options.folder / f"peer-{outtype}.gguf"
        return measure([options.python, script, str(source), "--outtype", outtype, "--outfile", str(path)])

    def quantized(preset: str) -> Cost:
        before, after = options.folder / "peer-auto.gguf", options.folder / f"peer-{preset}.gguf"
        return measure([*shlex.split(options.quantize), str(before), str(after), preset])

    jobs: dict[str, tuple[Callable[[], Cost], Callable[[], Cost]]] = {
        "Q4_K_M": (lambda: ours("Q4_K_M"), lambda: convert("auto") + quantized("Q4_K_M")),
        "Q8_0": (lambda: ours("Q8_0"), lambda: convert("q8_0")),
        "F16": (lambda: ours("F16"), lambda: convert("f16")),
        "Q4_K_M + Q8_0 + F16": (
            lambda: ours("Q4_K_M", "Q8_0", "F16"),
            lambda: convert("auto") + quantized("Q4_K_M") + convert("q8_0") + convert("f16"),
        ),
    }
    print(f"{machine()}, {options.runs} runs\n")
    print("| to | ggufpress | anonymous | RSS | llama.cpp | anonymous | RSS | ratio |\n|---|" + "---:|" * 7)
    for name, (own, peer) in jobs.items():
        pairs = [(own(), peer() if options.llama_cpp else None) for _ in range(options.runs)]
        mine = median([pair[0] for pair in pairs])
        row = f"| {name} | {mine.seconds:.1f} s | {mine.anonymous:.0f} MB | {mine.resident:.0f} MB |"
        others = [pair[1] for pair in pairs if pair[1]]
        if others:
            theirs = median(others)
            row += f" {theirs.seconds:.1f} s | {theirs.anonymous:.0f} MB | {theirs.resident:.0f} MB |"
            row += f" {theirs.seconds / mine.seconds:.1f}x |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
