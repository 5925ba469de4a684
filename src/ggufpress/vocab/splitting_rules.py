"""The rules by which a tokenizer.json splits text, in a form that can be compared: one step per line, in order.

What does not change the pieces is left out (trim_offsets, empty sequences, how a regular expression is spelled).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ggufpress.vocab.pretokenizer_rules import CONTRACTION, GPT2
from ggufpress.vocab.tokenizer_files import expect_list, expect_object

COMPOSED = "NFC"
BYTES = "bytes"
WORDS = "bert words"
MAX_STEPS = 200
"""More than any tokenizer has; a broken file must not make us list steps without end."""

_ENDINGS = frozenset({"s", "t", "re", "ve", "m", "ll", "d"})
_ANY_CASE = re.compile(r"\(\?i:('[a-z]+(?:\|'[a-z]+)*)\)")
_ANY_CASE_INSIDE = re.compile(r"'\(\?i:((?:\[[a-z]+\]|[a-z]+)(?:\|(?:\[[a-z]+\]|[a-z]+))*)\)")
_BOTH_CASES = re.compile(r"\(\?:('(?:\[[a-z][A-Z]\])+(?:\|'(?:\[[a-z][A-Z]\])+)*)\)")
_BOTH_CASES_INSIDE = "'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])"
_PLAIN = (
    ("\r", r"\r"), ("\n", r"\n"), ("\t", r"\t"),
    (r"\pL", r"\p{L}"), (r"\pN", r"\p{N}"), (r"\p{N}{1}", r"\p{N}"),
    # nothing that could be given back would match what follows
    (r"]?+\p{L}", r"]?\p{L}"), ("]++[", "]+["), (r"\p{N}{1,3}+", r"\p{N}{1,3}"), (r"\p{L}++", r"\p{L}+"),
    # \s* reaches the last line end by itself
    (r"|\s*[\r\n]+|", r"|\s*[\r\n]|"),
    (_BOTH_CASES_INSIDE, CONTRACTION),
)  # fmt: skip


def canonical_regex(regex: str) -> str:
    """The regular expression as the table has it, whichever of the usual spellings it comes in."""
    for old, new in _PLAIN:
        regex = regex.replace(old, new)
    for pattern, parts in ((_ANY_CASE, _listed), (_BOTH_CASES, _both_cases), (_ANY_CASE_INSIDE, _inside)):
        regex = pattern.sub(
            lambda found, parts=parts: CONTRACTION if parts(found[1]) == _ENDINGS else found[0],  # type: ignore[misc]
            regex,
        )
    return regex


def _listed(alternatives: str) -> frozenset[str]:
    return frozenset(part.removeprefix("'") for part in alternatives.split("|"))


def _both_cases(alternatives: str) -> frozenset[str]:
    pairs = [re.findall(r"\[([a-z])([A-Z])\]", part) for part in alternatives.split("|")]
    if any(lower.upper() != upper for part in pairs for lower, upper in part):
        return frozenset()
    return frozenset("".join(lower for lower, _ in part) for part in pairs)


def _inside(alternatives: str) -> frozenset[str]:
    parts = alternatives.split("|")
    return frozenset(text for part in parts for text in (part[1:-1] if part.startswith("[") else [part]))


def splitting_steps(rules: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """The steps of the normalizer and of the pre-tokenizer in `rules`. Raises TokenizerError that begins with `where`."""
    steps: list[str] = []
    for rule in flat_rules(rules.get("normalizer"), "normalizers", f"{where}: normalizer"):
        steps.append(_normalizing(rule))
    for rule in flat_rules(rules.get("pre_tokenizer"), "pretokenizers", f"{where}: pre_tokenizer"):
        steps += _splitting(rule)
    return tuple(steps)


def flat_rules(rule: Any, parts: str, where: str) -> Iterator[Mapping[str, Any]]:
    """The rule, or those of a sequence, which stands under `parts`. Raises TokenizerError that begins with `where`."""
    pending: list[Any] = [] if rule is None else [rule]
    count = 0
    while pending and count < MAX_STEPS:
        entry = expect_object(pending.pop(0), where)
        count += 1
        if entry.get("type") == "Sequence":
            pending[:0] = expect_list(entry.get(parts, []), f"{where}: {parts}")
        else:
            yield entry


def _normalizing(rule: Mapping[str, Any]) -> str:
    kind = rule.get("type")
    if (
        kind == "Replace"
        and isinstance(pattern := rule.get("pattern"), dict)
        and isinstance(pattern.get("String"), str)
    ):
        return f"replace {_quoted(pattern['String'])} by {_quoted(rule.get('content'))}"
    if kind == "BertNormalizer":
        # llama.cpp's WordPiece has its own, with flags in the metadata
        return ""
    return COMPOSED if kind == "NFC" else _stated(rule)


def _splitting(rule: Mapping[str, Any]) -> Sequence[str]:
    kind = rule.get("type")
    if kind == "ByteLevel":
        step = f"{BYTES} with a space in front" if rule.get("add_prefix_space", True) else BYTES
        return [f"split {GPT2}", step] if rule.get("use_regex", True) else [step]
    step = ""
    if kind == "Digits":
        step = r"split \p{N}" if rule.get("individual_digits") else r"split \p{N}+"
    elif kind == "Punctuation" and rule.get("behavior") == "Contiguous":
        step = "split punctuation together"
    elif kind == "BertPreTokenizer":
        step = WORDS
    elif kind == "Split" and isinstance(pattern := rule.get("pattern"), dict):
        step = _split(pattern, rule.get("behavior"), bool(rule.get("invert")))
    return [step or _stated(rule)]


def _split(pattern: Mapping[str, Any], behavior: Any, inverted: bool) -> str:
    """A step for a split that the table may have, else nothing."""
    if isinstance(text := pattern.get("String"), str) and not inverted:
        return f"split string {_quoted(text)}{'' if behavior == 'Isolated' else f' {behavior}'}"
    if not isinstance(regex := pattern.get("Regex"), str):
        return ""
    canonical = canonical_regex(regex)
    # keeping the matches alone is the same where they leave nothing over
    kept = behavior == "Removed" and inverted and canonical.endswith(r"|\s+")
    return f"split {canonical}" if kept or (behavior == "Isolated" and not inverted) else ""


def _quoted(text: Any) -> str:
    return json.dumps(text, ensure_ascii=False)


def _stated(rule: Mapping[str, Any]) -> str:
    return json.dumps(rule, ensure_ascii=False, sort_keys=True)
