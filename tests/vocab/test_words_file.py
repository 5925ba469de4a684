from __future__ import annotations

from typing import Any

import pytest
from tokenizers import normalizers

from ggufpress.errors import TokenizerError
from ggufpress.vocab.fast_tokenizer import load_fast_tokenizer
from ggufpress.vocab.tokenizer_files import TokenizerFiles
from ggufpress.vocab.words_file import rewritten_normalizer
from tests.vocab.conftest import MakeFolder

WORDS = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n##s\nHello\n"


def test_one_piece_a_line(folder: MakeFolder) -> None:
    tokenizer = load_fast_tokenizer(TokenizerFiles(folder({"vocab.txt": WORDS, "config.json": {"model_type": "bert"}})))
    assert tokenizer.encode("Hellos x") == [2, 5, 6, 1, 3]
    assert tokenizer.notes == ("tokenizer made of vocab.txt",)


def test_case_may_count(folder: MakeFolder) -> None:
    config = {"do_lower_case": False, "tokenizer_class": "BertTokenizer"}
    tokenizer = load_fast_tokenizer(TokenizerFiles(folder({"vocab.txt": WORDS, "tokenizer_config.json": config})))
    assert tokenizer.encode("Hello", add_special_tokens=False) == [7]


def test_a_special_token_that_is_no_piece(folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=r"vocab\.txt has no line '\[UNK\]'"):
        load_fast_tokenizer(TokenizerFiles(folder({"vocab.txt": "a\nb\n", "config.json": {"model_type": "bert"}})))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"lowercase": True, "strip_accents": None, "handle_chinese_chars": True}),
        ({"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False},
         {"lowercase": False, "strip_accents": True, "handle_chinese_chars": False}),
    ],
)  # fmt: skip
def test_flags_of_the_config_count(values: dict[str, Any], expected: dict[str, Any]) -> None:
    stated = normalizers.BertNormalizer(clean_text=False, lowercase=False)
    state = rewritten_normalizer(stated, values).__getstate__()
    for key, value in expected.items():
        assert f'"{key}":{"null" if value is None else str(value).lower()}' in state.decode().replace(" ", "")
    assert '"clean_text":false' in state.decode().replace(" ", "")


def test_other_normalizers_stay() -> None:
    stated = normalizers.Lowercase()
    assert rewritten_normalizer(stated, {"do_lower_case": False}) is stated
