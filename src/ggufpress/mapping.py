"""From a checkpoint's tensor index and an architecture's rules to the tensors of the GGUF model, types not yet chosen.

The mapping is total: every source tensor is used or dropped by exactly one rule, every required target is made once,
and every shape is what the config says. Otherwise it fails here, before a weight is read.
"""

from __future__ import annotations

import difflib
import itertools
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from ggufpress.arch.beside import tensors_beside
from ggufpress.arch.gather import Gather, leftover
from ggufpress.arch.ops import Measuring, Op, Shape, compose, stacked_shape
from ggufpress.arch.source_names import MEDIA_REASON, is_media, rule_names
from ggufpress.arch.spec import ALL_BELOW, EXPERT, LAYER, Arch, Drop, Rule
from ggufpress.errors import MappingError, UnsupportedError
from ggufpress.quant.types import BF16, BY_NAME, F16, F32, QType
from ggufpress.source.checkpoint import Checkpoint, TensorRef
from ggufpress.source.same_weights import same_weights

SOURCE_TYPES: dict[str, QType] = {"F32": F32, "F16": F16, "BF16": BF16}
"""Data types of safetensors that can be read, and the tensor type that holds them exactly."""

LISTED = 8
MAX_SOURCES = 1 << 19
"""More tensors than any checkpoint has; a broken config must not make us list the names of its experts without end."""


@dataclass(frozen=True, slots=True)
class Derived:
    """One tensor of the GGUF model: its sources in order, the ops on their stack, or the bytes of a constant.

    `period` is the number of rows (leading axes flattened) that the ops need together; 1 where each row stands alone.
    `as_f32`: whether the converter stores it as F32, None where its name says so or does not.
    """

    name: str
    shape: Shape
    sources: tuple[TensorRef, ...] = ()
    ops: tuple[Op, ...] = ()
    period: int = 1
    constant: bytes = b""
    gather: Gather | None = None
    as_f32: bool | None = None

    @property
    def stored_shape(self) -> Shape:
        """The shape of the source, or of the stack of sources."""
        return stacked_shape([ref.shape for ref in self.sources])

    @property
    def steps(self) -> tuple[Gather | Op, ...]:
        """All that happens to the stored weights, in order."""
        return (*((self.gather,) if self.gather else ()), *self.ops)

    @property
    def n_params(self) -> int:
        """Number of weights."""
        return prod(self.shape)

    @property
    def dtype(self) -> QType:
        """The type that holds the weights exactly: F32 where the sources differ, and where BF16 is computed with."""
        types = {stored_type(ref) for ref in self.sources}
        computed = BF16 in types and any(op.arithmetic for op in self.ops)
        widened = any(step.widens or isinstance(step, Measuring) for step in self.steps)
        if len(types) != 1 or computed or widened:
            return F32
        return types.pop()


def stored_type(ref: TensorRef) -> QType:
    """The type that holds a source exactly: of a checkpoint's data type, or a GGUF file's own."""
    return SOURCE_TYPES.get(ref.dtype) or BY_NAME[ref.dtype]


@dataclass(frozen=True, slots=True)
class TensorMap:
    """The tensors in the order in which the converter writes them, and what was left out on purpose (name, reason)."""

    tensors: tuple[Derived, ...]
    dropped: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Problem:
    text: str
    name: str = ""
    candidates: Iterable[str] = ()

    def __str__(self) -> str:
        near = difflib.get_close_matches(self.name, list(self.candidates)[:5000], n=1, cutoff=0.7)
        return f"{self.text} (nearest: {near[0]})" if near else self.text


@dataclass(frozen=True, slots=True)
class _Instance:
    rule: Rule
    target: str
    sources: tuple[str, ...]
    batch: tuple[str, int] | None
    copies: tuple[str, ...] = ()


