"""Tokenizers that come as tiktoken's file of ranks and code from the repository, which is never run: Qwen, HunYuan, Kimi, GLM.

What that code adds to the ranks, special tokens and the splitting rule, stands here.
Source: tokenization_qwen.py of Qwen/Qwen-7B, tokenization_hy.py of tencent/Hunyuan-A13B-Instruct, tokenization_kimi.py of
moonshotai/Kimi-K2-Base, tokenization_chatglm.py of THUDM/glm-4-9b-chat; what becomes of them: llama.cpp of
llama-cpp-python 0.3.36, conversion/base.py (_set_vocab_qwen), hunyuan.py, deepseek.py, kimi_linear.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Metadata, ValueType, array, text, u32
from ggufpress.vocab.byte_ranks import Ranks, byte_text, merges_of, read_rank_lines
from ggufpress.vocab.merges_files import QWEN2_SPLIT
from ggufpress.vocab.pretokenizer_fingerprints import CHECK_TEXT
from ggufpress.vocab.pretokenizers import PreTokenizer, recognise, stated_pretokenizer
from ggufpress.vocab.special import special_metadata
from ggufpress.vocab.token_table import TokenTable, TokenType, check_n_vocab, padding
from ggufpress.vocab.tokenizer_files import TokenizerFiles, expect_id, expect_object, expect_text, optional_object

GLM_SPLIT = QWEN2_SPLIT.replace(r"\p{N}| ", r"\p{N}{1,3}| ")
END = "<|endoftext|>"
_EXTRA = tuple(f"<|extra_{i}|>" for i in range(205))
GLM_IDS = {"eos": END, "eot": "<|user|>", "unk": END}
"""Source: conversion/chatglm.py."""
N_RESERVED = 256
BOS, EOS = "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"
HUNYUAN_7B_N_EMBD = 4096


@dataclass(frozen=True)
class RankFile:
    """One kind of file. `special` gives the special tokens and their ids, for that many ranks.

    `split` is the regular expression, None where llama.cpp has its rule built in under the name `pre`.
    """

    name: str
    special: Callable[[TokenizerFiles, int], Mapping[str, int]]
    split: str | None = None
    pre: str | None = None


def _in_a_row(*tokens: str) -> Callable[[TokenizerFiles, int], Mapping[str, int]]:
    def numbered(files: TokenizerFiles, first: int) -> Mapping[str, int]:
        del files
        return {token: first + i for i, token in enumerate(tokens)}

    return numbered


def _stated(files: TokenizerFiles, first: int) -> dict[str, int]:
    """The added tokens of tokenizer_config.json."""
    name = "tokenizer_config.json"
    where = str(files.path(name))
    found: dict[str, int] = {}
    for key, entry in optional_object(files.json(name) or {}, "added_tokens_decoder", where).items():
        here = f"{where}: added_tokens_decoder[{key!r:.40}]"
        token = expect_text(expect_object(entry, here).get("content"), f"{here}: content")
        if not key.isascii() or not key.isdigit() or expect_id(int(key[:12]), here) < first:
            raise TokenizerError(f"{here} is no id behind the {first} ranks")
        found[token] = int(key)
    return found


def _reserved(files: TokenizerFiles, first: int) -> Mapping[str, int]:
    named = {token_id: token for token, token_id in _stated(files, first).items()}
    ids = range(first, first + N_RESERVED)
    return {named.get(token_id, f"<|reserved_token_{token_id}|>"): token_id for token_id in ids}


RANK_FILES = (
    RankFile("qwen.tiktoken", _in_a_row(END, "<|im_start|>", "<|im_end|>", *_EXTRA), QWEN2_SPLIT),
    RankFile("hy.tiktoken", _in_a_row(END, "<|startoftext|>", "<|bos|>", "<|eos|>", "<|pad|>", *_EXTRA), QWEN2_SPLIT),
    RankFile("tiktoken.model", _reserved, pre="kimi-k2"),
    RankFile("tokenizer.model", _stated, GLM_SPLIT),
)


def find_rank_file(files: TokenizerFiles) -> RankFile | None:
    """The file of ranks, None where there is none or a tokenizer.json says all. A tokenizer.model may be another thing."""
    if files.has("tokenizer.json"):
        return None
    for kind in RANK_FILES:
        if files.has(kind.name) and (kind.name != "tokenizer.model" or _is_rank_file(files, kind.name)):
            return kind
    return None


def _is_rank_file(files: TokenizerFiles, name: str) -> bool:
    # a SentencePiece model begins with a byte that is not of base64
    first = files.read_bytes(name).partition(b"\n")[0].split()
    return len(first) == 2 and first[1].isdigit()


def read_ranked(files: TokenizerFiles, kind: RankFile, n_vocab: int | None) -> tuple[Metadata, int, tuple[str, ...]]:
    """The `tokenizer.*` keys in file order, the number of tokens, and notes.

    Raises TokenizerError where the file is broken or does not fit.
    """
    where = str(files.path(kind.name))
    ranks = read_rank_lines(files.read_text(kind.name), where)
    special = kind.special(files, len(ranks))
    last = max([len(ranks) - 1, *special.values()])
    n_vocab = check_n_vocab(last + 1 if n_vocab is None else n_vocab, f"{files.path('config.json')}: vocab_size")
    if last >= n_vocab:
        raise TokenizerError(
            f"{where} has tokens up to the id {last}, but the model has {n_vocab} tokens",
            hint="vocab_size in config.json, the embedding and the tokenizer must be of one model",
        )
    merges = list(merges_of(ranks))
    pre = _pretokenizer(files, kind, ranks, merges, where)
    tokens, types = [padding(i) for i in range(n_vocab)], [int(TokenType.UNUSED)] * n_vocab
    for token, rank in ranks.items():
        tokens[rank], types[rank] = byte_text(token), TokenType.NORMAL
    for name, token_id in special.items():
        tokens[token_id], types[token_id] = name, TokenType.CONTROL
    out: Metadata = {"tokenizer.ggml.model": text("gpt2"), "tokenizer.ggml.pre": text(pre.name)}
    out.update(TokenTable(tokens, types).metadata())
    out["tokenizer.ggml.merges"] = array(ValueType.STRING, merges)
    out.update(_special_metadata(files, kind, special))
    note = f"tokenizer made of {kind.name}; code of the repository is not run"
    return out, n_vocab, (note, pre.how)


def _pretokenizer(files: TokenizerFiles, kind: RankFile, ranks: Ranks, merges: list[str], where: str) -> PreTokenizer:
    if files.pre is not None:
        return stated_pretokenizer(files.pre)
    if kind.pre is not None:
        return PreTokenizer(kind.pre, f"pre-tokenizer {kind.pre}: that of {kind.name}")
    vocab = {byte_text(token): rank for token, rank in ranks.items()}
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=pairs))
    split = pre_tokenizers.Split(Regex(kind.split or ""), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    stated = {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": kind.split}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
    ]}}  # fmt: skip
    model_type = files.checkpoint.config.get("model_type")
    return recognise(
        tokenizer.encode(CHECK_TEXT).ids, stated, where, model_type=model_type if isinstance(model_type, str) else None
    )


def _special_metadata(files: TokenizerFiles, kind: RankFile, special: Mapping[str, int]) -> Metadata:
    if kind.name == "tokenizer.model":
        return special_metadata(
            files, fixed_ids={key: special[name] for key, name in GLM_IDS.items() if name in special}
        )
    out = special_metadata(files)
    if kind.name == "qwen.tiktoken":
        # only where the files give no id at all, but for that of unknown tokens
        named = any(key.endswith("_token_id") for key in out)
        return special_metadata(
            files, fixed_ids=dict.fromkeys(("unk",) if named else ("bos", "eos", "unk"), special[END])
        )
    if kind.name == "hy.tiktoken":
        # config.json gives a wrong one; the dense 7B begins with another token, smaller models with that of their files
        config = files.checkpoint.config
        if config.get("num_experts") is not None:
            out[BOS] = u32(special["<|bos|>"])
        elif config.get("hidden_size") == HUNYUAN_7B_N_EMBD:
            out[BOS] = u32(special["<|startoftext|>"])
    if kind.name == "tiktoken.model" and files.checkpoint.config.get("model_type") == "kimi_linear":
        stated = (files.json("tokenizer_config.json") or {}).get("eos_token")
        token = stated.get("content") if isinstance(stated, dict) else stated
        if isinstance(token, str) and token in special:
            out[EOS] = u32(special[token])
    return out
