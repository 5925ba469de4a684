"""The figures beside those that llama-perplexity printed of the same files and text (tools/record_quality.py)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ggufpress.quality.chunks import read_text
from ggufpress.quality.figures import Divergence, Estimate, divergence, mean, percentile, perplexity
from ggufpress.quality.measure import measure
from ggufpress.quality.probabilities import Compared
from ggufpress.texts import VALID
from tests.quality.recorded import DATA, RUNS, Run

PART = {"Median": 50.0} | {
    f"{share:.1f}%": share for share in (99.9, 99.0, 95.0, 90.0, 75.0, 25.0, 10.0, 5.0, 1.0, 0.1)
}


def printed(command: str) -> dict[str, list[str]]:
    """The numbers, as text, that the command printed, by the names of their lines."""
    text = (DATA / "perplexity.txt").read_text(encoding="utf-8")
    block = next(block for block in text.split("\n$ ") if block.startswith(command + "\n"))
    found = {}
    for line in block.splitlines()[1:]:
        name, numbers = re.split(r" = |: (?!PPL)", line, maxsplit=1)
        found[" ".join(name.split())] = re.findall(r"-?\d+\.\d+", numbers)
    return found


def named(ppl: Estimate, apart: Divergence) -> dict[str, list[float]]:
    """Our figures by the names of llama-perplexity's lines, in its units."""

    def both(figure: Estimate, unit: float = 1) -> list[float]:
        return [unit * figure.value, unit * figure.error]

    lines = {
        "Mean PPL(Q)": both(ppl),
        "Mean PPL(base)": both(apart.ppl_base),
        "Cor(ln(PPL(Q)), ln(PPL(base)))": [100 * apart.correlation],
        "Mean ln(PPL(Q)/PPL(base))": both(apart.log_ratio),
        "Mean PPL(Q)/PPL(base)": both(apart.ratio),
        "Mean PPL(Q)-PPL(base)": both(apart.difference),
        "Mean KLD": both(apart.kld),
        "Maximum KLD": [apart.kld_largest],
        "Minimum KLD": [apart.kld_smallest],
        "Mean Δp": both(apart.p_diff, 100),
        "Maximum Δp": [100 * apart.p_diff_largest],
        "Minimum Δp": [100 * apart.p_diff_smallest],
        "RMS Δp": both(apart.p_diff_rms, 100),
        "Same top p": both(apart.same_top, 100),
    }
    for part, share in PART.items():
        if share not in (75, 25):
            lines[f"{part} KLD"] = [apart.kld_percentiles[share]]
        lines[f"{part} Δp"] = [100 * apart.p_diff_percentiles[share]]
    return lines


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.type)
def test_figures_are_llama_perplexity_s_to_the_last_printed_digit(run: Run, bard: dict[str, Path]) -> None:
    found = measure(
        [bard[run.type]],
        read_text(VALID),
        "valid.txt",
        reference=bard["F16"],
        n_ctx=run.n_ctx,
        n_chunks=run.n_chunks,
        n_threads=1,
    )
    options = " ".join(run.options)
    base = printed(f"llama-perplexity -m bard-4m-F16.gguf -f valid.txt {options} --save-all-logits logits")
    other = printed(
        f"llama-perplexity -m bard-4m-{run.type}.gguf {options} --kl-divergence-base logits --kl-divergence"
    )
    assert found.reference is not None
    reference, (file,) = found.reference, found.files
    assert file.divergence is not None
    ours = named(file.ppl, file.divergence) | {"Final estimate: PPL": [reference.ppl.value, reference.ppl.error]}
    theirs = base | other
    assert theirs.keys() == ours.keys()
    for name, numbers in theirs.items():
        for text, number in zip(numbers, ours[name], strict=True):
            # one unit in the last digit, for where its rounding and ours fall on two sides
            assert abs(number - float(text)) < 1.01 * 10.0 ** -len(text.split(".")[1]), name


def test_without_a_reference_a_file_s_perplexity_is_the_same(bard: dict[str, Path]) -> None:
    run = RUNS[0]
    found = measure([bard["F16"]], read_text(VALID), "valid.txt", n_ctx=run.n_ctx, n_chunks=run.n_chunks, n_threads=1)
    assert f"{found.files[0].ppl.value:.4f} +/- {found.files[0].ppl.error:.5f}" == "78.9378 +/- 5.50287"
    assert found.files[0].divergence is None


def test_a_model_is_as_good_as_itself(bard: dict[str, Path]) -> None:
    found = measure(
        [bard["Q2_K"]], read_text(VALID), "valid.txt", reference=bard["Q2_K"], n_ctx=64, n_chunks=6, n_threads=1
    )
    apart = found.files[0].divergence
    assert apart is not None
    assert abs(apart.kld.value) < 1e-5
    assert apart.same_top.value > 0.99
    assert abs(apart.ratio.value - 1) < 1e-4


def test_means_have_standard_errors() -> None:
    values = np.arange(12, dtype=np.float64)
    assert mean(values).value == 5.5
    assert mean(values).error == pytest.approx(values.std() / np.sqrt(11))
    assert mean(values[:10]).error == 0
    assert perplexity(np.zeros(20)) == Estimate(1, 0)
    assert Estimate(2, 0.01).relative == 0.005
    assert Estimate(0, 1).relative == float("inf")


def test_percentiles_are_interpolated() -> None:
    ordered = np.array([0, 1, 2, 3], np.float32)
    assert percentile(ordered, 0.5) == 1.5
    assert percentile(ordered, 1) == 3


def test_equal_probabilities_have_no_distance() -> None:
    ones, zeros = np.ones(20, np.float32), np.zeros(20, np.float32)
    apart = divergence(Compared(ones, ones, zeros, zeros, np.ones(20, np.bool_)))
    assert (apart.correlation, apart.p_diff_rms.value, apart.same_top.value, apart.kld.value) == (1, 0, 1, 0)
