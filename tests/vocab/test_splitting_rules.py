from __future__ import annotations

from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.vocab.pretokenizer_rules import CONTRACTION, GPT2, NAMES_OF_LLAMA_CPP, RULE_SETS
from ggufpress.vocab.splitting_rules import canonical_regex, splitting_steps

SPACES = r"\s*[\r\n]|\s+(?!\S)|\s+"


@pytest.mark.parametrize(
    ("stated", "canonical"),
    [
        (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+", rf"{CONTRACTION}|\p{{L}}+"),
        (r"(?i:'d|'ll|'m|'re|'s|'t|'ve)|\p{L}+", rf"{CONTRACTION}|\p{{L}}+"),
        (r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|x", rf"{CONTRACTION}|x"),
        (r"'(?i:[sdmt]|ll|ve|re)|x", rf"{CONTRACTION}|x"),
        (r"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|x", rf"{CONTRACTION}|x"),
        (r"(?i:'s|'t)|x", r"(?i:'s|'t)|x"),
        ("[^\r\n]\t", r"[^\r\n]\t"),
        (
            r"[^\r\n\p{L}\p{N}]?+\p{L}+| ?[^\s\p{L}\p{N}]++[\r\n]*",
            r"[^\r\n\p{L}\p{N}]?\p{L}+| ?[^\s\p{L}\p{N}]+[\r\n]*",
        ),
        (r"\pL+|\p{N}{1}|\s*[\r\n]+|x", r"\p{L}+|\p{N}|\s*[\r\n]|x"),
    ],
)
def test_spellings_of_one_rule(stated: str, canonical: str) -> None:
    assert canonical_regex(stated) == canonical


def test_the_table_is_canonical_and_its_names_are_llama_cpps() -> None:
    for rule_set in RULE_SETS:
        for step in rule_set.steps:
            if step.startswith("split ") and not step.startswith("split string"):
                assert canonical_regex(step) == step, rule_set.name
        names = (rule_set.name, rule_set.composed, rule_set.ignoring_merges, *rule_set.by_model_type.values())
        assert {name for name in names if name} <= NAMES_OF_LLAMA_CPP
    assert len({rule_set.steps for rule_set in RULE_SETS}) == len(RULE_SETS)


def split(regex: str, **more: Any) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False, **more}


@pytest.mark.parametrize(
    ("rule", "steps"),
    [
        (None, ()),
        ({"type": "Sequence", "pretokenizers": []}, ()),
        ({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}, (f"split {GPT2}", "bytes")),
        ({"type": "ByteLevel", "add_prefix_space": True, "use_regex": False}, ("bytes with a space in front",)),
        ({"type": "Digits", "individual_digits": True}, (r"split \p{N}",)),
        ({"type": "Digits", "individual_digits": False}, (r"split \p{N}+",)),
        (split("a+"), ("split a+",)),
        (split(rf"a+|{SPACES}", behavior="Removed", invert=True), (rf"split a+|{SPACES}",)),
        ({"type": "Sequence", "pretokenizers": [{"type": "Sequence", "pretokenizers": [split("a")]}, split("b")]},
         ("split a", "split b")),
        ({"type": "BertPreTokenizer"}, ("bert words",)),
        ({"type": "Whitespace"}, ('{"type": "Whitespace"}',)),
    ],
)  # fmt: skip
def test_steps(rule: Any, steps: tuple[str, ...]) -> None:
    assert splitting_steps({"pre_tokenizer": rule}, "f") == steps


def test_a_split_that_leaves_something_out_is_another_one() -> None:
    (step,) = splitting_steps({"pre_tokenizer": split("a+", behavior="Removed", invert=True)}, "f")
    assert step.startswith("{")


def test_normalizers_come_first() -> None:
    rules = {"normalizer": {"type": "Sequence", "normalizers": [
        {"type": "NFC"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": split("a")}  # fmt: skip
    assert splitting_steps(rules, "f") == ("NFC", 'replace " " by "▁"', "split a")


@pytest.mark.parametrize(
    "rule", [[], 1, {"type": "Sequence", "pretokenizers": 1}, {"type": "Sequence", "pretokenizers": [1]}]
)
def test_broken_rules(rule: Any) -> None:
    with pytest.raises(TokenizerError, match="f: pre_tokenizer"):
        splitting_steps({"pre_tokenizer": rule}, "f")


def test_nesting_without_end_ends() -> None:
    rule: Any = split("a")
    for _ in range(5000):
        rule = {"type": "Sequence", "pretokenizers": [rule]}
    assert splitting_steps({"pre_tokenizer": rule}, "f") == ()
