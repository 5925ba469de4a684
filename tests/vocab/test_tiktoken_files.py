from __future__ import annotations

from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Metadata
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab import read_vocab
from ggufpress.vocab.tiktoken_files import find_rank_file
from ggufpress.vocab.tokenizer_files import TokenizerFiles
from tests.vocab.conftest import MakeFolder
from tests.vocab.ranks import N_RANKS, rank_lines


def keys(checkpoint: Checkpoint, n_vocab: int | None = None) -> Metadata:
    return dict(read_vocab(checkpoint, "bpe", n_vocab).metadata)


def tokens_of(metadata: Metadata) -> tuple[Any, ...]:
    tokens = metadata["tokenizer.ggml.tokens"].data
    assert isinstance(tokens, tuple)
    return tokens


def token(content: str) -> dict[str, Any]:
    return {"content": content, "special": True}


def test_qwen(folder: MakeFolder) -> None:
    out = keys(folder({"qwen.tiktoken": rank_lines()}), 600)
    tokens = tokens_of(out)
    assert tokens[N_RANKS : N_RANKS + 4] == ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|extra_0|>")
    assert tokens[N_RANKS + 207] == "<|extra_204|>"
    assert tokens[-1] == "[PAD599]"
    assert out["tokenizer.ggml.pre"].data == "qwen2"
    assert [out[f"tokenizer.ggml.{name}_token_id"].data for name in ("bos", "eos", "unknown")] == [N_RANKS] * 3
    merges = out["tokenizer.ggml.merges"].data
    assert isinstance(merges, tuple)
    assert len(merges) == N_RANKS - 256
    assert list(out)[4] == "tokenizer.ggml.merges"


def test_qwens_ids_hold_only_where_the_files_give_none(folder: MakeFolder) -> None:
    config = {"eos_token_id": 5}
    out = keys(folder({"qwen.tiktoken": rank_lines(), "config.json": config}), 600)
    assert out["tokenizer.ggml.eos_token_id"].data == 5
    assert "tokenizer.ggml.bos_token_id" not in out
    assert out["tokenizer.ggml.unknown_token_id"].data == N_RANKS


@pytest.mark.parametrize(
    ("config", "bos"),
    [
        ({"num_experts": 64}, N_RANKS + 2),
        ({"hidden_size": 4096}, N_RANKS + 1),
        ({"hidden_size": 64, "bos_token_id": 1}, 1),
    ],
)
def test_hunyuan_begins_texts_as_its_size_does(config: dict[str, Any], bos: int, folder: MakeFolder) -> None:
    out = keys(folder({"hy.tiktoken": rank_lines(), "config.json": config}))
    assert tokens_of(out)[N_RANKS : N_RANKS + 3] == ("<|endoftext|>", "<|startoftext|>", "<|bos|>")
    assert out["tokenizer.ggml.bos_token_id"].data == bos


def test_small_hunyuans_say_which_tokens_end(folder: MakeFolder) -> None:
    files = {"hy.tiktoken": rank_lines(), "config.json": {"hidden_size": 64, "eod_token_id": 7},
             "generation_config.json": {"eos_token_id": [5, 6]}}  # fmt: skip
    vocab = read_vocab(folder(files), "hunyuan-eod", 600)
    assert vocab.kind == "ranks"
    assert dict(vocab.metadata)["tokenizer.ggml.eos_token_id"].data == 7
    assert dict(vocab.metadata)["tokenizer.ggml.eot_token_id"].data == 5
    files["config.json"] = {"num_experts": 64, "eod_token_id": 7}
    assert "tokenizer.ggml.eos_token_id" not in dict(read_vocab(folder(files), "hunyuan-eod", 600).metadata)


def test_kimi_linear_ends_texts_as_its_tokenizer_says(folder: MakeFolder) -> None:
    config = {"added_tokens_decoder": {str(N_RANKS + 1): token("[EOS]")}, "eos_token": "[EOS]"}
    files = {"tiktoken.model": rank_lines(), "tokenizer_config.json": config, "config.json": {
        "model_type": "kimi_linear", "eos_token_id": 9}}  # fmt: skip
    assert keys(folder(files))["tokenizer.ggml.eos_token_id"].data == N_RANKS + 1


def test_kimi_reserves_ids_that_the_config_may_name(folder: MakeFolder) -> None:
    config = {"added_tokens_decoder": {str(N_RANKS + 1): token("[EOS]")}}
    out = keys(folder({"tiktoken.model": rank_lines(), "tokenizer_config.json": config}))
    tokens = tokens_of(out)
    assert tokens[N_RANKS : N_RANKS + 3] == (
        f"<|reserved_token_{N_RANKS}|>",
        "[EOS]",
        f"<|reserved_token_{N_RANKS + 2}|>",
    )
    assert len(tokens) == N_RANKS + 256
    assert out["tokenizer.ggml.pre"].data == "kimi-k2"


def test_glms_tokenizer_model_is_no_sentencepiece(folder: MakeFolder) -> None:
    config = {"added_tokens_decoder": {str(N_RANKS): token("<|endoftext|>"), str(N_RANKS + 3): token("<|user|>")}}
    files = {"tokenizer.model": rank_lines(), "tokenizer_config.json": config, "config.json": {"model_type": "chatglm"}}
    out = keys(folder(files), 400)
    assert tokens_of(out)[N_RANKS : N_RANKS + 4] == ("<|endoftext|>", "[PAD321]", "[PAD322]", "<|user|>")
    assert out["tokenizer.ggml.pre"].data == "chatglm-bpe"
    assert out["tokenizer.ggml.eos_token_id"].data == N_RANKS
    assert out["tokenizer.ggml.eot_token_id"].data == N_RANKS + 3


def test_sentencepiece_and_tokenizer_json_are_no_rank_files(folder: MakeFolder, spm_model: bytes) -> None:
    assert find_rank_file(TokenizerFiles(folder({"tokenizer.model": spm_model}))) is None
    assert find_rank_file(TokenizerFiles(folder({"qwen.tiktoken": "", "tokenizer.json": {}}))) is None


def test_the_user_decides(folder: MakeFolder) -> None:
    vocab = read_vocab(folder({"qwen.tiktoken": rank_lines()}), "bpe", 600, pre="stablelm2")
    assert dict(vocab.metadata)["tokenizer.ggml.pre"].data == "stablelm2"


@pytest.mark.parametrize(
    ("decoder", "message"),
    [
        ({"x": token("a")}, r"added_tokens_decoder\['x'\] is no id behind the 320 ranks"),
        ({"5": token("a")}, "is no id behind the 320 ranks"),
        ({"9" * 400: token("a")}, "which is no token id"),
        ({"320": {}}, "content must be a string"),
        ({"320": 1}, "must be an object"),
        ([], "added_tokens_decoder must be an object"),
    ],
)
def test_broken_special_tokens(decoder: Any, message: str, folder: MakeFolder) -> None:
    files = {"tiktoken.model": rank_lines(), "tokenizer_config.json": {"added_tokens_decoder": decoder}}
    with pytest.raises(TokenizerError, match=message):
        keys(folder(files))


def test_more_tokens_than_the_model_has(folder: MakeFolder) -> None:
    with pytest.raises(
        TokenizerError, match=r"qwen\.tiktoken has tokens up to the id 527, but the model has 400 tokens"
    ):
        keys(folder({"qwen.tiktoken": rank_lines()}), 400)


def test_no_ranks_at_all(folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match="has no token for 256 of the 256 bytes"):
        keys(folder({"qwen.tiktoken": ""}), 400)
