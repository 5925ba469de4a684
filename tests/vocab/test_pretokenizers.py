from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from ggufpress.errors import TokenizerError, UsageError
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab import pretokenizers, read_vocab
from ggufpress.vocab.pretokenizer_fingerprints import CHECK_TEXT, FINGERPRINTS
from ggufpress.vocab.pretokenizers import fingerprint, recognise, stated_pretokenizer
from tests.vocab.conftest import MakeFolder

ReadJson = Callable[[str], dict[str, Any]]
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def test_table_is_complete() -> None:
    assert len(FINGERPRINTS) == 97
    assert all(len(digest) == 64 and name for digest, name in FINGERPRINTS)
    assert hashlib.sha256(CHECK_TEXT.encode()).hexdigest().startswith("a36179c1")


def test_the_last_name_of_a_fingerprint_holds() -> None:
    names = [name for digest, name in FINGERPRINTS if digest.startswith("b6dc8df9")]
    assert names == ["mpt", "olmo"]
    assert dict(FINGERPRINTS)[next(d for d, n in FINGERPRINTS if n == "mpt")] == "olmo"


def test_fingerprint_is_of_the_list() -> None:
    assert fingerprint((1, 2)) == hashlib.sha256(b"[1, 2]").hexdigest()


def test_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretokenizers, "_NAMES", {fingerprint([1, 2]): "mine"})
    found = recognise([1, 2], {}, "f")
    assert found.name == "mine"
    assert found.known
    assert fingerprint([1, 2])[:12] in found.how


def sequence(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(rules)}


def split(regex: str, **more: Any) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False, **more}


