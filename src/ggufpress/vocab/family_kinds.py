"""Vocabularies that follow the usual ways but for a key or two: one short function per family.

Source: llama.cpp of llama-cpp-python 0.3.36, `set_vocab` of the classes in conversion/*.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Metadata, flag, text, u32
from ggufpress.vocab.bpe import read_bpe
from ggufpress.vocab.builtin import SPECIAL_IDS, llama_2
from ggufpress.vocab.fast_tokenizer import load_fast_tokenizer
from ggufpress.vocab.special import ID_KEYS, TOKEN_TYPES, special_metadata
from ggufpress.vocab.spm import MODEL_FILE, read_spm
from ggufpress.vocab.spm_from_json import is_spm_json, read_spm_json
from ggufpress.vocab.spm_variants import END_OF_TURN, read_internlm2, read_phi3, stated_tokens
from ggufpress.vocab.tiktoken_files import find_rank_file, read_ranked
from ggufpress.vocab.token_table import TokenTable, TokenType, check_n_vocab
from ggufpress.vocab.tokenizer_files import TokenizerFiles, expect_id

Result: TypeAlias = tuple[str, Metadata, int, tuple[str, ...]]
"""The kind as it was read, the keys in file order, the number of tokens, notes."""

FamilyKind: TypeAlias = Callable[[TokenizerFiles, int | None], Result]

_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
SPACE_PREFIX = "tokenizer.ggml.add_space_prefix"
INTERNS1_BOS = 151643
GEMMA4_SHOWN = frozenset({
    "<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>", '<|"|>',
})  # fmt: skip
CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""What llama.cpp's converter gives Qwen3-ASR, whose own template it replaces."""


def llama_tokens(table: TokenTable) -> Metadata:
    """The keys of a SentencePiece vocabulary's tokens."""
    return {"tokenizer.ggml.model": text("llama"), "tokenizer.ggml.pre": text("default"), **dict(table.metadata())}


