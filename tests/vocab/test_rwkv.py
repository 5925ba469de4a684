from __future__ import annotations

from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.vocab.read import read_vocab
from ggufpress.vocab.rwkv import VOCAB_FILE, read_rwkv
from ggufpress.vocab.tokenizer_files import TokenizerFiles
from tests.vocab.conftest import MakeFolder

LINES = ["1 '\\x00' 1", "2 b'\\xff\\xfe' 2", '3 "it\'s" 4', "4 ' \u00df' 3", "5 '\\n\\n' 2", "6 '\\'' 1"]


def files(folder: MakeFolder, *lines: str, **more: Any) -> TokenizerFiles:
    return TokenizerFiles(folder({VOCAB_FILE: "\n".join(lines) + "\n", **more}))


def test_tokens_are_written_as_python_writes_bytes(folder: MakeFolder) -> None:
    table, notes = read_rwkv(files(folder, *LINES), 9)
    assert list(table.tokens) == [
        "<s>",
        "\\x00",
        "\\xff\\xfe",
        "it's",
        " \\xc3\\x9f",
        "\\n\\n",
        "'",
        "[PAD7]",
        "[PAD8]",
    ]
    assert list(table.types) == [3, 1, 1, 1, 1, 1, 1, 5, 5]
    assert notes == ("2 unused tokens pad the vocabulary to 9",)


@pytest.mark.parametrize("line", [
    "7 open('x') 1", "7 'a' + 'b' 2", "7 ['a'] 1", "7 'a'", "'a' 1", "7 'a' 2", "7 f'a' 1", "7 'a''b' 2", "7 b'\u00df' 2", "",
    "7 'a 1", "7 '\\xz' 1", "7 '\\ud800' 3", f"7 '{'a' * 5000}' 5000", "7 " + "(" * 3000 + " 1", "7 'a' 123456",
])  # fmt: skip
def test_a_line_of_another_form_is_named_and_nothing_runs(folder: MakeFolder, line: str) -> None:
    with pytest.raises(TokenizerError, match=r"rwkv_vocab_v20230424\.txt: line 7 is not"):
        read_rwkv(files(folder, *LINES, line, "8 'z' 1"), 100)


def test_a_model_with_fewer_tokens_is_refused(folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match="has 6 tokens besides <s>, but the model has 6 in all"):
        read_rwkv(files(folder, *LINES), 6)


def test_a_missing_file_is_named(folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=r"rwkv_vocab_v20230424\.txt is missing"):
        read_rwkv(TokenizerFiles(folder({"config.json": {}})), 6)


def test_the_template_of_rwkv_stands_where_the_files_have_none(folder: MakeFolder) -> None:
    plain = dict(read_vocab(folder({VOCAB_FILE: LINES[0]}), "rwkv", 4).metadata)
    template = plain["tokenizer.chat_template"].data
    assert isinstance(template, str)
    assert "'Assistant: '" in template
    own = {"tokenizer_config.json": {"chat_template": "{{ x }}"}}
    found = dict(read_vocab(folder({VOCAB_FILE: LINES[0], **own}), "rwkv", 4).metadata)
    assert found["tokenizer.chat_template"].data == "{{ x }}"
    assert [found[f"tokenizer.ggml.{k}_token_id"].data for k in ("bos", "eos", "eot")] == [0, 0, 261]