def map_tensors(checkpoint: Checkpoint, arch: Arch) -> TensorMap:
    """The mapping of `checkpoint` under `arch`. Raises MappingError or UnsupportedError, naming all that is wrong."""
    index = rule_names(checkpoint, arch)
    if (asked := _n_sources(arch)) > MAX_SOURCES:
        raise MappingError(
            f"{checkpoint.root}: config.json asks for {asked:,} tensors, at most {MAX_SOURCES:,} are possible"
        )
    if empty := next((rule.target for rule in arch.rules if not _stacked(arch, rule)), None):
        raise MappingError(f"{checkpoint.root}: {empty} is a stack of experts, but config.json asks for none")
    instances = []
    copies: dict[str, str] = {}
    for instance in _instances(arch):
        chosen, others = _first_copy(instance, index)
        instances.append(chosen)
        copies |= dict.fromkeys(others, f"{chosen.sources[0]} is the same tensor")
    taken = {source for instance in instances for source in instance.sources}
    drops = dict(_dropped(arch, index, taken)) | copies

    problems = [
        _Problem(f"{name}: no rule takes it", name, taken) for name in index if name not in taken and name not in drops
    ]
    made: list[_Instance] = []
    for instance in instances:
        if reason := _same_as_another(instance, index):
            drops[instance.sources[0]] = reason
            continue
        missing = [name for name in instance.sources if name not in index]
        if not missing:
            made.append(instance)
        elif instance.rule.required or len(missing) < len(instance.sources):
            problems += [
                _Problem(f"{name} is missing: {instance.target} is made from it", name, index) for name in missing
            ]
    problems += _alternatives(instances, made)
    if problems:
        raise _failed(checkpoint, arch, problems)

    derived = {}
    for instance in made:
        try:
            derived[instance.target] = _derive(instance, [index[name] for name in instance.sources])
        except MappingError as error:
            problems.append(_Problem(str(error)))
    # the shapes fit by now
    problems = problems or list(_shared(made, index))
    if problems:
        raise _failed(checkpoint, arch, problems)

    constants = [Derived(c.target, (len(c.values),), constant=_packed(c.values)) for c in arch.constants]
    beside = [
        _derive(_Instance(Rule(b.target, b.source), b.target, (b.source,), None), [ref])
        for b, ref in tensors_beside(checkpoint, arch)
    ]
    ordered = [derived[target] for target in _converter_order(made, index)]
    return TensorMap(
        (*constants, *beside, *ordered), tuple((ref.name, drops[name]) for name, ref in index.items() if name in drops)
    )


def _n_sources(arch: Arch) -> int:
    return sum(
        (len(_layers(rule, arch)) if LAYER in rule.source else 1) * len(_stacked(arch, rule)) for rule in arch.rules
    )


def _stacked(arch: Arch, rule: Rule) -> Sequence[int | str]:
    """What stands for `{e}` in the names of the sources."""
    if EXPERT not in rule.source:
        return range(1)
    stack = arch.n_expert if rule.stack is None else rule.stack
    return range(stack) if isinstance(stack, int) else stack


def _instances(arch: Arch) -> Iterator[_Instance]:
    for rule in arch.rules:
        for source, layer in _per_layer(rule.source, _layers(rule, arch)):
            names = tuple(source.replace(EXPERT, str(e)) for e in _stacked(arch, rule))
            if not names:
                # no experts: their tensors, where there are any, are those that no rule takes
                continue
            target = rule.target.replace(LAYER, str(layer))
            copies = tuple(copy.replace(LAYER, str(layer)) for copy in rule.copies)
            yield _Instance(rule, target, names, (rule.batch, layer) if rule.batch else None, copies)


def _first_copy(instance: _Instance, index: Mapping[str, TensorRef]) -> tuple[_Instance, list[str]]:
    """The instance with the first of its copies in file order, and the names of the others."""
    if not instance.copies:
        return instance, []
    present = [name for name in (*instance.sources, *instance.copies) if name in index]
    if len(present) > 1:
        present = [name for name in index if name in present]
    return (replace(instance, sources=(present[0],)), present[1:]) if present else (instance, [])


def _layers(rule: Rule | Drop, arch: Arch) -> Sequence[int]:
    return range(arch.n_layer) if rule.layers is None else rule.layers


def _per_layer(template: str, layers: Sequence[int]) -> Iterator[tuple[str, int]]:
    if LAYER not in template:
        yield template, -1
        return
    for layer in layers:
        yield template.replace(LAYER, str(layer)), layer


def _dropped(arch: Arch, index: Iterable[str], taken: set[str]) -> Iterator[tuple[str, str]]:
    """The names of `index` that are left out, with the reason."""
    below: dict[str, str] = {}
    exactly: dict[str, str] = {}
    for drop in arch.drops:
        for name, _ in _per_layer(drop.source, _layers(drop, arch)):
            if name.endswith(ALL_BELOW):
                below[name.removesuffix("*")] = drop.reason
            else:
                exactly[name] = drop.reason
    for stored in arch.stored:
        for name, _ in _per_layer(stored.source, range(arch.n_layer)):
            exactly[name] = f"it becomes {stored.key}"
    prefixes = tuple(below)
    for name in index:
        if name in exactly:
            yield name, exactly[name]
        elif name not in taken:
            if prefixes and name.startswith(prefixes):
                yield name, next(reason for prefix, reason in below.items() if name.startswith(prefix))
            elif is_media(name):
                yield name, MEDIA_REASON


