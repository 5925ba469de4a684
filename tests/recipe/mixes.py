"""Whole files to be made with importance and rules: which checkpoint, which presets, which options of llama-quantize.

`tools/record_mixes.py` records what llama-quantize makes; `tests/recipe/test_mixes.py` compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ggufpress import plan
from ggufpress.recipe.presets import ALL
from tests.imatrix.files import Sums, dat_bytes, entries_for, gguf_bytes
from tests.tiny_checkpoints import BARD, BY_NAME, make

EVERY = tuple(preset.name for preset in ALL)
BLOCKS = tuple(preset.name for preset in ALL if preset.qtype.quantized)
FEW = ("Q4_K_M", "IQ2_M", "IQ3_XXS", "Q2_K_S", "IQ4_XS", "Q5_0", "IQ1_S")


@dataclass(frozen=True)
class Mix:
    """One set of files. `matrix` names one of MATRICES or is empty, `include` and `exclude` are parts of its names."""

    name: str
    checkpoint: str
    presets: tuple[str, ...]
    matrix: str = ""
    options: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    wide: bool = field(default=False, kw_only=True)


TINY, MOE, ODD, TIED = "Tiny-Llama-4M-Chat-v0.2", "mixtral-4", "odd-96-wide", "tied-linear-rope"
RULES = ("--tensor-type", "attn_v=q8_0", "--tensor-type", r"BLK\.1\.ffn_(up|gate)=iq3_s", "--tensor-type", "ffn_=bf16")
RULES_FOR_ALL = (
    *RULES,
    "--tensor-type",
    "output=f16",
    "--tensor-type",
    "embd=iq2_s",
    "--tensor-type",
    r"attn_(q|k)\.=tq1_0",
)

MIXES = [
    Mix("dense", TINY, EVERY, "gguf"),
    Mix("experts", MOE, EVERY, "gguf"),
    Mix("dense, older matrix", TINY, FEW, "dat"),
    Mix("experts, older matrix", MOE, FEW, "dat"),
    Mix("older matrix without chunks", TINY, ("Q4_K_M",), "bare.dat"),
    Mix("some entries", MOE, ("Q4_K_M", "IQ4_NL", "IQ3_S"), "gguf", include=("attn_v", "blk.1.ffn_down")),
    Mix("without some entries", MOE, ("Q3_K_M", "Q5_K_S"), "gguf", exclude=("ffn_down_exps", "blk.0.attn_k")),
    Mix("pure", TINY, ("Q4_K_M", "Q6_K", "Q3_K_L"), options=("--pure",)),
    Mix("pure with importance", MOE, ("IQ2_M", "IQ3_XXS", "Q4_K_M"), "gguf", ("--pure",)),
    Mix("ends", TINY, ("Q4_K_M", "IQ3_M", "F16", "Q8_0"),
        options=("--token-embedding-type", "q5_1", "--output-tensor-type", "iq4_nl")),
    Mix("tied ends", TIED, ("Q4_K_M", "Q2_K"), options=("--output-tensor-type", "q8_0")),
    Mix("tied ends, both", TIED, ("Q4_K_M",), options=("--output-tensor-type", "q8_0", "--token-embedding-type", "q3_k")),
    Mix("output left", TINY, ("Q4_K_M", "IQ4_XS"), options=("--leave-output-tensor",)),
    Mix("rules", TINY, ("Q4_K_M", "Q3_K_M", "Q8_0"), options=RULES),
    Mix("rules with importance", MOE, ("IQ2_M", "IQ3_XXS", "Q4_K_S"), "gguf", RULES_FOR_ALL),
    Mix("rules that do not fit", ODD, ("Q4_K_M", "IQ3_S"), options=("--tensor-type", "down=q6_k", "--tensor-type", "k=iq2_s")),
    Mix("everything", TIED, ("IQ3_XS", "Q5_K_M"), "gguf",
        ("--pure", "--leave-output-tensor", "--token-embedding-type", "q2_k", *RULES)),
    *(Mix(f"{name}, {matrix or 'none'}", name, EVERY, matrix, wide=True)
      for name in ("deep-gqa", "mixtral-8", ODD, "odd-40-wide", TIED, "bard-4m") for matrix in ("gguf", "dat")),
    *(Mix(f"{name}, rules, {matrix or 'none'}", name, BLOCKS, matrix, RULES, wide=True)
      for name in (TINY, MOE) for matrix in ("gguf", "")),
    *(Mix(f"{name}, {matrix}", name, EVERY, matrix, wide=True) for name in (TINY, MOE) for matrix in ("dat",)),
]  # fmt: skip


def source(name: str, parent: Path) -> Path:
    """The checkpoint called `name`, made under `parent`."""
    return BARD if name == "bard-4m" else make(BY_NAME[name], parent)


def entries(checkpoint: Path) -> dict[str, Sums]:
    """An importance matrix's entries for all layers of a checkpoint."""
    return entries_for((tensor.name, tensor.shape) for tensor in plan(checkpoint, ["COPY"]).outputs[0].tensors)


def matrix_bytes(kind: str, found: dict[str, Sums], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> bytes:
    """The file of a matrix in the format that `kind` names, with these entries alone."""
    kept = {
        name: entry
        for name, entry in found.items()
        if (not include or any(part in name for part in include)) and not any(part in name for part in exclude)
    }
    return gguf_bytes(kept) if kind == "gguf" else dat_bytes(kept, tail=kind == "dat")


def matrix_name(kind: str) -> str:
    """What the matrix's file is called, in the recorded files too."""
    return f"imatrix.{kind}"
