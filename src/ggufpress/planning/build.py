"""From a checkpoint and the types that are asked for to a plan of all outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ggufpress.errors import UsageError
from ggufpress.gguf.shards import GgufSet
from ggufpress.imatrix.matrix import ImportanceMatrix, check_finite
from ggufpress.planning.changed import changed
from ggufpress.planning.container import PLAIN, Container
from ggufpress.planning.gguf_model import gguf_model
from ggufpress.planning.model import Model, read_model
from ggufpress.planning.output import LAYOUTS, OutputPlan, plan_output
from ggufpress.recipe.presets import AUTO, preset_named
from ggufpress.recipe.recipe import DEFAULT, Recipe
from ggufpress.source.checkpoint import Checkpoint

VIAS = ("auto", "f32", "f16", "bf16")


@dataclass(frozen=True)
class Plan:
    """All outputs of one run over one model. The last three are what was asked for, besides a recipe for each output."""

    model: Model
    outputs: tuple[OutputPlan, ...]
    importance: ImportanceMatrix | None = None
    wanted: Container = PLAIN
    pre: str | None = None
    imatrix_name: str | None = None

    @property
    def disk_bytes(self) -> int:
        """Free space that the outputs need."""
        return sum(output.file_bytes for output in self.outputs)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        model = self.model
        return {
            "source": str(model.root),
            **model.provenance,
            "class": model.hf_class,
            "architecture": model.arch,
            "layers": model.facts.n_layer,
            "experts": model.facts.n_expert,
            "vocabulary": {"kind": model.vocab.kind, "size": model.vocab.n_vocab, "notes": list(model.vocab.notes)},
            "parameters": model.n_params,
            "source_bytes": model.source_bytes,
            "disk_bytes": self.disk_bytes,
            "dropped": [{"name": name, "reason": reason} for name, reason in model.dropped],
            "notes": list(model.notes),
            "imatrix": str(self.importance.path) if self.importance else None,
            "outputs": [output.to_json() for output in self.outputs],
        }


def build_plan(
    source: Checkpoint | GgufSet,
    types: Sequence[str] | None = None,
    *,
    output: Path | None = None,
    via: str = "auto",
    layout: str = "auto",
    pre: str | None = None,
    wanted: Container = PLAIN,
    recipe: Recipe = DEFAULT,
    importance: ImportanceMatrix | None = None,
    imatrix_name: str | None = None,
) -> Plan:
    """The plan that makes one file per entry of `types` from `source`. Reads the small files, but no weight.

    `types` are presets or AUTO, by default the recipe's; the recipe's rules are for each of them. `output` is a file (only
    with one type) or a folder, by default the current one. `via` and `layout` say which of llama.cpp's files to equal: see
    docs/concepts/parity.md. `wanted` is what the files are to have besides their types. `imatrix_name` is what the files
    call `importance`, by default its path. `pre` is llama.cpp's name of the pre-tokenizer, by default the recognised one.
    Raises UsageError, CheckpointError, ConfigError, TokenizerError, UnsupportedError, MappingError or ImatrixError.
    """
    if via not in VIAS:
        raise UsageError(f"--via {via!r} is unknown", hint=f"one of {', '.join(VIAS)}")
    if layout not in LAYOUTS:
        raise UsageError(f"--layout {layout!r} is unknown", hint=f"one of {', '.join(LAYOUTS)}")
    types = (recipe.preset.name,) if types is None else types
    if not types:
        raise UsageError("no type is asked for", hint="-q Q4_K_M is the usual choice")
    presets = [None if name.upper() == AUTO else preset_named(name) for name in types]
    importance = _usable(importance, recipe, imatrix_name)
    if isinstance(source, GgufSet):
        if via != "auto":
            raise UsageError(f"--via {via} is for a checkpoint: this source is a GGUF file with types of its own")
        if pre is not None:
            raise UsageError(f"--pre {pre} is for a checkpoint: this source is a GGUF file with a tokenizer of its own")
        model = gguf_model(source)
    else:
        model = read_model(source, pre=pre)
    model = changed(model, wanted)
    via_preset = model.own_type if via == "auto" else preset_named(via)
    chosen = [preset or model.own_type for preset in presets]
    if len(set(chosen)) < len(chosen):
        raise UsageError(f"a type is asked for twice: {', '.join(preset.name for preset in chosen)}")
    paths = output_paths(model.name, [preset.name for preset in chosen], output)
    outputs = tuple(
        plan_output(model, replace(recipe, preset=preset), layout, via_preset, path, wanted, importance, imatrix_name)
        for preset, path in zip(chosen, paths, strict=True)
    )
    return Plan(model, outputs, importance, wanted, pre, imatrix_name)


def _usable(matrix: ImportanceMatrix | None, recipe: Recipe, name: str | None) -> ImportanceMatrix | None:
    """The entries of `matrix` that `recipe` wants, all finite. None without any: llama-quantize then has no matrix."""
    if matrix is None:
        if name is not None or recipe.include or recipe.exclude:
            raise UsageError(
                "a name and entries of an importance matrix are given, but no matrix", hint="--imatrix FILE gives one"
            )
        return None
    chosen = matrix.chosen(recipe.include, recipe.exclude)
    check_finite(chosen)
    return chosen if chosen.entries else None


def output_paths(model: str, types: Sequence[str], output: Path | None) -> list[Path]:
    """The path of each output: `output` itself where it names a file, else `<model>-<TYPE>.gguf` in that folder."""
    if output is not None and output.suffix == ".gguf" and not output.is_dir():
        if len(types) > 1:
            raise UsageError(f"{output} is one file, but {len(types)} types are asked for", hint="-o takes a folder")
        return [output]
    folder = output or Path()
    return [folder / f"{model}-{name}.gguf" for name in types]
