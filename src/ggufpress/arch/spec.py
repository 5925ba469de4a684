"""How an architecture is described: frozen values that say which tensors a GGUF file has and where they come from.

Nothing here computes on weights and nothing depends on the order of evaluation: names are whole templates that match
exactly, and a rule is used or the plan fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ggufpress.arch.gather import Gather
from ggufpress.arch.ops import Op, Shape
from ggufpress.gguf.values import Value

LAYER = "{i}"
EXPERT = "{e}"
ALL_BELOW = ".*"
SILENT_TOKENS = "tokenizer.ggml.suppress_tokens"


@dataclass(frozen=True, slots=True)
class Rule:
    """One tensor of the GGUF file, made from one tensor of the checkpoint, or one per expert.

    `source` and `target` are whole names in which `{i}` stands for a layer. A source with `{e}` names one tensor per
    expert; they are stacked along a new first axis before `ops` are applied in order.
    `shape` is what the config says the result must be. A rule that is not `required` may find no source.
    `gather` takes some of the stored weights, in some order, before `ops`; several rules may share a source that way.
    Rules of a layer with the same `batch` are written together, in rule order, once the last of their sources is due:
    this is how llama.cpp's converter orders stacked experts.
    `copies` are other names of the same tensor: the first in file order is taken, the others are left out.
    `layers` are those that have the tensor, all where it is None.
    A rule that `repeats` uses weights that another rule uses as well.
    With `unless_equal`, a source whose weights are those of a tensor of such a name before it is left out: a tied output.
    `as_f32`: whether the converter stores it as F32 whatever the outtype, for a tensor whose name does not say that.
    `values` are what the tensor holds, in F32, whatever the source, which then only says where it stands.
    `flat`: the axes of a source do not matter, it is a vector.
    `stack` is how many tensors `{e}` stands for, where these are not the experts, or their names.

    Example: `Rule("blk.{i}.attn_q.weight", "model.layers.{i}.self_attn.q_proj.weight", (RopePermute(32),), (4096, 4096))`
    """

    target: str
    source: str
    ops: tuple[Op, ...] = ()
    shape: Shape | None = None
    required: bool = True
    batch: str | None = None
    gather: Gather | None = None
    copies: tuple[str, ...] = ()
    layers: Sequence[int] | None = None
    repeats: bool = False
    unless_equal: tuple[str, ...] = ()
    as_f32: bool | None = None
    stack: int | tuple[str, ...] | None = None
    flat: bool = False
    values: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """A tensor of the checkpoint that the GGUF file does not have, and why.

    A `source` that ends in `.*` stands for all tensors whose names begin with what is before the asterisk. `layers` are
    those that it is about, all where it is None; they may lie beyond the layers of the model.
    """

    source: str
    reason: str
    layers: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Constant:
    """A one-dimensional F32 tensor that follows from the config alone. Constants are written before all others."""

    target: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """A metadata key whose value stands in the checkpoint: `value` of the first weight of each tensor `source` names.

    Such keys are written before all others, as llama.cpp's converter meets them while it goes through the weights.
    Without such tensors the key is `default`, where there is one.
    """

    key: str
    source: str
    value: Callable[[tuple[float, ...]], Value]
    default: Value | None = None


@dataclass(frozen=True, slots=True)
class Beside:
    """The tensor `source` of another file of the checkpoint, where there is such a file. It is written before all others.

    `rows_key` holds its number of rows, before the keys about the model in general.
    """

    target: str
    file: str
    source: str
    rows_key: str


@dataclass(frozen=True)
class Arch:
    """The description of one checkpoint's architecture.

    `name` is llama.cpp's (`general.architecture`). `metadata` holds the architecture's keys in file order, with
    `general.file_type` where the converter puts it; its value belongs to the output and is set there.
    `vocab` names the way the tokenizer files are read (several: the first for which there are files), `n_vocab` is the
    number of ids of the model; `vocab_keys` are set after the tokenizer's keys, whatever its files say.
    `pooled`: the sentence-transformers files beside the model say how its outputs are pooled; `pooled_keys` stand behind
    what they say, and `classifier_pooling` is what counts where config.json has no such key.
    `prefixes`: what names of the checkpoint may begin with, and what the rules have there instead (source_names.py);
    `endings` is the same for what they may end with.
    `n_token_types` is written with the vocabularies of encoders; `first_vocab_keys` before all that the files say.
    `silent` is an embedding: rows of zeros behind the tokenizer's own tokens are those of SILENT_TOKENS in `metadata`.
    `generation` holds keys of token ids, and where generation_config.json may hold each; they come last in `metadata`.
    `stored` keys are read from the weights, and `leading` holds them then: keys before those about the model in general.
    """

    name: str
    hf_class: str
    n_layer: int
    n_expert: int
    n_vocab: int | None
    vocab: str
    metadata: tuple[tuple[str, Value], ...]
    rules: tuple[Rule, ...]
    drops: tuple[Drop, ...] = ()
    constants: tuple[Constant, ...] = ()
    vocab_keys: tuple[tuple[str, Value], ...] = ()
    pooled: bool = False
    prefixes: tuple[tuple[str, str], ...] = ()
    endings: tuple[tuple[str, str], ...] = ()
    pooled_keys: tuple[tuple[str, Value], ...] = ()
    classifier_pooling: str | None = None
    n_token_types: int | None = None
    first_vocab_keys: tuple[tuple[str, Value], ...] = ()
    silent: str | None = None
    generation: tuple[tuple[str, str], ...] = ()
    stored: tuple[Stored, ...] = ()
    beside: tuple[Beside, ...] = ()
    leading: tuple[tuple[str, Value], ...] = ()
