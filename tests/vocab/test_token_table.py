from __future__ import annotations

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import ValueType
from ggufpress.vocab.token_table import TokenTable, TokenType, added_token, check_n_vocab, looks_special


@pytest.mark.parametrize(
    "text", ["<|im_start|>", "<｜end▁of▁sentence｜>", "<unused12>", "<pad>", "[@BOS@]", "<|>", "<||>"]
)
def test_looks_special(text: str) -> None:
    assert looks_special(text)


@pytest.mark.parametrize("text", ["<s>", "|x|>", "<|x", "unused1>", "", "<pad", "[PAD]"])
def test_looks_plain(text: str) -> None:
    assert not looks_special(text)


def test_added_token() -> None:
    assert added_token("▁a▁", special=False) == (" a ", TokenType.USER_DEFINED)
    assert added_token("▁a▁", special=True) == ("▁a▁", TokenType.CONTROL)
    assert added_token("<|▁|>", special=False) == ("<|▁|>", TokenType.CONTROL)


def test_metadata_order_and_types() -> None:
    table = TokenTable(["a", "b"], [TokenType.NORMAL, TokenType.BYTE], [0.5, -1.0])
    assert [(key, value.item_type, value.data) for key, value in table.metadata()] == [
        ("tokenizer.ggml.tokens", ValueType.STRING, ("a", "b")),
        ("tokenizer.ggml.scores", ValueType.FLOAT32, (0.5, -1.0)),
        ("tokenizer.ggml.token_type", ValueType.INT32, (1, 6)),
    ]
    assert [key for key, _ in TokenTable(["a"], [1]).metadata()] == [
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.token_type",
    ]


@pytest.mark.parametrize("n_vocab", [0, -1, (1 << 22) + 1, 10**15])
def test_n_vocab_is_bounded(n_vocab: int) -> None:
    assert check_n_vocab(1 << 22, "x") == 1 << 22
    with pytest.raises(TokenizerError, match=f"x gives a vocabulary of {n_vocab} tokens"):
        check_n_vocab(n_vocab, "x")
