"""Vocabularies of mixtures of experts that follow the usual ways but for a key or two: one short function per family.

Source: llama.cpp of llama-cpp-python 0.3.36, `set_vocab` of the classes in conversion/*.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Metadata, text, u32
from ggufpress.vocab.bpe import read_bpe
from ggufpress.vocab.builtin import chat_template
from ggufpress.vocab.family_kinds import FamilyKind, Result, bpe, llama_tokens, spm
from ggufpress.vocab.special import ID_KEYS, special_metadata
from ggufpress.vocab.spm import MODEL_FILE, load_spm, piece_type
from ggufpress.vocab.spm_variants import END_OF_TURN, stated_tokens
from ggufpress.vocab.tiktoken_files import find_rank_file, read_ranked
from ggufpress.vocab.token_table import PAD_SCORE, TokenTable, TokenType, check_n_vocab, padding
from ggufpress.vocab.tokenizer_files import TokenizerFiles, expect_id

LAGUNA_END_OF_TURN = "</assistant>"
TEMPLATE = "chat_template.jinja"


def glm(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE; [gMASK] begins a text, <|user|> ends a turn, <|observation|> a message."""
    fixed = {"bos": "[gMASK]", "eot": "<|user|>", "unk": "<|endoftext|>", "eom": "<|observation|>"}
    return bpe(files, n_vocab, fixed=fixed)


def solar_open(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE with special tokens of given names."""
    fixed = {"eos": "<|endoftext|>", "eot": "<|endoftext|>", "unk": "<unk>", "bos": "<|startoftext|>"}
    return bpe(files, n_vocab, fixed=fixed)


def dots3(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE; <|endofassistant|> ends a turn."""
    return bpe(files, n_vocab, fixed={"eot": "<|endofassistant|>"})


def laguna(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE; </assistant> is a control token, and of several tokens that end a text one that begins none a turn."""
    table, pre, notes = read_bpe(files, n_vocab)
    kinds = zip(table.tokens, table.types, strict=True)
    table = replace(table, types=[TokenType.CONTROL if token == LAGUNA_END_OF_TURN else kind for token, kind in kinds])
    out: Metadata = {
        "tokenizer.ggml.model": text("gpt2"),
        "tokenizer.ggml.pre": text(pre.name),
        **dict(table.metadata()),
    }
    out |= special_metadata(files, load_merges=True)
    if files.has(TEMPLATE):
        out["tokenizer.chat_template"] = text(files.read_text(TEMPLATE))
    config = files.checkpoint.config
    ends = config.get("eos_token_id")
    others = [end for end in ends if end != config.get("bos_token_id")] if isinstance(ends, list) else []
    if others:
        out[ID_KEYS["eot"]] = u32(expect_id(others[0], f"{files.path('config.json')}: eos_token_id"))
    return "bpe", out, len(table.tokens), notes


def qwen3_omni(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE; <|im_end|> begins and ends a text."""
    kind, out, n_tokens, notes = bpe(files, n_vocab)
    for token_id, token, _, _ in stated_tokens(files, json_too=False):
        if token == END_OF_TURN:
            out[ID_KEYS["bos"]] = out[ID_KEYS["eos"]] = u32(token_id)
            break
    return kind, out, n_tokens, notes


def arctic(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """SentencePiece in which tokenizer_config.json redefines tokens: special ones have the score 0."""
    pieces = load_spm(files)
    n_pieces = pieces.vocab_size()
    n_vocab = check_n_vocab(n_vocab or n_pieces, f"{files.path('config.json')}: vocab_size")
    if n_pieces > n_vocab:
        raise TokenizerError(f"{files.path(MODEL_FILE)} has {n_pieces} pieces, but the model has {n_vocab} tokens")
    missing = range(n_pieces, n_vocab)
    tokens: list[str] = [pieces.IdToPiece(i) for i in range(n_pieces)] + [padding(i) for i in missing]
    scores = [pieces.GetScore(i) for i in range(n_pieces)] + [PAD_SCORE] * len(missing)
    types = [piece_type(pieces, i) for i in range(n_pieces)] + [TokenType.UNUSED] * len(missing)
    unknown = (files.json("tokenizer_config.json") or {}).get("unk_token")
    for token_id, token, special, _ in stated_tokens(files, json_too=False):
        if token_id < n_vocab:
            tokens[token_id], scores[token_id], types[token_id] = token, PAD_SCORE, TokenType.USER_DEFINED
            if special:
                types[token_id] = TokenType.UNKNOWN if token == unknown else TokenType.CONTROL
                scores[token_id] = 0.0
    out = llama_tokens(TokenTable(tokens, types, scores))
    return "spm", out | special_metadata(files, n_vocab=n_vocab), n_vocab, ()


def grok(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """SentencePiece where there is a tokenizer.model, else byte-level BPE, which needs a chat template beside it."""
    if files.has(MODEL_FILE):
        return spm(files, n_vocab)
    for name in ("tokenizer.json", TEMPLATE):
        if not files.has(name):
            raise TokenizerError(
                f"{files.path(name)} is missing", hint="alvarobartt/grok-2-tokenizer on the Hub has these files"
            )
    return bpe(files, n_vocab)


def minimax_m1(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE with the template of chat_template.jinja, or MiniMax M1's."""
    kind, out, n_tokens, notes = bpe(files, n_vocab)
    template = files.read_text(TEMPLATE) if files.has(TEMPLATE) else chat_template("minimax_m1")
    out["tokenizer.chat_template"] = text(template)
    return kind, out, n_tokens, notes


def kimi_k3(files: TokenizerFiles, n_vocab: int | None) -> Result:
    """Byte-level BPE or a file of ranks. config.json says which token ends a text; Kimi K3's template where there is none."""
    if (ranked := find_rank_file(files)) is not None:
        out, n_tokens, notes = read_ranked(files, ranked, n_vocab)
        kind = "ranks"
    else:
        kind, out, n_tokens, notes = bpe(files, n_vocab)
    config = {**files.checkpoint.config}
    section = config.get("text_config")
    config |= section if isinstance(section, dict) else {}
    if (end := config.get("eos_token_id")) is not None:
        out[ID_KEYS["eos"]] = u32(expect_id(end, f"{files.path('config.json')}: eos_token_id"))
    if not any(key.startswith("tokenizer.chat_template") for key in out):
        out["tokenizer.chat_template"] = text(chat_template("kimi_k3"))
    return kind, out, n_tokens, notes


MIXTURE_KINDS: Mapping[str, FamilyKind] = {
    "glm": glm,
    "solar-open": solar_open,
    "dots3": dots3,
    "laguna": laguna,
    "qwen3-omni": qwen3_omni,
    "arctic": arctic,
    "grok": grok,
    "minimax-m1": minimax_m1,
    "kimi-k3": kimi_k3,
}
"""Kinds by the name that an architecture gives."""
