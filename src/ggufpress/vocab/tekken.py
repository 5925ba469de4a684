"""Mistral's tekken.json: ranks of byte strings behind a thousand special tokens.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/base.py (_set_vocab_mistral), gguf-py/gguf/vocab.py
(MistralVocab), conversion/mistral.py (get_community_chat_template); what the file means: mistral-common 1.8, tekken.py.
"""

from __future__ import annotations

from typing import Any

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Metadata, ValueType, array, flag, text, u32
from ggufpress.vocab.byte_ranks import Ranks, all_splits, byte_text, check_ranks, decoded
from ggufpress.vocab.token_table import TokenType, check_n_vocab
from ggufpress.vocab.tokenizer_files import TokenizerFiles, expect_id, expect_list, expect_object, expect_text

TEKKEN_FILE = "tekken.json"
LOCAL_TEMPLATE = "chat_template.jinja"

FIRST_SPECIAL = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]",
    "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)  # fmt: skip
"""The special tokens of files that list none, up to version 7."""
OLD_VERSIONS = ("v1", "v2", "v3", "v7")
IDS = {
    "tokenizer.ggml.bos_token_id": "<s>",
    "tokenizer.ggml.eos_token_id": "</s>",
    "tokenizer.ggml.unknown_token_id": "<unk>",
    "tokenizer.ggml.padding_token_id": "<pad>",
}
TEMPLATES = {"v1": "mistral-v1", "v3": "mistral-v3-tekken", "v7": "mistral-v7-tekken"}
"""Chat templates that llama.cpp has built in, by version."""


def read_tekken(files: TokenizerFiles, n_vocab: int | None) -> tuple[Metadata, tuple[str, ...]]:
    """The `tokenizer.*` keys in file order, and notes.

    Raises TokenizerError where the file is broken, or has another number of tokens than the model.
    """
    where = str(files.path(TEKKEN_FILE))
    stated = files.json(TEKKEN_FILE) or {}
    config = expect_object(stated.get("config"), f"{where}: config")
    version = expect_text(config.get("version"), f"{where}: config: version")
    size = check_n_vocab(_count(config, "default_vocab_size", where), f"{where}: default_vocab_size")
    n_special = _count(config, "default_num_special_tokens", where)
    if n_special >= size:
        raise TokenizerError(f"{where} has {n_special} special tokens of {size} in all")
    if n_vocab is not None and n_vocab != size:
        raise TokenizerError(f"{where} has {size} tokens, but the model has {n_vocab}")
    special = _special(stated, version, n_special, where)
    ranks = _ranks(stated, size - n_special, where)
    tokens = [*special, *(byte_text(token) for token in ranks)]
    types = [TokenType.CONTROL] * n_special + [TokenType.NORMAL] * len(ranks)
    ids = {key: special.index(token) if token in special else None for key, token in IDS.items()}
    missing = [IDS[key] for key, token_id in ids.items() if token_id is None]
    if missing:
        raise TokenizerError(f"{where} has no special token {missing[0]}")
    out: Metadata = {
        "tokenizer.ggml.model": text("gpt2"),
        "tokenizer.ggml.pre": text("tekken"),
        "tokenizer.ggml.merges": array(ValueType.STRING, all_splits(ranks, where)),
        **{key: u32(token_id or 0) for key, token_id in ids.items()},
        "tokenizer.ggml.tokens": array(ValueType.STRING, tokens),
        # zeros, which the reference writes as whole numbers
        "tokenizer.ggml.scores": array(ValueType.INT32, [0] * size),
        "tokenizer.ggml.token_type": array(ValueType.INT32, types),
        "tokenizer.ggml.add_bos_token": flag(True),
        "tokenizer.ggml.add_eos_token": flag(False),
    }
    notes: tuple[str, ...] = (f"pre-tokenizer tekken: the vocabulary is {TEKKEN_FILE}, version {version}",)
    template = TEMPLATES.get(version)
    if template is None and files.has(LOCAL_TEMPLATE):
        template = files.read_text(LOCAL_TEMPLATE)
    if template is not None:
        out["tokenizer.chat_template"] = text(template)
    else:
        notes += (f"no chat template: put {LOCAL_TEMPLATE} beside {TEKKEN_FILE}",)
    return out, notes


def _count(config: dict[str, Any], key: str, where: str) -> int:
    return expect_id(config.get(key), f"{where}: config: {key}")


def _special(stated: dict[str, Any], version: str, count: int, where: str) -> list[str]:
    listed = stated.get("special_tokens")
    if listed is None:
        if version not in OLD_VERSIONS:
            raise TokenizerError(f"{where}: special_tokens is missing")
        names = list(FIRST_SPECIAL)
    else:
        entries = expect_list(listed, f"{where}: special_tokens")
        names = [
            expect_text(expect_object(entry, f"{where}: special_tokens[{i}]").get("token_str"), f"{where}: token_str")
            for i, entry in enumerate(entries)
        ]
    if len(names) > count:
        raise TokenizerError(f"{where} lists {len(names)} special tokens, {count} are possible")
    names += [f"<SPECIAL_{i}>" for i in range(len(names), count)]
    if len(set(names)) < len(names):
        raise TokenizerError(f"{where} has a special token twice")
    return names


def _ranks(stated: dict[str, Any], count: int, where: str) -> Ranks:
    entries = expect_list(stated.get("vocab"), f"{where}: vocab")
    if len(entries) < count:
        raise TokenizerError(f"{where}: vocab lists {len(entries)} tokens, {count} were expected")
    ranks: Ranks = {}
    for i, entry in enumerate(entries[:count]):
        entry = expect_object(entry, f"{where}: vocab[{i}]")  # noqa: PLW2901
        token = decoded(
            expect_text(entry.get("token_bytes"), f"{where}: vocab[{i}]: token_bytes"), f"{where}: vocab[{i}]"
        )
        if entry.get("rank") != i or token in ranks:
            raise TokenizerError(
                f"{where}: vocab[{i}] has rank {entry.get('rank')!r:.20}, or a token that stands there already"
            )
        ranks[token] = i
    check_ranks(ranks, where)
    return ranks
