"""`ggufpress eval` against llama-perplexity, whole processes, in one run and with the same build of llama.cpp.

    python benchmarks/bench_eval.py FOLDER [--source DIR] [--type Q4_K_M] [--chunks N] [--runs 3]

FOLDER holds llama-perplexity and libllama.so, built as tools/record_quality.py says. What is measured: the perplexity
and KL divergence of one file beside F16. llama-perplexity takes two runs for it, one of which writes all
probabilities to a file; ggufpress takes one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.processes import GGUFPRESS, ROOT, machine, measure, median
from ggufpress import quantize
from ggufpress.texts import VALID


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", type=Path)
    parser.add_argument("--source", default=str(ROOT / "models" / "bard-4m"))
    parser.add_argument("--type", default="Q4_K_M")
    parser.add_argument("--chunks", type=int, default=33)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    tools = options.tools.resolve()
    os.environ["GGUFPRESS_LLAMA"] = str(tools / "libllama.so")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base, other = (
            file.path
            for file in quantize(options.source, ["F16", options.type], output=folder, allow_requantize=True).files
        )
        logits = folder / "logits"
        chunks = ["--chunks", str(options.chunks)]
        threads = str(options.threads)
        tool = [str(tools / "llama-perplexity"), "-t", threads]
        write = [*tool, "-m", str(base), "-f", str(VALID), *chunks, "--save-all-logits", str(logits)]
        read = [*tool, "-m", str(other), "--kl-divergence-base", str(logits), "--kl-divergence"]
        alone = [*tool, "-m", str(other), "-f", str(VALID), *chunks]
        ours = [*GGUFPRESS, "eval", str(other), "--text", str(VALID), *chunks, "--threads", threads, "--quiet"]
        rows = {
            "perplexity": (ours, [alone]),
            "perplexity and KL divergence": ([*ours, "--reference", str(base)], [write, read]),
        }
        print(f"{machine()}, {options.runs} runs, {options.type}, {options.chunks} chunks\n")
        print(
            "| | ggufpress | anonymous | RSS | llama-perplexity | anonymous | RSS | ratio | its file |\n|---|"
            + "---:|" * 8
        )
        for what, (mine, theirs) in rows.items():
            costs = []
            for _ in range(options.runs):
                own, peer = measure(mine), [measure(command) for command in theirs]
                costs.append((own, peer[0] if len(peer) == 1 else peer[0] + peer[1]))
            us, them = median([pair[0] for pair in costs]), median([pair[1] for pair in costs])
            file = f"{logits.stat().st_size / 1e6:.0f} MB" if len(theirs) > 1 else ""
            print(
                f"| {what} | {us.seconds:.2f} s | {us.anonymous:.0f} MB | {us.resident:.0f} MB | {them.seconds:.2f} s | "
                f"{them.anonymous:.0f} MB | {them.resident:.0f} MB | {us.seconds / them.seconds:.2f}x | {file} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
