"""Rules and keys of Mamba's mixers, which several families put between attention layers or beside them.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/mamba.py; target names gguf-py/gguf/constants.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from ggufpress.arch.gather import Reshape
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.ops import NegExp
from ggufpress.arch.spec import Rule
from ggufpress.gguf.values import Value, u32

MIXER = "backbone.layers.{i}.mixer"


@dataclass(frozen=True, slots=True)
class Ssm:
    """The sizes of a mixer. `rank` is that of the time steps (Mamba) or the number of heads (Mamba 2)."""

    n_embd: int
    inner: int
    state: int
    kernel: int
    rank: int
    groups: int = 1

    @property
    def channels(self) -> int:
        """Rows that pass through Mamba 2's convolution."""
        return self.inner + 2 * self.groups * self.state

    @property
    def rows(self) -> int:
        """Rows of Mamba 2's first matrix."""
        return self.inner + self.channels + self.rank


def ssm_metadata(ssm: Ssm, arch: str) -> list[tuple[str, Value]]:
    """The four keys that all mixers have, in file order."""
    return [
        (f"{arch}.ssm.conv_kernel", u32(ssm.kernel)),
        (f"{arch}.ssm.inner_size", u32(ssm.inner)),
        (f"{arch}.ssm.state_size", u32(ssm.state)),
        (f"{arch}.ssm.time_step_rank", u32(ssm.rank)),
    ]


def convolution(rows: int, kernel: int, hf: str) -> tuple[Rule, ...]:
    """The kernels of a convolution channel by channel: the axis of length 1 between the two others is left out."""
    return (
        Rule(f"{BLK}.ssm_conv1d.weight", f"{hf}.conv1d.weight", shape=(rows, kernel), gather=Reshape((rows, kernel))),
        Rule(f"{BLK}.ssm_conv1d.bias", f"{hf}.conv1d.bias", shape=(rows,), required=False),
    )


def mamba_mixer(ssm: Ssm, hf: str = MIXER) -> tuple[Rule, ...]:
    """Mamba's mixer: decay rates per channel and state."""
    return (
        *linear(f"{BLK}.ssm_in", f"{hf}.in_proj", (2 * ssm.inner, ssm.n_embd)),
        *convolution(ssm.inner, ssm.kernel, hf),
        *linear(f"{BLK}.ssm_x", f"{hf}.x_proj", (ssm.rank + 2 * ssm.state, ssm.inner)),
        *linear(f"{BLK}.ssm_dt", f"{hf}.dt_proj", (ssm.inner, ssm.rank)),
        Rule(f"{BLK}.ssm_a", f"{hf}.A_log", (NegExp(),), (ssm.inner, ssm.state)),
        Rule(f"{BLK}.ssm_d", f"{hf}.D", shape=(ssm.inner,)),
        *linear(f"{BLK}.ssm_out", f"{hf}.out_proj", (ssm.n_embd, ssm.inner)),
    )


def mamba2_mixer(ssm: Ssm, hf: str = MIXER, norm_required: bool = True) -> tuple[Rule, ...]:
    """Mamba 2's mixer: a decay rate and a skip factor per head, as columns; the norm as one row per group."""
    column, groups = (ssm.rank, 1), (ssm.groups, ssm.inner // ssm.groups)
    return (
        *linear(f"{BLK}.ssm_in", f"{hf}.in_proj", (ssm.rows, ssm.n_embd)),
        *convolution(ssm.channels, ssm.kernel, hf),
        Rule(f"{BLK}.ssm_dt.bias", f"{hf}.dt_bias", shape=(ssm.rank,)),
        Rule(f"{BLK}.ssm_a", f"{hf}.A_log", (NegExp(),), column, gather=Reshape(column)),
        Rule(f"{BLK}.ssm_d", f"{hf}.D", shape=column, gather=Reshape(column)),
        Rule(f"{BLK}.ssm_norm.weight", f"{hf}.norm.weight", (), groups, norm_required, gather=Reshape(groups)),
        *linear(f"{BLK}.ssm_out", f"{hf}.out_proj", (ssm.n_embd, ssm.inner)),
    )
