"""Which name llama.cpp has for the way a tokenizer splits text before it merges."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ggufpress.errors import TokenizerError, UsageError
from ggufpress.vocab.pretokenizer_fingerprints import FINGERPRINTS
from ggufpress.vocab.pretokenizer_rules import NAMES_OF_LLAMA_CPP, RULE_SETS, WORD_PIECES, RuleSet
from ggufpress.vocab.splitting_rules import COMPOSED, splitting_steps

_NAMES = dict(FINGERPRINTS)

RULES = ("normalizer", "pre_tokenizer")
"""The keys of tokenizer.json that decide how text is split."""

SHOWN, PRINTED = 300, 3000
"""Characters of a step, and of all rules together, that a message prints."""
LISTED, COMPARED = 20, 400
"""Steps that a message lists, and characters by which the nearest rules are found."""


@dataclass(frozen=True, slots=True)
class PreTokenizer:
    """A pre-tokenizer by llama.cpp's name, and how we know that it is the one. `known`: llama.cpp's converter does, too."""

    name: str
    how: str
    known: bool = True


def fingerprint(ids: Sequence[int]) -> str:
    """The sha256 of `ids`: what the tokenizer makes of CHECK_TEXT, with the special tokens that it adds."""
    return hashlib.sha256(str(list(ids)).encode()).hexdigest()


def stated_pretokenizer(name: str) -> PreTokenizer:
    """The pre-tokenizer that the user names. Raises UsageError for a name that llama.cpp does not know."""
    if name not in NAMES_OF_LLAMA_CPP:
        near = difflib.get_close_matches(name, NAMES_OF_LLAMA_CPP, n=5, cutoff=0.4) or sorted(NAMES_OF_LLAMA_CPP)
        raise UsageError(f"--pre {name!r:.60} is no pre-tokenizer of llama.cpp", hint=f"it has {', '.join(near)}")
    return PreTokenizer(name, f"pre-tokenizer {name}: as --pre says", known=False)


def recognise(
    ids: Sequence[int],
    rules: Mapping[str, Any],
    where: str,
    *,
    model_type: str | None = None,
    ignores_merges: bool = False,
    word_pieces: bool = False,
) -> PreTokenizer:
    """The pre-tokenizer that makes `ids` of CHECK_TEXT, by fingerprint, else by its rules.

    `rules` holds what tokenizer.json states under RULES; `where` is the file, for the message. `model_type` chooses
    between names for the same rules, and so does `ignores_merges`. `word_pieces`: there are no merges at all.
    Raises TokenizerError that prints the rules and the nearest known ones where neither is known.
    """
    digest = fingerprint(ids)
    if (name := _NAMES.get(digest)) is not None:
        return PreTokenizer(name, f"pre-tokenizer {name}: fingerprint {digest[:12]} is known to llama.cpp")
    steps = tuple(step for step in splitting_steps(rules, where) if step)
    known = (WORD_PIECES,) if word_pieces else RULE_SETS
    found = next((rule_set for rule_set in known if rule_set.steps == _essential(steps)), None)
    if found is None:
        raise _unknown(digest, steps, rules, where, known)
    name, remark = _name_of(found, steps, model_type, ignores_merges)
    return PreTokenizer(
        name, f"pre-tokenizer {name}: recognised by its rules, the vocabulary being a new one{remark}", False
    )


def _essential(steps: tuple[str, ...]) -> tuple[str, ...]:
    """The steps that llama.cpp has: it composes no characters."""
    return tuple(step for step in steps if step != COMPOSED)


def _name_of(found: RuleSet, steps: tuple[str, ...], model_type: str | None, ignores_merges: bool) -> tuple[str, str]:
    preferred = found.by_model_type.get(model_type or "")
    if preferred is not None:
        return preferred, ""
    if ignores_merges and found.ignoring_merges:
        return found.ignoring_merges, ""
    remark = "; llama.cpp merges words that are tokens as a whole, too" if ignores_merges else ""
    return (found.composed if COMPOSED in steps and found.composed else found.name), remark


def _unknown(
    digest: str, steps: tuple[str, ...], rules: Mapping[str, Any], where: str, known: tuple[RuleSet, ...]
) -> TokenizerError:
    stated = ", ".join(f"{key} {json.dumps(rules.get(key), ensure_ascii=False):.{PRINTED}}" for key in RULES)
    essential = _essential(steps)
    nearest = max(known, key=lambda rule_set: _likeness(rule_set.steps, essential))
    lines = [f"  {nearest.name} alone: {step:.{SHOWN}}" for step in nearest.steps if step not in essential]
    lines += [f"  here alone: {step:.{SHOWN}}" for step in essential[:LISTED] if step not in nearest.steps]
    lines = lines or ["  the same steps in another order"]
    difference = "\n".join([f"the nearest known rules are those of {nearest.name}:", *lines])
    return TokenizerError(
        f"{where} splits text like no tokenizer that llama.cpp knows: fingerprint {digest}, {stated}\n{difference}",
        hint=f"if the difference does not matter, --pre {nearest.name} takes these rules",
    )


def _likeness(known: tuple[str, ...], steps: tuple[str, ...]) -> float:
    shared = len(set(known) & set(steps)) / max(len(known), len(steps), 1)
    # alike at the beginning is alike enough, and long rules must not take long
    theirs, ours = ("\n".join(some[:LISTED])[:COMPARED] for some in (known, steps))
    return shared + difflib.SequenceMatcher(None, theirs, ours, autojunk=False).ratio()
