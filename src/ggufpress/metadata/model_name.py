"""What the parts of a model's name mean: TinyLlama-1.1B-Chat-v1.0 is basename, size, fine-tune and version.

Exact: the same parts as llama.cpp of llama-cpp-python 0.3.36, gguf-py/gguf/metadata.py (`get_model_id_components`) and
gguf-py/gguf/utility.py (`size_label`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

VERSION = re.compile(r"(v|iter)?\d+([.]\d+)*", re.IGNORECASE)
QUANT = re.compile(r"i?q\d(_\w)*|b?fp?(16|32)", re.IGNORECASE)
SIZE = re.compile(r"(([A]|\d+[x])?\d+([._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl)", re.IGNORECASE)
FINETUNE = re.compile(r"chat|instruct|vision|lora", re.IGNORECASE)
KEEPS_CASE = re.compile(r"(v\d+(?:\.\d+)*|\d.*)")
UNITS = " KMBT"
SCALES = ((1e12, 1e-12, "T"), (1e9, 1e-9, "B"), (1e6, 1e-6, "M"), (-1, 1e-3, "K"))


@dataclass(frozen=True, slots=True)
class ModelName:
    """The parts of a model id; None where the name does not tell."""

    full: str | None = None
    organization: str | None = None
    basename: str | None = None
    finetune: str | None = None
    version: str | None = None
    size_label: str | None = None


@dataclass(slots=True)
class _Part:
    text: str
    kind: str | None
    in_basename: bool = False


def parse_model_id(model_id: str, n_params: int) -> ModelName:
    """The parts of `model_id` (`name` or `organization/name`) for a model of `n_params` weights.

    A size that is far from `n_params` is taken for a context length, and so for part of the fine-tune's name.

    Example: `parse_model_id("Qwen2-7B-Instruct", 7_600_000_000).finetune == "Instruct"`
    """
    if " " in model_id:
        return ModelName(full=model_id)
    organization, full = model_id.split("/", 1) if "/" in model_id else (None, model_id)
    if organization and organization.startswith("."):
        organization = None
    parts = [_classified(text, first=i == 0, n_params=n_params) for i, text in enumerate(filter(None, full.split("-")))]
    _prefer_numbers(parts)
    _mark_basename(parts)

    size_label = _joined(dict.fromkeys(p.text for p in parts if p.kind == "size"))
    finetune = _joined(p.text for p in parts if p.kind == "finetune")
    version = _joined(p.text for p in parts if p.kind == "version" and not p.in_basename)
    basename = _joined(p.text for p in parts if p.in_basename)
    if size_label is None and finetune is None and version is None:
        basename = None
    return ModelName(full, organization, basename, finetune, version, size_label)


def title(name: str) -> str:
    """The name as a title: hyphens become spaces, words in lower case get a capital, versions and sizes stay."""
    words = name.strip().replace("-", " ").split()
    return " ".join(word.title() if word.islower() and not KEEPS_CASE.fullmatch(word) else word for word in words)


def size_label(total: int, shared: int, expert: int, n_expert: int) -> str:
    """The size class for a model without one in its name: 1.1B, or 8x7B for experts."""
    if n_expert > 0:
        return f"{n_expert}x{_rounded(shared + expert)}"
    return _rounded(total)


def _rounded(count: int) -> str:
    # multiplied by the inverse, as the reference does: the last digit may depend on it
    scale, unit = next((small, unit) for limit, small, unit in SCALES if count > limit)
    scaled = count * scale
    digits = max(2 - len(str(round(scaled)).lstrip("0")), 0)
    return f"{scaled:.{digits}f}{unit}"


def _classified(text: str, *, first: bool, n_params: int) -> _Part:
    if VERSION.fullmatch(text):
        return _Part(text, "version")
    if QUANT.fullmatch(text):
        return _Part(text.upper(), "type")
    if not first and SIZE.fullmatch(text):
        return _size(text, n_params)
    if not first and FINETUNE.fullmatch(text):
        return _Part(text, "finetune")
    return _Part(text, None)


def _size(text: str, n_params: int) -> _Part:
    text = text.replace("_", ".")
    if text[-1].isdecimal():
        # bloom's 7b1 means 7.1b
        text = f"{text[:-2]}.{text[-1]}{text[-2]}"
    if len(text) > 1 and text[-2].isdecimal():
        text = text[:-1] + text[-1].upper()
    try:
        named = float(text[:-1]) * 1000.0 ** UNITS.find(text[-1])
    except ValueError:
        return _Part(text, "size")
    if n_params and abs(named - n_params) > 7 * n_params // 8:
        return _Part(text[:-1] + text[-1].lower(), "finetune")
    return _Part(text, "size")


def _prefer_numbers(parts: list[_Part]) -> None:
    """Where a size is a number, words such as `small` are no size."""
    sizes = [part for part in parts if part.kind == "size"]
    if any(char.isdecimal() for part in sizes for char in part.text):
        for part in sizes:
            if part.text.isalpha():
                part.kind = None


def _mark_basename(parts: list[_Part]) -> None:
    """The basename is the leading run of plain words and versions, less versions at its end; other words are fine-tune."""
    at_start = True
    for part in parts:
        at_start = at_start and ((part.kind is None and part.text[0].isalpha()) or part.kind == "version")
        if at_start:
            part.in_basename = True
        elif part.kind is None:
            part.kind = "finetune"
    for part in reversed(parts):
        if not (part.in_basename and part.kind == "version"):
            break
        part.in_basename = False


def _joined(texts: Iterable[str]) -> str | None:
    return "-".join(texts) or None
