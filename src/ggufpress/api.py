"""The Python API: the verbs of the command line as functions, with the same words."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from ggufpress.execute.pipeline import MEMORY, Progress
from ggufpress.execute.run import Report, execute
from ggufpress.planning import Plan, build_plan
from ggufpress.planning.container import container
from ggufpress.proof.report import VerifyReport, verify_file
from ggufpress.source.resolve import resolve


def plan(
    source: str | PathLike[str],
    types: Sequence[str] = ("Q4_K_M",),
    *,
    output: str | PathLike[str] | None = None,
    via: str = "auto",
    layout: str = "auto",
    pre: str | None = None,
    allow_requantize: bool = False,
    prune_layers: Sequence[int] | str = (),
    override_kv: Sequence[str] = (),
    keep_split: bool = False,
    split_max_size: str | int | None = None,
    split_max_tensors: int | None = None,
) -> Plan:
    """Say what `quantize` would do with `source`, from headers only.

    source: a folder with a Hugging Face checkpoint, or a GGUF file, also any shard of a set.
    types: presets such as "Q4_K_M", or "AUTO".
    output: a .gguf path (one type) or a folder. via: auto, f32, f16 or bf16: the rounding of llama-quantize's input file.
    layout: auto, convert or quantize: the order of keys and tensors.
    pre: llama.cpp's name of the pre-tokenizer, by default the one that is recognised.
    allow_requantize: quantize what a GGUF source has quantized already. prune_layers: layers to leave out, as numbers or
    "3,7". override_kv: keys to set, as "KEY=TYPE:VALUE". keep_split: shards as the source has them. split_max_size, in
    bytes or such as "2G", and split_max_tensors: shards of that size.
    raises: GgufpressError and its subclasses.

    Example: `ggufpress.plan("TinyLlama-1.1B-Chat-v1.0", ["Q8_0"]).outputs[0].file_bytes`
    """
    folder = Path(output) if output is not None else None
    wanted = container(
        allow_requantize=allow_requantize,
        prune_layers=prune_layers,
        override_kv=override_kv,
        keep_split=keep_split,
        split_max_size=split_max_size,
        split_max_tensors=split_max_tensors,
    )
    return build_plan(resolve(source), types, output=folder, via=via, layout=layout, pre=pre, wanted=wanted)


def quantize(
    source: str | PathLike[str],
    types: Sequence[str] = ("Q4_K_M",),
    *,
    output: str | PathLike[str] | None = None,
    via: str = "auto",
    layout: str = "auto",
    pre: str | None = None,
    allow_requantize: bool = False,
    prune_layers: Sequence[int] | str = (),
    override_kv: Sequence[str] = (),
    keep_split: bool = False,
    split_max_size: str | int | None = None,
    split_max_tensors: int | None = None,
    threads: int | None = None,
    memory: int = MEMORY,
    force: bool = False,
    manifest: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Make one GGUF file per type, all from one read of the weights, with llama.cpp's very bytes.

    Takes the arguments of `plan`, and: threads, by default one per core; memory, bytes for buffers; force, replace files;
    manifest, write a JSON manifest beside each file; progress, called with (bytes just read, tensor name).
    A file appears under its name only when it is complete and verified; on an error nothing is left.
    raises: GgufpressError and its subclasses.

    Example: `ggufpress.quantize("TinyLlama-1.1B-Chat-v1.0", ["Q4_K_M", "Q8_0"], output="out")`
    """
    planned = plan(
        source,
        types,
        output=output,
        via=via,
        layout=layout,
        pre=pre,
        allow_requantize=allow_requantize,
        prune_layers=prune_layers,
        override_kv=override_kv,
        keep_split=keep_split,
        split_max_size=split_max_size,
        split_max_tensors=split_max_tensors,
    )
    return execute(planned, force=force, threads=threads, memory=memory, manifest=manifest, progress=progress)


def verify(
    path: str | PathLike[str], *, against: str | PathLike[str] | None = None, threads: int | None = None
) -> VerifyReport:
    """Check the GGUF file at `path`, or the set of which it is a shard: its structure, its blocks, its errors.

    The errors of each tensor against its source, where `against` names one.

    The report's `ok` says whether all is well. raises: GgufError where the file cannot be parsed, and the errors of
    reading the source.
    """
    return verify_file(Path(path), resolve(against) if against is not None else None, threads)
