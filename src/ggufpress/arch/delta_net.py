"""Rules of gated delta nets, the linear attention of Qwen3-Next and Qwen3.5.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/qwen.py (Qwen3NextModel, _LinearAttentionVReorderBase).
"""

from __future__ import annotations

from dataclasses import dataclass

from ggufpress.arch.config import Config
from ggufpress.arch.gather import Gather, Regroup, Reshape, Then
from ggufpress.arch.layers import BLK, LAYERS
from ggufpress.arch.ops import NegExp, Op, SwapColumns
from ggufpress.arch.spec import Rule

HF = f"{LAYERS}.linear_attn"
MAX_HEADS = 1 << 12
"""More than any layer has; a broken config must not make us list runs of rows without end."""


@dataclass(frozen=True, slots=True)
class DeltaNet:
    """The sizes: heads of keys and of values, their dimensions, the length of the convolution."""

    n_embd: int
    n_key: int
    n_value: int
    key_dim: int
    value_dim: int
    kernel: int

    @classmethod
    def of(cls, config: Config, n_embd: int) -> DeltaNet:
        """The sizes that `config` gives. Raises ConfigError where value heads do not divide among key heads."""
        net = cls(
            n_embd,
            config.positive("linear_num_key_heads"),
            config.positive("linear_num_value_heads"),
            config.positive("linear_key_head_dim"),
            config.positive("linear_value_head_dim"),
            config.positive("linear_conv_kernel_dim"),
        )
        if net.n_value % net.n_key or net.n_value > MAX_HEADS:
            expected = f"a multiple of the {net.n_key} key heads, and at most {MAX_HEADS}"
            raise config.wrong(("linear_num_value_heads",), expected)
        return net

    @property
    def inner(self) -> int:
        """Rows of the values."""
        return self.n_value * self.value_dim

    @property
    def keys(self) -> int:
        """Rows of queries and keys together."""
        return 2 * self.n_key * self.key_dim

    @property
    def shared(self) -> int:
        """Value heads per key head."""
        return self.n_value // self.n_key

    def by_turns(self, width: int, kept: int = 0) -> Gather | None:
        """The first value heads of all key heads, then the second ones; `width` rows each, `kept` rows before them."""
        if self.shared == 1:
            return None
        return Regroup(self.n_key, tuple((i * width, (i + 1) * width) for i in range(self.shared)), kept)


def delta_net(net: DeltaNet, sorted_heads: bool) -> tuple[Rule, ...]:
    """All tensors of a layer's linear attention. `sorted_heads`: in Qwen3.5's way, not in Qwen3-Next's."""
    channels = (net.keys + net.inner, net.kernel)
    kernels: Gather = Reshape(channels)
    one_each = columns = None
    if sorted_heads and (heads := net.by_turns(net.value_dim, net.keys)):
        kernels, one_each, columns = Then(Reshape(channels), heads), net.by_turns(1), SwapColumns(net.n_key, net.shared)
    ops: tuple[Op, ...] = (columns,) if columns else ()
    return (
        *(_apart(net) if sorted_heads else _together(net)),
        Rule(f"{BLK}.ssm_conv1d.weight", f"{HF}.conv1d.weight", shape=channels, gather=kernels),
        Rule(f"{BLK}.ssm_dt.bias", f"{HF}.dt_bias", shape=(net.n_value,), gather=one_each),
        Rule(f"{BLK}.ssm_a", f"{HF}.A_log", (NegExp(),), (net.n_value,), gather=one_each),
        Rule(f"{BLK}.ssm_norm.weight", f"{HF}.norm.weight", shape=(net.value_dim,)),
        Rule(f"{BLK}.ssm_out.weight", f"{HF}.out_proj.weight", ops, (net.n_embd, net.inner)),
    )


def _together(net: DeltaNet) -> tuple[Rule, ...]:
    """One matrix that holds q, k, v and z of each key head in turn, and one for b and a."""
    k, v, z = net.key_dim, 2 * net.key_dim, 2 * net.key_dim + net.shared * net.value_dim
    end = z + net.shared * net.value_dim
    source = f"{HF}.in_proj_qkvz.weight"
    sorted_rows, gates = Regroup(net.n_key, ((0, k), (k, v), (v, z))), Regroup(net.n_key, ((z, end),))
    return (
        Rule(f"{BLK}.attn_qkv.weight", source, shape=(net.keys + net.inner, net.n_embd), gather=sorted_rows),
        Rule(f"{BLK}.attn_gate.weight", source, shape=(net.inner, net.n_embd), gather=gates),
        Rule(f"{BLK}.ssm_ba.weight", f"{HF}.in_proj_ba.weight", shape=(2 * net.n_value, net.n_embd)),
    )


def _apart(net: DeltaNet) -> tuple[Rule, ...]:
    """Matrices of their own for q, k and v, for z, for a and for b."""
    rows, heads, one_each = net.by_turns(net.value_dim, net.keys), net.by_turns(net.value_dim), net.by_turns(1)
    return (
        Rule(
            f"{BLK}.attn_qkv.weight", f"{HF}.in_proj_qkv.weight", shape=(net.keys + net.inner, net.n_embd), gather=rows
        ),
        Rule(f"{BLK}.attn_gate.weight", f"{HF}.in_proj_z.weight", shape=(net.inner, net.n_embd), gather=heads),
        Rule(f"{BLK}.ssm_alpha.weight", f"{HF}.in_proj_a.weight", shape=(net.n_value, net.n_embd), gather=one_each),
        Rule(f"{BLK}.ssm_beta.weight", f"{HF}.in_proj_b.weight", shape=(net.n_value, net.n_embd), gather=one_each),
    )
