"""The rules of llama-quantize's mixes, as tables that read top to bottom.

Source: llama.cpp of llama-cpp-python 0.3.36, src/llama-quant.cpp (`llama_tensor_get_type_impl`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ggufpress.quant.types import (
    IQ2_S,
    IQ2_XXS,
    IQ3_S,
    IQ3_XXS,
    MXFP4,
    Q2_K,
    Q3_K,
    Q4_1,
    Q4_K,
    Q5_1,
    Q5_K,
    Q6_K,
    Q8_0,
    QType,
)  # fmt: skip
from ggufpress.recipe.presets import ALL, Preset


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the rules ask about a model.

    `n_gqa` is query heads per key/value head, `is_70b` llama.cpp's size class, `tied` says that there is no output
    matrix, `imatrix` that an importance matrix is used.
    """

    arch: str
    n_layer: int
    n_expert: int
    n_gqa: int
    is_70b: bool
    tied: bool
    imatrix: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a tensor stands.

    `i` tensors of its role came before it and there are `n`; `stacked` says that it holds several matrices, `fits` that
    its rows divide into blocks of the preset's type.
    """

    role: str
    i: int
    n: int
    stacked: bool
    fits: bool
    preset: Preset
    model: ModelFacts


Condition = Callable[[Spot], bool]


@dataclass(frozen=True, slots=True)
class Choice:
    """One row: tensors of `roles` in files of `presets` that meet `when` get `qtype`; `why` names it."""

    roles: frozenset[str]
    presets: frozenset[str]
    qtype: QType
    why: str
    when: Condition

    def takes(self, spot: Spot) -> bool:
        """Whether the row decides about `spot`."""
        return spot.role in self.roles and spot.preset.name in self.presets and self.when(spot)


@dataclass(frozen=True, slots=True)
class Raise:
    """A row of the second table: tensors of `roles` that got one of `types` (None: any) get `qtype` instead."""

    roles: frozenset[str]
    types: frozenset[QType] | None
    qtype: QType
    why: str
    when: Condition


ANY = " ".join(preset.name for preset in ALL)
LOW = "IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ2_M"
HIGH = " ".join(name for name in ANY.split() if name not in LOW.split())
VALUES = "attn_v attn_qkv attn_kv_b"
OTHERS = f"token_embd {VALUES} attn_k attn_q attn_output ffn_up ffn_gate ffn_down other"


def _always(_: Spot) -> bool:
    return True


def _gqa(at: Spot) -> bool:
    return at.model.n_gqa >= 4


def _8_experts(at: Spot) -> bool:
    return at.model.n_expert == 8


def _falcon(at: Spot) -> bool:
    return at.model.arch == "falcon"


def _first_eighth(at: Spot) -> bool:
    return at.i < at.n // 8


def _first_sixteenth(at: Spot) -> bool:
    return at.i < at.n // 16


def more_bits(at: Spot) -> bool:
    """The first and the last eighth, and every third in between."""
    return _first_eighth(at) or at.i >= 7 * at.n // 8 or (at.i - at.n // 8) % 3 == 2


def _row(roles: str, presets: str, qtype: QType, why: str, when: Condition = _always) -> Choice:
    return Choice(frozenset(roles.split()), frozenset(presets.split()), qtype, why, when)


MIXTURE: tuple[Choice, ...] = (
    # the output matrix; an embedding that is the output matrix too has this role
    _row("output", "MXFP4_MOE", Q8_0, "the output matrix"),
    _row("output", ANY, Q8_0, "the output matrix of Falcon, or rows that do not fit", lambda at: _falcon(at) or not at.fits),
    _row("output", f"{LOW} IQ3_XXS", Q5_K, "the output matrix of a very small file"),
    _row("output", ANY, Q6_K, "the output matrix", lambda at: at.preset.qtype is not Q8_0),
    # MXFP4 is for experts alone
    _row(OTHERS, "MXFP4_MOE", MXFP4, "stacked experts", lambda at: at.stacked),
    _row(OTHERS, "MXFP4_MOE", Q8_0, "everything but experts"),
    # the token embedding
    _row("token_embd", "IQ2_XXS IQ2_XS IQ1_S IQ1_M", Q2_K, "the token embedding of a very small file"),
    _row("token_embd", "IQ2_S IQ2_M IQ3_XXS", IQ3_S, "the token embedding of a small file"),
    _row("token_embd", "TQ1_0 TQ2_0 Q2_0", Q4_K, "the token embedding of a ternary or 2-bit file"),
    # files of 1 and 2 bits
    _row(VALUES, LOW, Q4_K, "attention values with shared heads or experts", lambda at: _gqa(at) or at.model.n_expert >= 4),
    _row(VALUES, "IQ2_S IQ2_M", IQ3_S, "attention values"),
    _row(VALUES, LOW, Q2_K, "attention values"),
    _row("attn_k", LOW, Q4_K, "attention keys of an 8-expert model", _8_experts),
    _row("ffn_down", "IQ2_S IQ2_M", IQ3_S, "ffn_down of the first eighth", _first_eighth),
    _row("ffn_down", LOW, Q2_K, "ffn_down of the first eighth", _first_eighth),
    _row("attn_output", LOW, Q5_K, "attention output of an 8-expert model", _8_experts),
    _row("attn_output", "IQ1_S IQ1_M", IQ2_XXS, "attention output"),
    _row("attn_output", "IQ2_S IQ2_M", IQ3_S, "attention output"),
    # attention values
    _row(VALUES, "Q2_K", Q4_K, "attention values with shared heads", _gqa),
    _row(VALUES, "Q2_K", Q3_K, "attention values"),
    _row(VALUES, "Q2_K_S IQ3_XXS IQ3_XS IQ3_S", Q4_K, "attention values with shared heads", _gqa),
    _row(VALUES, "IQ3_XXS", IQ3_S, "attention values without an importance matrix", lambda at: not at.model.imatrix),
    _row(VALUES, "IQ3_M", Q4_K, "attention values"),
    _row(VALUES, "Q3_K_M", Q5_K, "attention values of the first 2 layers", lambda at: at.i < 2),
    _row(VALUES, "Q3_K_M", Q4_K, "attention values"),
    _row(VALUES, "Q3_K_L", Q5_K, "attention values"),
    _row(VALUES, "IQ4_NL IQ4_XS", Q5_K, "attention values with shared heads", _gqa),
    _row(VALUES, "Q4_K_M Q5_K_M", Q6_K, "attention values of the layers that get more bits", more_bits),
    _row(VALUES, "Q4_K_S", Q5_K, "attention values of the first 4 layers", lambda at: at.i < 4),
    # attention keys and queries
    _row("attn_k", HIGH, Q8_0, "attention keys of an 8-expert model", _8_experts),
    _row("attn_k attn_q", "IQ3_XS", IQ3_XXS, "attention keys and queries"),
    _row("attn_k attn_q", "IQ3_XXS", IQ2_S, "attention keys and queries"),
    # ffn_down
    _row("ffn_down", "Q2_K", Q3_K, "ffn_down"),
    _row("ffn_down", "Q2_K_S", Q4_K, "ffn_down of the first eighth", _first_eighth),
    _row("ffn_down", "IQ3_XXS", Q4_K, "ffn_down of the first eighth without an importance matrix",
         lambda at: not at.model.imatrix and _first_eighth(at)),
    _row("ffn_down", "IQ3_XXS", Q3_K, "ffn_down without an importance matrix", lambda at: not at.model.imatrix),
    _row("ffn_down", "Q3_K_M", Q5_K, "ffn_down of the first sixteenth", _first_sixteenth),
    _row("ffn_down", "Q3_K_M", Q4_K, "ffn_down; of Falcon the layers that get more bits",
         lambda at: not _falcon(at) or more_bits(at)),
    _row("ffn_down", "IQ3_M", Q4_K, "ffn_down of the first eighth; of 8 experts the layers that get more bits",
         lambda at: _first_eighth(at) or (_8_experts(at) and more_bits(at))),
    _row("ffn_down", "Q3_K_L", Q4_K, "ffn_down of Falcon", _falcon),
    _row("ffn_down", "Q3_K_L", Q5_K, "ffn_down"),
    _row("ffn_down", "Q4_K_M", Q6_K, "ffn_down of Falcon's first sixteenth", lambda at: _falcon(at) and _first_sixteenth(at)),
    _row("ffn_down", "Q4_K_M", Q5_K, "ffn_down of Falcon's layers that get more bits",
         lambda at: _falcon(at) and more_bits(at)),
    _row("ffn_down", "Q4_K_M", Q6_K, "ffn_down of the layers that get more bits", lambda at: not _falcon(at) and more_bits(at)),
    _row("ffn_down", "IQ4_NL IQ4_XS", Q5_K, "ffn_down of the first eighth without an importance matrix",
         lambda at: not at.model.imatrix and _first_eighth(at)),
    _row("ffn_down", "Q5_K_M", Q6_K, "ffn_down of the layers that get more bits", more_bits),
    _row("ffn_down", "Q4_K_S", Q5_K, "ffn_down of the first eighth", lambda at: not _falcon(at) and _first_eighth(at)),
    _row("ffn_down", "Q4_0", Q4_1, "ffn_down of the first eighth with an importance matrix",
         lambda at: at.model.imatrix and _first_eighth(at)),
    _row("ffn_down", "Q5_0", Q5_1, "ffn_down of the first eighth with an importance matrix",
         lambda at: at.model.imatrix and _first_eighth(at)),
    # attention output
    _row("attn_output", "Q3_K_L", Q4_K, "attention output of Falcon", _falcon),
    _row("attn_output", "Q2_K IQ3_XS IQ3_XXS Q3_K_S Q3_K_M IQ4_NL Q4_K_S Q4_K_M IQ3_S IQ3_M IQ4_XS", Q5_K,
         "attention output of an 8-expert model", lambda at: not _falcon(at) and _8_experts(at)),
    _row("attn_output", "Q2_K", Q3_K, "attention output", lambda at: not _falcon(at)),
    _row("attn_output", "IQ3_XXS", IQ3_S, "attention output", lambda at: not _falcon(at)),
    _row("attn_output", "Q3_K_M IQ3_M", Q4_K, "attention output", lambda at: not _falcon(at)),
    _row("attn_output", "Q3_K_L", Q5_K, "attention output", lambda at: not _falcon(at) and not _8_experts(at)),
    # ffn_gate and ffn_up
    _row("ffn_gate ffn_up", "IQ3_XS", IQ3_XXS, "the layers in the middle", lambda at: at.n // 8 <= at.i < 7 * at.n // 8),
)  # fmt: skip
"""The first row that takes a tensor decides; without one it gets the preset's own type."""

RAISES: tuple[Raise, ...] = (
    Raise(frozenset(VALUES.split()), frozenset((Q3_K, Q4_K)), Q5_K, "attention values of a 70B model",
          lambda at: at.model.is_70b),
    Raise(frozenset(VALUES.split()), None, Q8_0, "attention values of an 8-expert model", _8_experts),
)  # fmt: skip
"""Applied in order to what the first table chose, in files of 3 bits and more."""


def mixed(spot: Spot) -> tuple[QType, str]:
    """The type that the tables choose for `spot`, and the row that chose it."""
    row = next((row for row in MIXTURE if row.takes(spot)), None)
    qtype, why = (row.qtype, row.why) if row else (spot.preset.qtype, f"preset {spot.preset.name}")
    if spot.preset.name in HIGH.split() and spot.preset.name != "MXFP4_MOE":
        for rise in RAISES:
            if spot.role in rise.roles and (rise.types is None or qtype in rise.types) and rise.when(spot):
                qtype, why = rise.qtype, rise.why
    return qtype, why
