"""The parameter structs of llama.cpp's C functions, by name and version.

They are passed by value and change now and then, so each known layout is written down field by field with the default
that llama.cpp gives it. The defaults that a library returns must be those of one layout, else it is not used.
Source: include/llama.h (`llama_model_params`, `llama_context_params`), src/llama-model.cpp and src/llama-context.cpp
(the defaults) of llama.cpp of llama-cpp-python 0.3.36; b11549 from its defaults: one pointer more after `type_v`, which
is left alone here.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ggufpress.errors import LlamaError

ROOM = 512
"""Bytes that are passed: more than any layout has, for what lies behind the last field is not looked at."""

Number = int | float | bool


class Parameters(ctypes.Structure):
    """A parameter struct of any layout, as bytes."""

    _fields_ = (("raw", ctypes.c_uint64 * (ROOM // 8)),)

    def at(self, field: Field) -> Number:
        """The value of `field`."""
        (value,) = struct.unpack_from(field.code, bytes(memoryview(self.raw)), field.offset)
        number: Number = value
        return number

    def put(self, field: Field, value: Number) -> None:
        """Set `field` to `value`."""
        struct.pack_into(field.code, memoryview(self.raw).cast("B"), field.offset, value)


@dataclass(frozen=True, slots=True)
class Field:
    """Where a number lies in a struct: `code` is that of the module struct, P is a pointer."""

    code: str
    offset: int
    default: Number


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of both structs, and which versions of llama.cpp have them."""

    versions: str
    model: Mapping[str, Field]
    context: Mapping[str, Field]


def _fields(*rows: tuple[str, str, Number]) -> dict[str, Field]:
    """The fields one after the other, each aligned to its size, as C does it."""
    fields: dict[str, Field] = {}
    at = 0
    for name, code, default in rows:
        size = struct.calcsize(code)
        at = -(-at // size) * size
        fields[name] = Field(code, at, default)
        at += size
    return fields


_MODEL = _fields(
    ("devices", "P", 0),
    ("tensor_buft_overrides", "P", 0),
    ("n_gpu_layers", "i", -1),
    ("split_mode", "i", 1),
    ("load_mode", "i", -1),
    ("lazy_mode", "i", 1),
    ("main_gpu", "i", 0),
    ("tensor_split", "P", 0),
    ("progress_callback", "P", 0),
    ("progress_callback_user_data", "P", 0),
    ("kv_overrides", "P", 0),
    ("vocab_only", "?", False),
    ("check_tensors", "?", False),
    ("use_extra_bufts", "?", True),
    ("no_host", "?", False),
    ("no_alloc", "?", False),
)

_CONTEXT_HEAD: tuple[tuple[str, str, Number], ...] = (
    ("n_ctx", "I", 512),
    ("n_batch", "I", 2048),
    ("n_ubatch", "I", 512),
    ("n_seq_max", "I", 1),
    ("n_rs_seq", "I", 0),
    ("n_outputs_max", "I", 0),
    ("n_outputs_max_per_seq", "I", 1),
    ("n_threads", "i", 4),
    ("n_threads_batch", "i", 4),
    ("ctx_type", "i", 0),
    ("rope_scaling_type", "i", -1),
    ("pooling_type", "i", -1),
    ("attention_type", "i", -1),
    ("flash_attn_type", "i", -1),
    ("rope_freq_base", "f", 0.0),
    ("rope_freq_scale", "f", 0.0),
    ("yarn_ext_factor", "f", -1.0),
    ("yarn_attn_factor", "f", -1.0),
    ("yarn_beta_fast", "f", -1.0),
    ("yarn_beta_slow", "f", -1.0),
    ("yarn_orig_ctx", "I", 0),
    ("defrag_thold", "f", -1.0),
    ("cb_eval", "P", 0),
    ("cb_eval_user_data", "P", 0),
    ("type_k", "i", 1),
    ("type_v", "i", 1),
)
_CONTEXT_TAIL: tuple[tuple[str, str, Number], ...] = (
    ("abort_callback", "P", 0),
    ("abort_callback_data", "P", 0),
    ("embeddings", "?", False),
    ("offload_kqv", "?", True),
    ("no_perf", "?", True),
    ("op_offload", "?", True),
    ("swa_full", "?", True),
    ("kv_unified", "?", False),
    ("samplers", "P", 0),
    ("n_samplers", "P", 0),
    ("ctx_other", "P", 0),
)

LAYOUTS = (
    Layout("b10809 to b11391", _MODEL, _fields(*_CONTEXT_HEAD, *_CONTEXT_TAIL)),
    Layout("b11549", _MODEL, _fields(*_CONTEXT_HEAD, ("unnamed", "P", 0), *_CONTEXT_TAIL)),
)

SUPPORTED = "xllamacpp 2026.9.10809 to 2026.10.11549 and llama-cpp-python 0.3.36 are known to work"


def layout_of(model: Parameters, context: Parameters, name: str) -> Layout:
    """The layout that the default parameters of a library show.

    Raises LlamaError that names the library `name` where they are those of no known layout.
    """
    for layout in LAYOUTS:
        if _fits(model, layout.model) and _fits(context, layout.context):
            return layout
    raise LlamaError(f"{name} is a version of llama.cpp that ggufpress does not know", hint=SUPPORTED)


def _fits(defaults: Parameters, fields: Mapping[str, Field]) -> bool:
    return all(defaults.at(field) == field.default for field in fields.values())
