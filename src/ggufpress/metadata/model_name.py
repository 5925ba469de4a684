"""What a model's name says: `TinyLlama-1.1B-Chat-v1.0` is TinyLlama, of size 1.1B, tuned for Chat, in version v1.0.

Source: gguf-py/gguf/metadata.py, get_model_id_components and id_to_title.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

_VERSION = re.compile(r"(v|iter)?\d+([.]\d+)*", re.IGNORECASE)
_QTYPE = re.compile(r"i?q\d(_\w)*|b?fp?(16|32)", re.IGNORECASE)
_SIZE = re.compile(r"(([A]|\d+[x])?\d+([._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl)", re.IGNORECASE)
_TUNING = re.compile(r"chat|instruct|vision|lora", re.IGNORECASE)
_KEEPS_CASE = re.compile(r"^(v\d+(?:\.\d+)*|\d.*)$")


@dataclass(frozen=True, slots=True)
class NameParts:
    """The parts of a model id; None where it does not have one. `full` is the id without the organization."""

    full: str
    organization: str | None = None
    basename: str | None = None
    finetune: str | None = None
    version: str | None = None
    size_label: str | None = None


class _Role(Enum):
    BASENAME = auto()
    SIZE = auto()
    TUNING = auto()
    VERSION = auto()
    QTYPE = auto()


def title(name: str) -> str:
    """`name` as words: lower-case ones capitalised, versions and sizes as they are.

    Example: "tiny-llama-1.1b-v1" gives "Tiny Llama 1.1b v1".
    """
    words = name.strip().replace("-", " ").split()
    return " ".join(word.title() if word.islower() and not _KEEPS_CASE.match(word) else word for word in words)


def split_model_id(model_id: str, n_params: int = 0) -> NameParts:
    """The parts of `model_id`, which is a name, or an organization and a name with a slash between.

    `n_params` is the model's parameter count: a size in the name that is far from it is no size (a context length,
    mostly). 0 takes every size for one. A name with spaces is a title and is not split.
    """
    if " " in model_id:
        return NameParts(model_id)
    organization: str | None = None
    full = model_id
    if "/" in model_id:
        organization, full = model_id.split("/", 1)
        if organization.startswith("."):
            organization = None

    words = [word for word in full.split("-") if word]
    read = [_read_word(word, first=i == 0, n_params=n_params) for i, word in enumerate(words)]
    words = [word for word, _ in read]
    roles = [{role} if role else set() for _, role in read]
    _prefer_numbered_sizes(words, roles)
    _mark_basename(words, roles)

    versions = [word for word, role in zip(words, roles, strict=True) if role == {_Role.VERSION}]
    found = NameParts(
        full,
        organization,
        _join(word for word, role in zip(words, roles, strict=True) if _Role.BASENAME in role),
        _join(word for word, role in zip(words, roles, strict=True) if _Role.TUNING in role),
        _join(versions),
        _join(dict.fromkeys(word for word, role in zip(words, roles, strict=True) if _Role.SIZE in role)),
    )
    if found.size_label is None and found.finetune is None and found.version is None:
        return NameParts(full, organization)
    return found


def _join(words: Iterable[str]) -> str | None:
    return "-".join(words) or None


def _read_word(word: str, *, first: bool, n_params: int) -> tuple[str, _Role | None]:
    """The word as it is written in metadata, and its role where its spelling gives it one."""
    if _VERSION.fullmatch(word):
        return word, _Role.VERSION
    if _QTYPE.fullmatch(word):
        return word.upper(), _Role.QTYPE
    if not first and _SIZE.fullmatch(word):
        return _read_size(word, n_params)
    if not first and _TUNING.fullmatch(word):
        return word, _Role.TUNING
    return word, None


def _read_size(word: str, n_params: int) -> tuple[str, _Role]:
    size = word.replace("_", ".")
    if size[-1].isdecimal():
        # bloom-7b1 is bloom-7.1b
        size = f"{size[:-2]}.{size[-1]}{size[-2]}"
    if len(size) > 1 and size[-2].isdecimal() and size[-1] in "kmbt":
        size = size[:-1] + size[-1].upper()
    if n_params:
        try:
            stated = float(size[:-1]) * pow(1000, " KMBT".find(size[-1]))
        except ValueError:
            return size, _Role.SIZE
        if _is_far(stated, n_params):
            return size[:-1] + size[-1].lower(), _Role.TUNING
    return size, _Role.SIZE


def _is_far(stated: float, n_params: int) -> bool:
    """Whether a stated size cannot be that of the model. A negative count is a lower bound."""
    if n_params < 0:
        return stated < -n_params // 8
    return abs(stated - n_params) > 7 * n_params // 8


def _prefer_numbered_sizes(words: Sequence[str], roles: Sequence[set[_Role]]) -> None:
    sizes = [(word, role) for word, role in zip(words, roles, strict=True) if _Role.SIZE in role]
    if any(c.isdecimal() for word, _ in sizes for c in word):
        for word, role in sizes:
            if all(c.isalpha() for c in word):
                role.remove(_Role.SIZE)


def _mark_basename(words: Sequence[str], roles: Sequence[set[_Role]]) -> None:
    """Let the leading words be the base name, versions between them included, and all other plain words the tuning."""
    at_start = True
    for word, role in zip(words, roles, strict=True):
        if at_start and ((not role and word[0].isalpha()) or _Role.VERSION in role):
            role.add(_Role.BASENAME)
        else:
            at_start = False
            if not role:
                role.add(_Role.TUNING)
    for role in reversed(roles):
        if not (_Role.BASENAME in role and len(role) > 1):
            break
        role.remove(_Role.BASENAME)
