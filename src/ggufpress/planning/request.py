"""The plan that a person asks for: a source and options, in the words of the command line and the Python API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Unpack

from ggufpress.errors import UsageError
from ggufpress.imatrix.read import AUTO, read_imatrix
from ggufpress.planning.build import Plan, build_plan
from ggufpress.planning.container import container
from ggufpress.recipe.options import RecipeOptions, recipe_of
from ggufpress.source.resolve import HubOptions, resolve


class PlanOptions(RecipeOptions, HubOptions, total=False):
    """The options of `plan`, for those who hand them on."""

    output: str | PathLike[str] | None
    via: str
    layout: str
    pre: str | None
    allow_requantize: bool
    prune_layers: Sequence[int] | str | None
    override_kv: Sequence[str]
    keep_split: bool
    split_max_size: str | int | None
    split_max_tensors: int | None
    imatrix: str | PathLike[str] | None
    imatrix_name: str | None


def plan(
    source: str | PathLike[str],
    types: Sequence[str] | None = None,
    *,
    output: str | PathLike[str] | None = None,
    via: str = "auto",
    layout: str = "auto",
    pre: str | None = None,
    allow_requantize: bool = False,
    prune_layers: Sequence[int] | str | None = None,
    override_kv: Sequence[str] = (),
    keep_split: bool = False,
    split_max_size: str | int | None = None,
    split_max_tensors: int | None = None,
    imatrix: str | PathLike[str] | None = None,
    imatrix_name: str | None = None,
    revision: str | None = None,
    token: str | None = None,
    say: Callable[[str], None] | None = None,
    **options: Unpack[RecipeOptions],
) -> Plan:
    """Say what `quantize` would do with `source`, from headers only.

    source: a folder with a Hugging Face checkpoint, a model on the Hub ("org/name", "org/name@revision", hf:// or its page's
    address), or a GGUF file, also any shard of a set.
    types: presets such as "Q4_K_M", or "AUTO"; by default the recipe's, or Q4_K_M.
    output: a .gguf path (one type) or a folder. via: auto, f32, f16 or bf16: the rounding of llama-quantize's input file.
    layout: auto, convert or quantize: the order of keys and tensors.
    pre: llama.cpp's name of the pre-tokenizer, by default the one that is recognised.
    allow_requantize: quantize what a GGUF source has quantized already. prune_layers: layers to leave out, as numbers or
    "3,7". override_kv: keys to set, as "KEY=TYPE:VALUE". keep_split: shards as the source has them. split_max_size, in
    bytes or such as "2G", and split_max_tensors: shards of that size.
    revision, token: which state of a model on the Hub, and with whose right; by default main and the saved login. say: told
    in a sentence what takes long there.
    imatrix: an importance matrix in llama-imatrix's format. imatrix_name: what the files say in the place of its path.
    options: recipe, tensor_types, tensor_type_files, token_embedding_type, output_tensor_type, pure, leave_output_tensor,
    no_fallback, include_weights, exclude_weights, on_missing: the options of `ggufpress quantize` of these names.
    raises: GgufpressError and its subclasses.

    Example: `ggufpress.plan("TinyLlama-1.1B-Chat-v1.0", ["Q8_0"]).outputs[0].file_bytes`
    """
    if imatrix == AUTO:
        raise UsageError(
            "only quantize makes an importance matrix by itself: a plan reads headers alone",
            hint="ggufpress imatrix make SOURCE -o imatrix.gguf, then --imatrix imatrix.gguf",
        )
    wanted = container(
        allow_requantize=allow_requantize,
        prune_layers=prune_layers or (),
        override_kv=override_kv,
        keep_split=keep_split,
        split_max_size=split_max_size,
        split_max_tensors=split_max_tensors,
    )
    return build_plan(
        resolve(source, revision=revision, token=token, say=say),
        types,
        output=Path(output) if output is not None else None,
        via=via,
        layout=layout,
        pre=pre,
        wanted=wanted,
        recipe=recipe_of(**options),
        importance=read_imatrix(Path(imatrix)) if imatrix is not None else None,
        # as it was written: a Path would drop the ./ that llama-quantize keeps
        imatrix_name=fspath(imatrix) if imatrix is not None and imatrix_name is None else imatrix_name,
    )
