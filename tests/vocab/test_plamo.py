from __future__ import annotations

import json
from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.vocab.plamo import VOCAB_FILE, plamo, plamo3
from ggufpress.vocab.tokenizer_files import TokenizerFiles
from tests.vocab.conftest import MakeFolder

TOKENS = [
    ["<unk>", 0, "UNKNOWN"],
    ["<s>", 0, "CONTROL"],
    ["<|plamo:x|>", 0, "NORMAL"],
    ["<0x0A>", 0, "BYTE"],
    ["あ", -1.5],
]


def files(folder: MakeFolder, tokens: list[Any], **config: Any) -> TokenizerFiles:
    lines = [token if isinstance(token, str) else json.dumps(token) for token in tokens]
    return TokenizerFiles(
        folder({VOCAB_FILE: "\n".join(lines), "tokenizer_config.json": {"bos_token": "<s>"} | config})
    )


def test_types_scores_and_padding_that_counts_from_1(folder: MakeFolder) -> None:
    kind, keys, n_tokens, notes = plamo(files(folder, TOKENS), 7)
    assert (kind, n_tokens, notes) == ("plamo", 7, ("2 unused tokens pad the vocabulary to 7",))
    assert keys["tokenizer.ggml.tokens"].data == ("<unk>", "<s>", "<|plamo:x|>", "<0x0A>", "あ", "[PAD1]", "[PAD2]")
    assert keys["tokenizer.ggml.token_type"].data == (2, 3, 3, 6, 1, 5, 5)
    assert keys["tokenizer.ggml.scores"].data == (0, 0, 0, 0, -1.5, -1000, -1000)
    assert (keys["tokenizer.ggml.bos_token_id"].data, keys["tokenizer.ggml.eot_token_id"].data) == (1, 4)


def test_only_plamo_3_has_a_template(folder: MakeFolder) -> None:
    found = files(folder, TOKENS, chat_template="{{ x }}")
    assert "tokenizer.chat_template" not in plamo(found, 5)[1]
    assert plamo3(found, 5)[1]["tokenizer.chat_template"].data == "{{ x }}"


@pytest.mark.parametrize("line", ['["a"]', "[", '{"a": 1}', '["a", "b", "NORMAL"]', "[1, 2]", '["a", NaN]', "[" * 5000])
def test_a_line_of_another_form_is_named(folder: MakeFolder, line: str) -> None:
    with pytest.raises(TokenizerError, match=r"tokenizer\.jsonl: line 6"):
        plamo(files(folder, [*TOKENS, line]), 9)


def test_a_special_token_that_is_none_is_named(folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=r"tokenizer_config\.json: eos_token is '</s>', which is no token"):
        plamo(files(folder, TOKENS, eos_token="</s>"), 9)


def test_a_missing_file_is_named(folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=r"tokenizer\.jsonl is missing"):
        plamo(TokenizerFiles(folder({"tokenizer_config.json": {}})), 9)
