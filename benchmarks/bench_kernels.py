"""Times the kernels against ggml's own, in one process on one core, and prints speed and ratio per type.

    python benchmarks/bench_kernels.py [--isa NAME]... [--type NAME]... [--rows 256] [--cols 4096] [--repeat 5]

ggml is the shared library inside the PyPI wheel xllamacpp. Each figure is the best of --repeat runs, ours and ggml's
taking turns. Mw/s: million weights per second. Dequantize: GB/s of float32 written.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.processes import cpu
from ggufpress import _native
from ggufpress.quant.types import F32, QType, qtype_named
from tests.native import ggml_oracle
from tests.native.cases import NEEDS_IMPORTANCE, QUANTIZED, USES_IMPORTANCE


def best_seconds(ours: Callable[[], object], ggmls: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Fastest run of each, taking turns so that both see the same machine."""
    best = [float("inf"), float("inf")]
    for _ in range(repeat):
        for i, call in enumerate((ours, ggmls)):
            start = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - start)
    return best[0], best[1]


def quantize_seconds(
    x: NDArray[np.float32], qtype: QType, importance: NDArray[np.float32] | None, repeat: int
) -> tuple[float, float]:
    rows, cols = x.shape
    out, wanted = np.empty((2, rows, qtype.row_bytes(cols)), np.uint8)
    library = ggml_oracle.library()
    pointer = None if importance is None else importance.ctypes.data
    seconds = best_seconds(
        lambda: _native.convert(x, F32.id, F32.id, out, qtype.id, cols, importance),
        lambda: library.ggml_quantize_chunk(qtype.id, x.ctypes.data, wanted.ctypes.data, 0, rows, cols, pointer),
        repeat,
    )
    assert np.array_equal(out, wanted), f"{qtype} differs from ggml"
    return seconds


def dequantize_seconds(x: NDArray[np.float32], qtype: QType, repeat: int) -> tuple[float, float]:
    cols = x.shape[1]
    blocks, out, wanted = ggml_oracle.quantize(x, qtype, np.ones(cols, np.float32)), np.empty_like(x), np.empty_like(x)
    to_float = ggml_oracle.library().ggml_get_type_traits(qtype.id).contents.to_float
    seconds = best_seconds(
        lambda: _native.dequantize(blocks, qtype.id, out, cols),
        lambda: to_float(blocks.ctypes.data, wanted.ctypes.data, x.size),
        repeat,
    )
    assert np.array_equal(out, wanted), f"{qtype} differs from ggml"
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--isa", action="append", choices=_native.isas(), help="instruction set (default: the best)")
    parser.add_argument("--type", action="append", help="type name (default: all)")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--cols", type=int, default=4096)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()

    rng = np.random.default_rng(1)
    x = (rng.standard_normal((options.rows, options.cols)) * 0.02).astype(np.float32)
    importance = rng.standard_normal(options.cols).astype(np.float32) ** 2
    chosen = [qtype_named(name) for name in options.type] if options.type else list(QUANTIZED)
    print(f"{cpu()}, {options.rows} x {options.cols} weights, Mw/s (x ggml)")
    print(f"{'isa':8}{'type':8}{'quantize':>16}{'with importance':>20}{'dequantize GB/s':>20}")
    for name in options.isa or [_native.isa()]:
        _native.set_isa(name)
        for qtype in chosen:
            cells: list[str] = []
            for weighted in (False, True):
                if qtype not in USES_IMPORTANCE if weighted else qtype in NEEDS_IMPORTANCE:
                    cells.append("")
                    continue
                ours, ggmls = quantize_seconds(x, qtype, importance if weighted else None, options.repeat)
                cells.append(f"{x.size / ours / 1e6:.0f} ({ggmls / ours:.1f}x)")
            ours, ggmls = dequantize_seconds(x, qtype, options.repeat)
            cells.append(f"{x.nbytes / ours / 1e9:.1f} ({ggmls / ours:.1f}x)")
            print(f"{name:8}{qtype.name:8}{cells[0]:>16}{cells[1]:>20}{cells[2]:>20}", flush=True)


if __name__ == "__main__":
    main()
