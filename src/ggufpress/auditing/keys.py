"""The keys of a file held against what the source says: an edited chat template changes a model as a weight does."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ggufpress.auditing.findings import KeyFinding
from ggufpress.comparison.keys import compare_keys
from ggufpress.comparison.sides import IMATRIX, OF_AN_OUTPUT
from ggufpress.comparison.verdict import kind_of_key
from ggufpress.gguf.values import Metadata

DESCRIPTION = "name and description"
SAMPLING = "general.sampling."
"""Among the keys that describe a model, those with which programs generate (TREE gguf-py/gguf/constants.py)."""


def examine_keys(source: Metadata, file: Metadata, allowed: Collection[str] = ()) -> tuple[KeyFinding, ...]:
    """What of the file's keys is not as the source has it, faults first. `allowed` are keys that may differ.

    Keys that say how a file was made are its own; those that describe a model are told, and are no fault.
    """
    own = {*OF_AN_OUTPUT, *(key for key in (*source, *file) if key.startswith(IMATRIX))}
    found = tuple(_findings(source, file, own, allowed))
    return tuple(sorted(found, key=lambda finding: not finding.is_fault))


def _findings(source: Metadata, file: Metadata, own: Collection[str], allowed: Collection[str]) -> Iterator[KeyFinding]:
    compared = compare_keys(source, file, own)
    told = [(change.key, change.about) for change in compared.changed]
    told += [(key.key, f"missing: the source says {key.text}") for key in compared.removed]
    told += [(key.key, f"added: {key.text}") for key in compared.added]
    for key, about in told:
        kind = kind_of_key(key)
        harmless = (kind == DESCRIPTION and not key.startswith(SAMPLING)) or key in allowed
        yield KeyFinding(key, kind, about, not harmless)
