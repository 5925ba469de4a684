"""Files and limits whose shards are compared with those of gguf-split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ggufpress.gguf.values import Metadata, Value, ValueType, array, flag, text, u32
from ggufpress.quant.types import BF16, F16, F32, Q4_K, Q8_0
from tests.made_gguf import Spec, make_gguf

LAYER: tuple[Spec, ...] = (
    ("blk.{}.attn_norm.weight", (64,), F32), ("blk.{}.attn_q.weight", (64, 64), F16),
    ("blk.{}.ffn_down.weight", (64, 256), Q4_K), ("blk.{}.ffn_up_exps.weight", (4, 32, 64), Q8_0),
    ("blk.{}.attn_q.bias", (33,), BF16),
)  # fmt: skip
MODEL: tuple[Spec, ...] = (
    ("token_embd.weight", (96, 64), Q8_0),
    ("output_norm.weight", (64,), F32),
    *((name.format(i), shape, qtype) for i in range(7) for name, shape, qtype in LAYER),
)
KEYS: Metadata = {
    "llama.block_count": u32(7), "x.u64": Value(ValueType.UINT64, 1 << 60), "x.i8": Value(ValueType.INT8, -3),
    "x.f64": Value(ValueType.FLOAT64, 0.1), "x.f32": Value(ValueType.FLOAT32, 0.5), "x.flag": flag(True),
    "x.empty": array(ValueType.STRING, []), "x.no_numbers": array(ValueType.INT32, []), "x.nothing": text(""),
    "tokenizer.ggml.tokens": array(ValueType.STRING, ["a", "\u00e9", "", b"\xff\xfe"]),
    "x.flags": array(ValueType.BOOL, [True, False, True]), "x.long": array(ValueType.FLOAT32, [0.25] * 100),
}  # fmt: skip
SPLIT_BEFORE: Metadata = {
    "split.no": Value(ValueType.UINT16, 0), "general.name": text("merged once"),
    "split.count": Value(ValueType.UINT16, 0), "split.tensors.count": Value(ValueType.INT32, 37),
}  # fmt: skip


@dataclass(frozen=True)
class SplitCase:
    """One file and how it is cut. `round_trip`: merging gives the very file."""

    name: str
    options: tuple[str, ...]
    tensors: tuple[Spec, ...] = MODEL
    keys: tuple[tuple[str, Value], ...] = tuple(KEYS.items())
    alignment: int = 32
    round_trip: bool = True

    def make(self, folder: Path) -> Path:
        """The file, in `folder`."""
        return make_gguf(folder / f"{self.name}.gguf", self.tensors, dict(self.keys), alignment=self.alignment)


CASES = (
    SplitCase("by-default", ()),
    SplitCase("one-tensor-each", ("--split-max-tensors", "1")),
    SplitCase("five-tensors-each", ("--split-max-tensors", "5")),
    SplitCase("all-in-one", ("--split-max-tensors", "37")),
    SplitCase("only-keys-first", ("--split-max-tensors", "10", "--no-tensor-first-split")),
    SplitCase("one-megabyte", ("--split-max-size", "1M")),
    SplitCase("larger-than-a-shard", ("--split-max-size", "1M"), (("a", (8,), F32), ("b", (3, 100_000), F32), ("c", (8,), F32))),
    SplitCase("just-fits", ("--split-max-size", "1M"), (("a", (125_000,), F32), ("b", (125_000,), F32), ("c", (1,), F32))),
    SplitCase("by-size-keys-first", ("--split-max-size", "1M", "--no-tensor-first-split"),
              tuple((f"t{i}", (100, 1000), F16) for i in range(12))),
    SplitCase("no-tensors", (), ()),
    SplitCase("thousands", ("--split-max-tensors", "1000"), tuple((f"t.{i}", (i % 5 + 1,), F32) for i in range(3500))),
    SplitCase("longest-names", ("--split-max-tensors", "2"), tuple((f"{i}" + "n" * 62, (4,), F32) for i in range(5))),
    SplitCase("split-before", ("--split-max-tensors", "9"), keys=tuple(SPLIT_BEFORE.items()), round_trip=False),
    SplitCase("leading-ones", ("--split-max-tensors", "2"),
              (("a", (1, 9), F32), ("b", (1, 1, 4, 64), Q8_0), ("c", (3, 1), F32), ("d", (2, 1, 5), F16)), round_trip=False),
    SplitCase("nul", (), keys=(("x", text("ab\0cd")), ("y", array(ValueType.STRING, ["\0a", "b\0", b"\xff\0"]))),
              round_trip=False),
    SplitCase("scalar", (), (("s", (), F32), ("t", (2,), F32)), round_trip=False),
    # where everything is a multiple of 64, gguf-split's padding to 32 makes no difference
    SplitCase("alignment-64-that-fits", ("--split-max-tensors", "2"), tuple((f"t{i}", (16, 16), F32) for i in range(5)),
              (("x.pad", text("p" * 21)),), alignment=64),
    SplitCase("alignment-64-keys-first", ("--split-max-tensors", "2", "--no-tensor-first-split"),
              tuple((f"t{i}", (5,), F32) for i in range(5)), (("x.pad", text("p" * 40)),), alignment=64),
)  # fmt: skip