def spm(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """SentencePiece as it is."""
    table, notes = read_spm(files, n_vocab)
    n_tokens = len(table.tokens)
    return "spm", {**llama_tokens(table), **special_metadata(files, n_vocab=n_tokens)}, n_tokens, notes


def bpe(
    files: TokenizerFiles, n_vocab: int | None, as_stated: bool = False, fixed: Mapping[str, str] | None = None
) -> Result:
    """Byte-level BPE as it is. `fixed` names the added tokens that are special ones where the files give no id."""
    table, pre, notes = read_bpe(files, n_vocab, as_stated=as_stated)
    out: Metadata = {
        "tokenizer.ggml.model": text("gpt2"),
        "tokenizer.ggml.pre": text(pre.name),
        **dict(table.metadata()),
    }
    out |= special_metadata(files, load_merges=True, fixed_ids=_ids_of(files, fixed) if fixed else None)
    return "bpe", out, len(table.tokens), notes


def _ids_of(files: TokenizerFiles, fixed: Mapping[str, str]) -> dict[str, int]:
    known = {token: token_id for token_id, token, _, _ in reversed([*stated_tokens(files)])}
    if not set(fixed.values()) <= set(known):
        # slower, and knows tokens that stand in other files too
        known = {token.content: token_id for token_id, token in load_fast_tokenizer(files).added.items()}
    for token in fixed.values():
        if token not in known:
            raise TokenizerError(f"{files.path('tokenizer.json')} has no added token {token}, which this model needs")
    return {name: known[token] for name, token in fixed.items()}


def _prefix_space(files: TokenizerFiles) -> Metadata:
    config = files.json("tokenizer_config.json") or {}
    prefix = config.get("add_prefix_space")
    return {SPACE_PREFIX: flag(bool(prefix))} if prefix is not None else {}


def spm_prefix(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """SentencePiece, and add_prefix_space of tokenizer_config.json behind it: ERNIE, Pangu."""
    kind, out, n_tokens, notes = spm(files, n_vocab)
    return kind, out | _prefix_space(files), n_tokens, notes


def gemma3(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """SentencePiece without a space before a text, byte-level BPE where there is no tokenizer.model."""
    if not files.has(MODEL_FILE):
        return bpe(files, n_vocab)
    kind, out, n_tokens, notes = spm(files, n_vocab)
    return kind, out | {SPACE_PREFIX: flag(False)}, n_tokens, notes


def gemma4(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """The pieces of tokenizer.json with its merges; tokens that a chat's reader looks for are shown, not control tokens."""
    del n_vocab
    if not is_spm_json(files):
        raise TokenizerError(f"{files.path('tokenizer.json')}: a BPE with byte fallback was expected for Gemma 4")
    table, notes = read_spm_json(files)
    kinds = zip(table.tokens, table.types, strict=True)
    types = [TokenType.USER_DEFINED if token in GEMMA4_SHOWN else kind for token, kind in kinds]
    out: Metadata = {"tokenizer.ggml.model": text("gemma4"), **dict(replace(table, types=types).metadata())}
    out |= special_metadata(files, load_merges=True)
    out |= {SPACE_PREFIX: flag(False), "tokenizer.ggml.add_bos_token": flag(True)}
    return "gemma4", out, len(table.tokens), notes


def muse_glimmer(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE; <|eot|> ends a turn, or the unknown token where there is no such token."""
    kind, out, n_tokens, notes = bpe(files, n_vocab)
    backend = load_fast_tokenizer(files).backend
    unknown = (files.json("tokenizer_config.json") or {}).get("unk_token")
    unknown = unknown.get("content") if isinstance(unknown, dict) else unknown
    for token in ("<|eot|>", unknown):
        if isinstance(token, str) and (token_id := backend.token_to_id(token)) is not None:
            out[ID_KEYS["eot"]] = u32(token_id)
            break
    return kind, out, n_tokens, notes


def interns1(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE in which token 151643 begins a text where the files name none."""
    table, pre, notes = read_bpe(files, n_vocab)
    out: Metadata = {
        "tokenizer.ggml.model": text("gpt2"),
        "tokenizer.ggml.pre": text(pre.name),
        **dict(table.metadata()),
    }
    out |= special_metadata(files, load_merges=True, fixed_ids={"bos": INTERNS1_BOS})
    return "bpe", out, len(table.tokens), notes


def phi3(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """GPT-2's BPE where the tokenizer says so (Phi-4), else SentencePiece with added tokens of three files."""
    if (files.json("tokenizer_config.json") or {}).get("tokenizer_class") == "GPT2Tokenizer" or not files.has(
        MODEL_FILE
    ):
        return bpe(files, n_vocab)
    table = read_phi3(files, n_vocab)
    n_tokens = len(table.tokens)
    return "spm", {**llama_tokens(table), **special_metadata(files, n_vocab=n_tokens)}, n_tokens, ()


def internlm2(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """SentencePiece; <|im_end|> ends a text where there is such a token."""
    table, prefix, end_of_turn = read_internlm2(files, n_vocab)
    n_tokens = len(table.tokens)
    out = {**llama_tokens(table), SPACE_PREFIX: flag(prefix)}
    out |= special_metadata(files, n_vocab=n_tokens, set_ids={} if end_of_turn is None else {"eos": end_of_turn})
    return "spm", out, n_tokens, ()


def internlm3(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """SentencePiece; a special <|im_end|> ends a text where the files give any token that does."""
    table, notes = read_spm(files, n_vocab)
    n_tokens = len(table.tokens)
    ends: dict[str, int] = {}
    for token_id, token, special, _ in stated_tokens(files, json_too=False):
        if special and token == END_OF_TURN:
            ends["eos"] = token_id
    out = {**llama_tokens(table), **_prefix_space(files)}
    return "spm", out | special_metadata(files, n_vocab=n_tokens, set_known_ids=ends), n_tokens, notes


def xverse(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """The tokens of tokenizer.json without scores, as SentencePiece. A zero byte is spelled out."""
    tokenizer = load_fast_tokenizer(files)
    vocab = tokenizer.vocab()
    by_id = {token_id: token for token, token_id in vocab.items()}
    n_vocab = check_n_vocab(len(vocab) if n_vocab is None else n_vocab, f"{files.path('config.json')}: vocab_size")
    if (wrong := next((i for i in range(n_vocab) if i not in by_id), None)) is not None or len(by_id) > n_vocab:
        detail = f"none with the id {wrong}" if wrong is not None else "more than that"
        raise TokenizerError(f"{files.path('tokenizer.json')}: the model has {n_vocab} tokens, the tokenizer {detail}")
    tokens, types = [], []
    for token_id in range(n_vocab):
        token, kind = by_id[token_id], TokenType.NORMAL
        if token == "\0":
            token, kind = "<b'\\x00'>", TokenType.BYTE
        elif _BYTE.fullmatch(token):
            kind = TokenType.BYTE
        elif token_id in tokenizer.added:
            kind = TokenType.CONTROL if tokenizer.added[token_id].special else TokenType.USER_DEFINED
        tokens.append(token)
        types.append(kind)
    out = {**llama_tokens(TokenTable(tokens, types)), **special_metadata(files, n_vocab=n_vocab)}
    return "spm-json", out, n_vocab, tokenizer.notes


def glm4(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE; <|endoftext|> and <|user|> end a text and a turn."""
    fixed = {"eos": "<|endoftext|>", "eot": "<|user|>", "unk": "<|endoftext|>", "bos": "<|endoftext|>"}
    return bpe(files, n_vocab, fixed=fixed)


def chatglm(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE; as for GLM-4, but no token begins a text."""
    return bpe(files, n_vocab, fixed={"eos": "<|endoftext|>", "eot": "<|user|>", "unk": "<|endoftext|>"})


def mpt(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE; SentencePiece with SEA-LION's special tokens where that cannot be read."""
    try:
        return bpe(files, n_vocab)
    except TokenizerError:
        if not files.has(MODEL_FILE):
            raise
    kind, out, n_tokens, notes = spm(files, n_vocab)
    out["tokenizer.ggml.add_bos_token"] = flag(False)
    out["tokenizer.ggml.padding_token_id"] = u32(3)
    out["tokenizer.ggml.eos_token_id"] = u32(1)
    out["tokenizer.ggml.unknown_token_id"] = u32(0)
    return kind, out, n_tokens, notes


def refact(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE, and the token that ends a turn where the files name one."""
    kind, out, n_tokens, notes = bpe(files, n_vocab)
    more = special_metadata(files, token_types=("prefix", "suffix", "middle", "eot"))
    template = "tokenizer.chat_template"
    return kind, out | {key: value for key, value in more.items() if not key.startswith(template)}, n_tokens, notes


def stated_bpe(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE whose added tokens are what the tokenizer says: LLaDA."""
    return bpe(files, n_vocab, as_stated=True)


def dream(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """SentencePiece where there is a tokenizer.model, else as LLaDA."""
    return spm(files, n_vocab) if files.has(MODEL_FILE) else bpe(files, n_vocab, as_stated=True)


def hunyuan(files: TokenizerFiles, n_vocab: int | None, eod: bool = False) -> Result:
    """Byte-level BPE; the first of several end tokens in generation_config.json ends a turn.

    `eod`: eod_token_id of config.json ends a text. transformers' class loses that key.
    """
    where = files.path("config.json")
    config = {**files.checkpoint.config}
    section = config.get("text_config")
    config |= section if isinstance(section, dict) else {}
    ranked = find_rank_file(files)
    if ranked is not None:
        out, n_tokens, notes = read_ranked(files, ranked, n_vocab)
        if config.get("num_experts") is not None:
            return "ranks", out, n_tokens, notes
    else:
        table, pre, notes = read_bpe(files, n_vocab)
        out = {"tokenizer.ggml.model": text("gpt2"), "tokenizer.ggml.pre": text(pre.name), **dict(table.metadata())}
        n_tokens = len(table.tokens)
        pad = config.get("pad_token_id")
        types = TOKEN_TYPES if not (type(pad) is int and pad < 0) else tuple(x for x in TOKEN_TYPES if x != "pad")
        out |= special_metadata(files, load_merges=True, token_types=types)
    if eod and (end := config.get("eod_token_id")) is not None:
        out["tokenizer.ggml.eos_token_id"] = u32(expect_id(end, f"{where}: eod_token_id"))
    ends = (files.json("generation_config.json") or {}).get("eos_token_id")
    if isinstance(ends, list) and len(ends) >= 2:
        place = f"{files.path('generation_config.json')}: eos_token_id"
        out["tokenizer.ggml.eot_token_id"] = u32(expect_id(ends[0], place))
    return "bpe" if ranked is None else "ranks", out, n_tokens, notes


def openelm(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """SentencePiece where there is a tokenizer.model, else Llama 2's vocabulary."""
    if files.has(MODEL_FILE):
        return spm(files, n_vocab)
    whole = llama_2()
    size = check_n_vocab(n_vocab or len(whole.tokens), f"{files.path('config.json')}: vocab_size")
    table = TokenTable(whole.tokens[:size], whole.types[:size], (whole.scores or [])[:size])
    out = llama_tokens(table)
    out |= {ID_KEYS[name]: u32(token_id) for name, token_id in SPECIAL_IDS.items()}
    out["tokenizer.ggml.add_bos_token"], out["tokenizer.ggml.add_eos_token"] = flag(True), flag(False)
    return "spm", out, len(table.tokens), (f"{files.path(MODEL_FILE)} is missing: Llama 2's vocabulary is used",)


def qwen3_asr(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """As Qwen, with a plain chat template; <|im_end|> begins and ends a text."""
    kind, out, n_tokens, notes = spm(files, n_vocab) if files.has(MODEL_FILE) else bpe(files, n_vocab)
    out["tokenizer.chat_template"] = text(CHATML)
    for token_id, token, _, _ in stated_tokens(files, json_too=False):
        if token == END_OF_TURN:
            out[ID_KEYS["bos"]] = out[ID_KEYS["eos"]] = u32(token_id)
            break
    return kind, out, n_tokens, notes


FAMILY_KINDS: Mapping[str, FamilyKind] = {
    "spm-prefix": spm_prefix,
    "gemma3": gemma3,
    "gemma4": gemma4,
    "muse-glimmer": muse_glimmer,
    "interns1": interns1,
    "phi3": phi3,
    "internlm2": internlm2,
    "internlm3": internlm3,
    "xverse": xverse,
    "glm4": glm4,
    "chatglm": chatglm,
    "mpt": mpt,
    "refact": refact,
    "bpe-as-stated": stated_bpe,
    "dream": dream,
    "hunyuan": hunyuan,
    "hunyuan-eod": partial(hunyuan, eod=True),
    "openelm": openelm,
    "qwen3-asr": qwen3_asr,
}
"""Kinds by the name that an architecture gives."""
