"""Granite Switch: a dense Granite with low-rank adapters built in, one of which is chosen token by token.

How the checkpoint differs from the GGUF layout:

1. The last layer of the config is the switch, which has no weights in GGUF: there is one layer fewer.
2. Queries, keys and values are one matrix; the rows of the first two are permuted per head. So are those of their adapters.
3. Adapters are stacked, with one of zeros before them. Gate and up are one matrix, but their adapters are not.
4. There is no output matrix: llama.cpp uses the embedding.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/granite.py (GraniteSwitchModel).
transformers 4.57.6 has no class for it: the config is read as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import block_count
from ggufpress.arch.families.granite import granite_metadata
from ggufpress.arch.families.granite_moe import shared_expert
from ggufpress.arch.gather import ZEROS, Gather
from ggufpress.arch.layers import BLK, LAYERS, linear, norms, sizes
from ggufpress.arch.ops import Array, Mover, Op, RopePermute, Shape
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.errors import MappingError
from ggufpress.gguf.values import Value, ValueType, array, f32, u32

CLASSES = ("GraniteSwitchForCausalLM",)
NAME = "graniteswitch"
SWITCH = "it belongs to the switch, which llama.cpp makes anew"


@dataclass(frozen=True, slots=True)
class HeadsToPairs(Gather):
    """The rows of the first heads from two halves to pairs, as RopePermute does it; the others stay.

    shapes: (rows, cols) -> the same.
    """

    n_head: int
    head_dim: int

    def out_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        if len(shape) != 2 or self.head_dim % 2 or shape[0] < self.n_head * self.head_dim:
            raise MappingError(f"{list(shape)} does not have {self.n_head} heads of {self.head_dim} rows")
        return shape

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """A run per row of these heads, and one for all others."""
        cols, half = shape[1], self.head_dim // 2
        at, end, permuted = first, first + count, self.n_head * self.head_dim * shape[1]
        while at < min(end, permuted):
            row, inside = divmod(at, cols)
            head, place = divmod(row, self.head_dim)
            taken = min(cols - inside, end - at)
            yield (head * self.head_dim + place % 2 * half + place // 2) * cols + inside, taken
            at += taken
        if at < end:
            yield at, end - at

    def __str__(self) -> str:
        return f"heads-to-pairs({self.n_head} x {self.head_dim})"


@dataclass(frozen=True, slots=True)
class BehindZeros(Gather):
    """Stacked matrices as one, behind one of zeros: (n, 1, rows, cols) -> ((n + 1) * rows, cols)."""

    def out_shape(self, shape: Shape) -> Shape:
        """One matrix more, all in one."""
        if len(shape) != 4 or shape[1] != 1:
            raise MappingError(f"{list(shape)} is no stack of adapters")
        return ((shape[0] + 1) * shape[2], shape[3])

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """A run of zeros, then one of what is stored."""
        n_zeros = prod(shape[2:])
        if (zeros := min(count, max(0, n_zeros - first))) > 0:
            yield ZEROS, zeros
        if zeros < count:
            yield first + zeros - n_zeros, count - zeros

    def __str__(self) -> str:
        return "behind-zeros"


@dataclass(frozen=True, slots=True)
class Stacked(Mover):
    """Rows as a stack of matrices: (n * rows, cols) -> (n, rows, cols)."""

    count: int

    def out_shape(self, shape: Shape) -> Shape:
        """Three axes."""
        if len(shape) != 2 or shape[0] % self.count:
            raise MappingError(f"{list(shape)} does not divide into {self.count} matrices")
        return (self.count, shape[0] // self.count, shape[1])

    def apply(self, rows: Array, period: int) -> Array:
        """The same rows."""
        return rows

    def __str__(self) -> str:
        return f"stacked({self.count})"


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Granite Switch model. Raises ConfigError for a config that does not make sense."""
    n_layer = block_count(raw) - 1
    config = raw.replace(num_hidden_layers=n_layer)
    s = sizes(config)
    if (head_dim := config.optional_integer("projection_head_dim")) is not None:
        s = replace(s, head_dim=head_dim)
    n_ff, rank = config.positive("shared_intermediate_size"), config.positive("max_lora_rank")
    n_slot = config.positive("num_adapters") + 1
    qkv, output = f"{LAYERS}.self_attn.qkv_proj", f"{LAYERS}.self_attn.o_proj"
    both, down = f"{LAYERS}.shared_mlp.input_linear", f"{LAYERS}.shared_mlp.output_linear"
    rows = s.rows_q + 2 * s.rows_kv
    joined = HeadsToPairs(s.n_head + s.n_head_kv, s.head_dim)
    adapted = (
        ("attn_q", qkv, "_slices.0", s.rows_q, s.n_embd, s.n_head),
        ("attn_k", qkv, "_slices.1", s.rows_kv, s.n_embd, s.n_head_kv),
        ("attn_v", qkv, "_slices.2", s.rows_kv, s.n_embd, 0),
        ("attn_output", output, "", s.n_embd, s.rows_q, 0),
        ("ffn_gate", both, "_slices.0", n_ff, s.n_embd, 0),
        ("ffn_up", both, "_slices.1", n_ff, s.n_embd, 0),
        ("ffn_down", down, "", s.n_embd, n_ff, 0),
    )
    rules = []
    for target, hf, end, n_out, n_in, heads in adapted:
        permute: tuple[Op, ...] = (RopePermute(heads * n_slot),) if heads else ()
        for name, ops, shape in (("a", (), (n_slot, rank, n_in)), ("b", permute, (n_slot, n_out, rank))):
            rules.append(Rule(f"{BLK}.{target}.lora_{name}", f"{hf}.lora_{name.upper()}{end}", (*ops, Stacked(n_slot)), shape,
                              gather=BehindZeros()))  # fmt: skip
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="llama",
        metadata=tuple(_metadata(config, n_ff, rank, n_slot - 1, granite_metadata(config, s, NAME))),
        rules=(
            Rule("token_embd.weight", "model.embed_tokens.weight", shape=(s.n_vocab, s.n_embd)),
            *linear("output_norm", "model.norm", (s.n_embd,)),
            *norms(s),
            Rule(f"{BLK}.attn_qkv.weight", f"{qkv}.base_layer.weight", (), (rows, s.n_embd), gather=joined),
            Rule(f"{BLK}.attn_output.weight", f"{output}.base_layer.weight", shape=(s.n_embd, s.rows_q)),
            *(replace(r, source=r.source.replace(".weight", ".base_layer.weight")) for r in shared_expert(s.n_embd, n_ff, "")),
            *rules,
        ),
        drops=(
            Drop("lm_head.weight", "the output matrix is the embedding"),
            *(Drop(f"{prefix}{name}", SWITCH) for prefix in ("", "model.")
              for name in ("switch.*", "adapter_token_ids", "control_to_substitute_lut")),
        ),
    )  # fmt: skip


def _metadata(
    config: Config, n_ff: int, rank: int, n_adapter: int, keys: list[tuple[str, Value]]
) -> list[tuple[str, Value]]:
    found = dict(keys)
    found[f"{NAME}.expert_shared_feed_forward_length"] = u32(n_ff)
    if not config.optional_integer("num_local_experts"):
        found[f"{NAME}.expert_used_count"] = u32(0)
    found[f"{NAME}.adapters.count"] = u32(n_adapter)
    found[f"{NAME}.adapters.lora_rank"] = u32(rank)
    for key, source in (("activate", "adapter_token_ids"), ("substitute", "adapter_substitute_token_ids")):
        ids = config.find(source)
        if not isinstance(ids, list) or not ids or not all(type(x) is int and 0 <= x < 1 << 31 for x in ids):
            raise config.wrong((source,), "a list of token ids")
        found[f"{NAME}.adapters.token_ids_{key}"] = array(ValueType.INT32, ids)
    gain = config.optional_number("control_token_gain")
    found[f"{NAME}.adapters.router_gain"] = f32(15.0 if gain is None else gain)
    return list(found.items())