def _packed(values: tuple[float, ...]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def _derive(instance: _Instance, refs: list[TensorRef]) -> Derived:
    rule = instance.rule
    if rule.values is not None:
        return Derived(instance.target, (len(rule.values),), constant=_packed(rule.values))
    if rule.flat:
        refs = [replace(ref, shape=(prod(ref.shape),)) for ref in refs]
    for ref in refs:
        if ref.dtype not in SOURCE_TYPES:
            raise UnsupportedError(
                f"{ref.file}: {ref.name} is stored as {ref.dtype}, which cannot be read yet",
                hint=f"readable types: {', '.join(SOURCE_TYPES)}",
            )
        if ref.shape != refs[0].shape:
            raise MappingError(f"{ref.name} has shape {list(ref.shape)}, {refs[0].name} has {list(refs[0].shape)}")
    stacked = stacked_shape([ref.shape for ref in refs])
    if 0 in stacked:
        raise MappingError(f"{refs[0].name} is empty: its shape is {list(refs[0].shape)}")
    if len(stacked) > 4:
        raise MappingError(f"{refs[0].name} has {len(stacked)} dimensions, GGUF holds at most 4")
    try:
        shape, period = compose(rule.ops, rule.gather.out_shape(stacked) if rule.gather else stacked)
    except MappingError as error:
        raise MappingError(f"{refs[0].name}: {error}") from None
    if rule.shape is not None and shape != rule.shape:
        raise MappingError(f"{refs[0].name} makes {instance.target} of shape {list(shape)}, "
                           f"the config asks for {list(rule.shape)}")  # fmt: skip
    return Derived(instance.target, shape, tuple(refs), rule.ops, period, gather=rule.gather, as_f32=rule.as_f32)


def _alternatives(instances: list[_Instance], made: list[_Instance]) -> Iterator[_Problem]:
    """Targets that several rules can make, of which not exactly one found its source."""
    rules: dict[str, list[_Instance]] = {}
    for instance in instances:
        rules.setdefault(instance.target, []).append(instance)
    times = Counter(instance.target for instance in made)
    for target, several in rules.items():
        if len(several) > 1 and times[target] != 1:
            names = " or ".join(instance.sources[0] for instance in several)
            yield _Problem(f"{target} is made {'by none' if not times[target] else 'more than once'} of {names}")


def _same_as_another(instance: _Instance, index: Mapping[str, TensorRef]) -> str | None:
    """Why a rule is left out whose weights are those of a tensor before it; None for all others."""
    name = instance.sources[0]
    if not instance.rule.unless_equal or name not in index:
        return None
    for other in itertools.takewhile(name.__ne__, index):
        known = {index[name].dtype, index[other].dtype} <= SOURCE_TYPES.keys()
        if other in instance.rule.unless_equal and known and same_weights(index[name], index[other]):
            return f"its weights are those of {other}"
    return None


def _shared(made: list[_Instance], index: Mapping[str, TensorRef]) -> Iterator[_Problem]:
    """Sources of which some row is used twice or never."""
    users: dict[tuple[str, ...], list[_Instance]] = {}
    for instance in made:
        if (instance.rule.gather or instance.rule.required) and not instance.rule.repeats:
            users.setdefault(instance.sources, []).append(instance)
    for names, instances in users.items():
        gathers = [instance.rule.gather for instance in instances]
        if gathers != [None]:
            wrong = leftover(gathers, stacked_shape([index[name].shape for name in names]))
            if wrong:
                yield _Problem(f"{names[0]} {wrong}: {', '.join(instance.target for instance in instances)}")


def _converter_order(made: list[_Instance], index: Mapping[str, TensorRef]) -> list[str]:
    position = {name: i for i, name in enumerate(index)}
    last = {id(inst): max(position[name] for name in inst.sources) for inst in made}
    due: dict[tuple[str, int], int] = {}
    for inst in made:
        if inst.batch:
            due[inst.batch] = max(due.get(inst.batch, 0), last[id(inst)])
    keyed = [(due[inst.batch] if inst.batch else last[id(inst)], i, inst.target) for i, inst in enumerate(made)]
    return [target for _, _, target in sorted(keyed)]


def _failed(checkpoint: Checkpoint, arch: Arch, problems: list[_Problem]) -> MappingError | UnsupportedError:
    stored = checkpoint.config.get("quantization_config")
    if isinstance(stored, dict) and isinstance(method := stored.get("quant_method"), str):
        return UnsupportedError(
            f"{checkpoint.root / 'config.json'}: the weights are stored as {method:.40}, which cannot be read yet",
            hint="many models are also there in BF16: that checkpoint can be converted",
        )
    listed = "".join(f"\n  {line}" for line in problems[:LISTED])
    more = f"\n  and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
    count = "1 tensor does" if len(problems) == 1 else f"{len(problems)} tensors do"
    return MappingError(
        f"{checkpoint.root}: {count} not fit the rules of {arch.hf_class}:{listed}{more}",
        hint="is the class in config.json the one of these weights, and is the download complete?",
    )
