"""A recipe: a preset and what its user wants otherwise. Frozen, and the same whether it came from options or a file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from ggufpress.errors import UsageError
from ggufpress.quant.types import QTYPES, QType, qtype_named
from ggufpress.recipe.patterns import Pattern, compile_pattern
from ggufpress.recipe.presets import BY_NAME, Preset

OnMissing = Literal["fail", "upgrade", "unweighted"]
ON_MISSING: tuple[OnMissing, ...] = get_args(OnMissing)
"""What to do where a tensor's type needs importance that the matrix does not have."""

NOT_MADE = ("NVFP4", "Q8_K", "F64", "I64", "I32", "I16", "I8")
MADE: tuple[QType, ...] = tuple(qtype for qtype in QTYPES if qtype.name not in NOT_MADE)
"""The types that a weight can be given. llama-quantize also makes NVFP4, for which there is no kernel here yet."""


@dataclass(frozen=True)
class Override:
    """One rule of the user: tensors whose name `pattern` finds get `qtype`."""

    pattern: str
    qtype: QType

    def __post_init__(self) -> None:
        _ = self.regex

    @cached_property
    def regex(self) -> Pattern:
        """The pattern as llama-quantize understands it, in lower case."""
        return compile_pattern(self.pattern.translate(LOWER))

    def matches(self, name: str) -> bool:
        """Whether the pattern is found anywhere in `name`."""
        return self.regex.found_in(name)

    def __str__(self) -> str:
        return f"{self.pattern}={self.qtype}"


# llama-quantize lower-cases byte by byte in the C locale
LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True)
class Recipe:
    """Which type each tensor shall get, in llama-quantize's words.

    `overrides` are tried in order before the preset's mix, the first that matches decides. `token_embedding_type` and
    `output_tensor_type` come before both. `pure` gives every tensor the preset's own type. `leave_output_tensor` keeps
    output.weight as it is. `no_fallback` refuses types that rows do not fit, instead of taking a bigger one.
    `include` and `exclude` are parts of names: only, or all but, such entries of an importance matrix are used.
    """

    preset: Preset
    overrides: tuple[Override, ...] = ()
    token_embedding_type: QType | None = None
    output_tensor_type: QType | None = None
    pure: bool = False
    leave_output_tensor: bool = False
    no_fallback: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    on_missing: OnMissing = "fail"

    @property
    def has_rules(self) -> bool:
        """Whether there is more than a preset: something that only llama-quantize can do."""
        ends = self.token_embedding_type or self.output_tensor_type
        return bool(self.overrides or ends or self.pure or self.leave_output_tensor)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`, with the keys of a recipe file."""
        return {
            "preset": self.preset.name,
            "token_embedding_type": self.token_embedding_type.name if self.token_embedding_type else None,
            "output_tensor_type": self.output_tensor_type.name if self.output_tensor_type else None,
            "pure": self.pure,
            "leave_output_tensor": self.leave_output_tensor,
            "no_fallback": self.no_fallback,
            "rule": [{"match": rule.pattern, "type": rule.qtype.name} for rule in self.overrides],
            "imatrix": {"include": list(self.include), "exclude": list(self.exclude), "on_missing": self.on_missing},
        }

    def __post_init__(self) -> None:
        if self.include and self.exclude:
            raise UsageError("entries of an importance matrix are either included or excluded, not both")
        if self.on_missing not in ON_MISSING:
            raise UsageError(f"on-missing {self.on_missing!r} is unknown", hint=f"one of {', '.join(ON_MISSING)}")
        if self.overrides and not self.preset.qtype.quantized:
            raise UsageError(
                f"rules for single tensors have no effect in {self.preset.name} files: llama-quantize ignores them there",
                hint="choose a quantized preset, such as Q8_0",
            )


def made_type(name: str) -> QType:
    """The type called `name`, in any case. Raises UsageError where there is none or weights cannot be given it."""
    qtype = qtype_named(name)
    if qtype not in MADE:
        raise UsageError(f"{qtype} is no type that a weight can be given", hint=", ".join(map(str, MADE)))
    return qtype


def parse_override(text: str) -> Override:
    """The override that REGEX=TYPE says. The first = parts them, as in llama-quantize. Raises UsageError."""
    pattern, equals, name = text.partition("=")
    if not equals or not pattern or not name:
        raise UsageError(f"{text!r} is not REGEX=TYPE", hint="such as ffn_down=q6_k")
    return Override(pattern, made_type(name))


def parse_overrides(text: str) -> tuple[Override, ...]:
    """The overrides in a file's text: REGEX=TYPE, separated by spaces or lines."""
    return tuple(parse_override(word) for word in text.split())


DEFAULT = Recipe(BY_NAME["Q4_K_M"])
"""What is made where nothing is asked for."""