DIGITS = {"type": "Digits", "individual_digits": True}
GPT2 = BYTES | {"use_regex": True}
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")  # fmt: skip
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
          r"|\s+(?!\S)|\s+")  # fmt: skip
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK3 = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^""" + "\r\n"
    + r"""\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[""" + "\r\n" + r"]*|\s*[" + "\r\n" + r"]+|\s+(?!\S)|\s+"
)  # fmt: skip
NFC = {"type": "NFC"}


@pytest.mark.parametrize(
    ("name", "rules", "more"),
    [
        ("gpt-2", {"pre_tokenizer": GPT2}, {}),
        ("olmo", {"pre_tokenizer": GPT2, "normalizer": NFC}, {}),
        ("roberta-bpe", {"pre_tokenizer": GPT2}, {"model_type": "roberta"}),
        ("starcoder", {"pre_tokenizer": sequence(DIGITS, GPT2)}, {}),
        ("command-r", {"pre_tokenizer": sequence(DIGITS, GPT2), "normalizer": NFC}, {}),
        ("refact", {"pre_tokenizer": sequence(DIGITS, GPT2)}, {"model_type": "gpt_refact"}),
        ("llama-bpe", {"pre_tokenizer": sequence(split(LLAMA3), BYTES)}, {"ignores_merges": True}),
        ("smaug-bpe", {"pre_tokenizer": sequence(split(LLAMA3), BYTES)}, {}),
        ("llama-bpe", {"pre_tokenizer": sequence(split(CL100K, behavior="Removed", invert=True), BYTES)},
         {"ignores_merges": True}),
        ("glm4", {"pre_tokenizer": sequence(split(LLAMA3), BYTES)}, {"model_type": "glm4_moe"}),
        ("gpt-4o", {"pre_tokenizer": sequence(split(O200K), BYTES)}, {}),
        ("llama4", {"pre_tokenizer": sequence(split(O200K), BYTES)}, {"model_type": "llama4_text"}),
        ("deepseek-v3", {"pre_tokenizer": sequence(
            split(r"\p{N}{1,3}"), split("[一-龥\u3040-ゟ゠-ヿ]+"), split(DEEPSEEK3), BYTES)}, {}),
        ("bloom", {"pre_tokenizer": sequence(split(r" ?[^(\s|[.,!?…。，、।۔،])]+"), BYTES)}, {}),
        ("gemma4", {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, "pre_tokenizer": {
            "type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}}, {}),
        ("jina-v2-en", {"pre_tokenizer": {"type": "BertPreTokenizer"}}, {"word_pieces": True}),
    ],
)  # fmt: skip
def test_a_new_vocabulary_with_known_rules(name: str, rules: dict[str, Any], more: dict[str, Any]) -> None:
    found = recognise([1, 2], rules, "f", **more)
    assert (found.name, found.known) == (name, False)
    assert "recognised by its rules" in found.how


def test_merges_that_llama_cpp_cannot_ignore_are_told() -> None:
    qwen2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
    found = recognise([1, 2], {"pre_tokenizer": sequence(split(qwen2), BYTES)}, "f", ignores_merges=True)
    assert found.name == "qwen2"
    assert "merges words that are tokens as a whole" in found.how


@pytest.mark.parametrize("name", ["gpt-2", "llama-bpe", "qwen2", "deepseek-llm"])
def test_a_fine_tune_with_another_first_token_keeps_its_name(
    name: str, folder: MakeFolder, tokenizer_json: ReadJson
) -> None:
    stated = tokenizer_json(name)
    first = {"SpecialToken": {"id": "<new>", "type_id": 0}}
    stated["added_tokens"].append({
        "id": 160000, "content": "<new>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
        "special": True,
    })  # fmt: skip
    stated["post_processor"] = {
        "type": "TemplateProcessing", "single": [first, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [first, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<new>": {"id": "<new>", "ids": [160000], "tokens": ["<new>"]}},
    }  # fmt: skip
    # the library numbers new tokens itself
    stated["model"]["vocab"]["<new>"] = 160000
    vocab = read_vocab(folder({"tokenizer.json": stated}), "bpe", 160001)
    assert dict(vocab.metadata)["tokenizer.ggml.pre"].data == name
    assert any("recognised by its rules" in note for note in vocab.notes)


def test_unknown_prints_fingerprint_rules_and_the_difference_to_the_nearest() -> None:
    rules = {"normalizer": {"type": "NFC"}, "pre_tokenizer": sequence(split("é+"), DIGITS, GPT2)}
    with pytest.raises(TokenizerError) as caught:
        recognise([1, 2], rules, "some/tokenizer.json")
    message = str(caught.value)
    assert message.startswith("some/tokenizer.json splits text like no tokenizer that llama.cpp knows")
    assert fingerprint([1, 2]) in message
    assert '{"type": "NFC"}' in message
    assert '{"Regex": "é+"}' in message
    assert message.endswith("the nearest known rules are those of starcoder:\n  here alone: split é+")
    assert caught.value.hint == "if the difference does not matter, --pre starcoder takes these rules"


def test_what_is_missing_is_printed_too() -> None:
    with pytest.raises(TokenizerError, match=r"falcon alone: split \[0-9\]\[0-9\]\[0-9\]"):
        recognise([1], {"pre_tokenizer": sequence({"type": "Punctuation", "behavior": "Contiguous"}, GPT2,
                                                  {"type": "Digits", "individual_digits": False})}, "f")  # fmt: skip


def test_the_order_counts() -> None:
    with pytest.raises(
        TokenizerError, match="the nearest known rules are those of starcoder:\n  the same steps in another order"
    ):
        recognise([1], {"pre_tokenizer": sequence(GPT2 | {"use_regex": True}, DIGITS)}, "f")


def test_rules_of_any_length_are_refused_in_few_words() -> None:
    rules = {"pre_tokenizer": sequence(*[split("(?i:'s" + "|'s" * 20_000 + ")")] * 30)}
    with pytest.raises(TokenizerError) as caught:
        recognise([1], rules, "f")
    assert len(str(caught.value)) < 20_000


def test_words_of_bert_are_none_of_a_byte_level_tokenizer() -> None:
    with pytest.raises(TokenizerError, match="splits text like no tokenizer"):
        recognise([1], {"pre_tokenizer": {"type": "BertPreTokenizer"}}, "f")


def test_the_user_decides(folder: MakeFolder, tokenizer_json: ReadJson) -> None:
    checkpoint = folder({"tokenizer.json": tokenizer_json("gpt-2") | {"normalizer": {"type": "Lowercase"}}})
    with pytest.raises(TokenizerError, match="splits text like no tokenizer"):
        read_vocab(checkpoint, "bpe", 50304)
    vocab = read_vocab(Checkpoint(checkpoint.root, {}, {}), "bpe", 50304, pre="gpt-2")
    assert dict(vocab.metadata)["tokenizer.ggml.pre"].data == "gpt-2"
    assert "pre-tokenizer gpt-2: as --pre says" in vocab.notes


def test_the_user_errs() -> None:
    with pytest.raises(UsageError, match=r"--pre 'llama-bep' is no pre-tokenizer of llama\.cpp") as caught:
        stated_pretokenizer("llama-bep")
    assert "llama-bpe" in str(caught.value.hint)
    assert json.dumps(stated_pretokenizer("qwen2").name) == '"qwen2"'
