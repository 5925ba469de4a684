"""Measure every preset of a model and write docs/quality/NAME.md and NAME.svg: size, perplexity, divergence, seconds, hash.

    python tools/write_quality.py NAME SOURCE                 NAME is the page's
    ... --quantize "CMD"       also make each file with llama-quantize, called CMD IN OUT TYPE [--imatrix FILE], and
                               compare the hashes; CMD is that of tools/record_expected.py
    ... --chunks N --type T... --allow-requantize --about TEXT
Needs an installed llama.cpp. Presets that need importance get it from the bundled calibration.txt.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.processes import machine
from ggufpress import quantize
from ggufpress.imatrix.auto import auto_matrix
from ggufpress.plots.quality import Point, pareto_front, quality_plot
from ggufpress.quality.chunks import read_text
from ggufpress.quality.measure import Evaluation, measure
from ggufpress.recipe.presets import ALL
from ggufpress.texts import VALID

PAGES = Path(__file__).resolve().parent.parent / "docs" / "quality"
NEEDS_IMPORTANCE = tuple(preset.name for preset in ALL if preset.needs_imatrix)
HEAD = (
    "preset",
    "size",
    "bpw",
    "PPL",
    "KLD",
    "99 % KLD",
    "same top",
    "front",
    "seconds",
    "sha256",
    "llama-quantize's file",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("source")
    parser.add_argument("--quantize")
    parser.add_argument("--chunks", type=int)
    parser.add_argument("--type", action="append", dest="types")
    parser.add_argument("--allow-requantize", action="store_true")
    parser.add_argument("--about", default="")
    options = parser.parse_args()
    types = options.types or [preset.name for preset in ALL]
    matrix = auto_matrix(options.source) if set(types) & set(NEEDS_IMPORTANCE) else None
    PAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        base = Path(options.source)
        if base.is_dir():
            base = quantize(options.source, ["AUTO"], output=work / f"{options.name}-base.gguf").files[0].path
        made, seconds, hashes = [], [], []
        for name in types:
            imatrix = matrix if name in NEEDS_IMPORTANCE else None
            path = work / f"{options.name}-{name}.gguf"
            report = quantize(options.source, [name], output=path, imatrix=imatrix, allow_requantize=options.allow_requantize,
                              layout="quantize")  # fmt: skip
            made.append(path)
            seconds.append(report.seconds)
            theirs = None
            if options.quantize:
                theirs = quantized_by(
                    options.quantize, base, work / "theirs.gguf", name, imatrix, options.allow_requantize
                )
            hashes.append((report.files[0].sha256, theirs))
        found = measure(made, read_text(VALID), VALID.name, reference=base, n_chunks=options.chunks)
        text = page(options, found, types, seconds, hashes)
        plot = quality_plot(found, options.name)
    (PAGES / f"{options.name}.md").write_text(text, encoding="utf-8")
    (PAGES / f"{options.name}.svg").write_text(plot, encoding="utf-8")


def quantized_by(command: str, base: Path, path: Path, name: str, imatrix: Path | None, again: bool) -> str:
    """The sha256 of what llama-quantize makes."""
    words = [*shlex.split(command), str(base), str(path), name]
    words += ["--imatrix", str(imatrix)] if imatrix else []
    words += ["--allow-requantize"] if again else []
    subprocess.run(words, check=True, capture_output=True)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def page(
    options: argparse.Namespace, found: Evaluation, types: list[str], seconds: list[float],
    hashes: list[tuple[str, str | None]],
) -> str:  # fmt: skip
    """The page as Markdown."""
    assert found.reference is not None
    apart = [file.divergence for file in found.files]
    points = [Point("", file.nbytes, d.kld.value, 0) for file, d in zip(found.files, apart, strict=True) if d]
    front = pareto_front(points)
    rows = []
    for number, (file, d, name) in enumerate(zip(found.files, apart, types, strict=True)):
        assert d is not None
        ours, theirs = hashes[number]
        rows.append(
            (
                name + (" *" if name in NEEDS_IMPORTANCE else ""), f"{file.nbytes / 1e6:.2f} MB", f"{file.bpw:.2f}",
                f"{file.ppl.value:.3f} ± {file.ppl.error:.3f}", f"{d.kld.value:.6f} ± {d.kld.error:.6f}",
                f"{d.kld_percentiles[99.0]:.5f}", f"{d.same_top.value:.2%}", "yes" if number in front else "",
                f"{seconds[number]:.1f}", f"`{ours[:12]}`",
                "not made" if theirs is None else "the same bytes" if theirs == ours else f"`{theirs[:12]}`: another",
            )
        )  # fmt: skip
    reference = found.reference
    lines = [
        f"# {options.name}: what each preset costs\n",
        "<!-- written by tools/write_quality.py -->\n",
        *([options.about + "\n"] if options.about else []),
        f"![KL divergence against size]({options.name}.svg)\n",
        f"Reference: {reference.nbytes / 1e6:.2f} MB, {reference.bpw:.2f} bits per weight, perplexity "
        f"{reference.ppl.value:.3f} ± {reference.ppl.error:.3f}. "
        f"Text: {found.text}, {reference.n_chunks} chunks of {found.n_ctx} tokens, "
        f"{reference.n_tokens:,} of them scored. {found.library}.\n",
        "KLD is the mean Kullback-Leibler divergence from the reference in nats per token, *same top* how often the likeliest "
        "token is the same, *front* whether no other file is both smaller and better by KLD. Seconds are those of `ggufpress "
        f"quantize` for this file alone, hashing and reading back included, on {machine()}, while other programs ran. "
        "Files are in llama-quantize's order (`--layout quantize`); where the bytes are the same, so are all figures.\n",
        "| " + " | ".join(HEAD) + " |",
        "|---|" + "---:|" * 6 + "---|---:|---|---|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]  # fmt: skip
    if set(types) & set(NEEDS_IMPORTANCE):
        lines.append("\n\\* with an importance matrix from the bundled calibration.txt, as `--imatrix auto` makes it")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
