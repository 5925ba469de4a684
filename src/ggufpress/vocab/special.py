"""Special token ids, add_bos and its kin, merges, chat templates and normalizer flags: what surrounds the tokens.

Source: gguf-py/gguf/vocab.py, SpecialVocab; key names gguf-py/gguf/constants.py, Keys.Tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Metadata, Value, ValueType, array, flag, u32
from ggufpress.vocab.chat_templates import read_chat_template, set_chat_template
from ggufpress.vocab.tokenizer_files import (
    TokenizerFiles,
    expect_id,
    expect_list,
    expect_object,
    expect_text,
    optional_object,
)

TOKEN_TYPES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")

ID_KEYS = {
    "bos": "tokenizer.ggml.bos_token_id",
    "eos": "tokenizer.ggml.eos_token_id",
    "unk": "tokenizer.ggml.unknown_token_id",
    "sep": "tokenizer.ggml.seperator_token_id",
    "pad": "tokenizer.ggml.padding_token_id",
    "mask": "tokenizer.ggml.mask_token_id",
    "eot": "tokenizer.ggml.eot_token_id",
    "eom": "tokenizer.ggml.eom_token_id",
}
"""Types without a key here (cls, prefix, suffix, middle) are looked up but not written, as in llama.cpp."""

_ADD_KEYS = {name: f"tokenizer.ggml.add_{name}_token" for name in ("bos", "eos", "sep")}


def special_metadata(
    files: TokenizerFiles,
    *,
    n_vocab: int | None = None,
    load_merges: bool = False,
    token_types: Sequence[str] = TOKEN_TYPES,
    fixed_ids: Mapping[str, int] | None = None,
    set_ids: Mapping[str, int] | None = None,
    set_known_ids: Mapping[str, int] | None = None,
) -> Metadata:
    """The keys beside the token list, in the converter's order.

    Ids from `n_vocab` on are left out (None: all are taken). `fixed_ids` hold where the files give a type no id,
    `set_ids` whatever they give, `set_known_ids` only where they give one.
    Raises TokenizerError where a file is broken or an id is negative.
    """
    reading = _Reading(files, token_types, n_vocab)
    reading.read_tokenizer_json()
    reading.read_tokenizer_config()
    reading.read_config()
    for name, token_id in (fixed_ids or {}).items():
        reading.set_id(name, token_id, "")
    reading.ids.update(set_ids or {})
    reading.ids.update({name: token_id for name, token_id in (set_known_ids or {}).items() if name in reading.ids})

    out: Metadata = {}
    if load_merges and (merges := read_merges(files)):
        out["tokenizer.ggml.merges"] = array(ValueType.STRING, merges)
    out.update({ID_KEYS[name]: u32(token_id) for name, token_id in reading.ids.items() if name in ID_KEYS})
    out.update({_ADD_KEYS[name]: flag(value) for name, value in reading.adds.items() if name in _ADD_KEYS})
    if reading.config:
        template = read_chat_template(files, reading.config)
        set_chat_template(out, template, f"{files.path('tokenizer_config.json')}: chat_template")
    out.update(_normalizer_flags(files))
    return out


class _Reading:
    """What is known so far. `config` is tokenizer_config.json, corrected by the post-processor of tokenizer.json."""

    def __init__(self, files: TokenizerFiles, token_types: Sequence[str], n_vocab: int | None) -> None:
        self.files = files
        self.token_types = list(token_types)
        self.n_vocab = n_vocab
        self.ids: dict[str, int] = {}
        self.adds: dict[str, bool] = {}
        self.config = dict(files.json("tokenizer_config.json") or {})
        # Without a config the post-processor alone says which token is which; the files then give no ids.
        self.names: dict[str, Any] = {name: self.config.get(f"{name}_token") for name in ("bos", "cls", "eos", "sep")}

    def rename(self, name: str, token: Any) -> None:
        """Let `token` be the special token `name`."""
        self.names[name] = token
        if self.config:
            self.config[f"{name}_token"] = token

    def set_id(self, name: str, token_id: Any, where: str) -> None:
        """Let `token_id` be the id of `name` where it is a number in range and the first one given."""
        if not isinstance(token_id, int):
            return
        hint = f"remove the key: a model without this token has no {name}_token_id"
        token_id = expect_id(int(token_id), where, hint=hint)
        if self.n_vocab is None or token_id < self.n_vocab:
            self.ids.setdefault(name, token_id)

    def read_tokenizer_json(self) -> None:
        """Take what the post-processor adds to each text."""
        where = str(self.files.path("tokenizer.json"))
        if not (stated := self.files.json("tokenizer.json")):
            return
        if self.config:
            for name, fallback in (("bos", "cls"), ("eos", "sep")):
                if not self.names[name] and self.names[fallback]:
                    self.rename(name, self.names[fallback])
        post = optional_object(stated, "post_processor", where)
        where = f"{where}: post_processor"
        for processor in expect_list(post.get("processors", [post]), f"{where}: processors"):
            kind = expect_object(processor, where).get("type")
            if kind == "ByteLevel":
                self.adds.setdefault("bos", False)
                self.adds.setdefault("eos", False)
            elif kind == "RobertaProcessing":
                self._roberta(processor, where)
            elif kind == "TemplateProcessing":
                self._template(processor, where)

    def _roberta(self, processor: Mapping[str, Any], where: str) -> None:
        self.adds.update(bos=True, eos=True, sep=True)
        for name, fallback in (("cls", "bos"), ("sep", "eos")):
            if self.config and not self.names[name]:
                pair = expect_list(processor.get(name, [self.names[fallback]]), f"{where}: {name}")
                self.rename(name, pair[0] if pair else None)

    def _template(self, processor: Mapping[str, Any], where: str) -> None:
        single, pair = (expect_list(processor.get(key, []), f"{where}: {key}") for key in ("single", "pair"))
        first = last = None
        if len(single) > 1:
            if first := _named(single[0], "SpecialToken", where):
                self._begins_with(first)
            if last := _named(single[-1], "SpecialToken", where):
                self._ends_with(last)
        if pair:
            starts = bool(first) and _named(pair[0], "SpecialToken", where) == first
            ends = bool(last) and _named(pair[-1], "SpecialToken", where) == last
            self._joins(pair[1 if starts else 0 : -1 if ends else None], ends_alone=not last, where=where)

    def _begins_with(self, first: str) -> None:
        if not self.config:
            self.names["bos"] = first
        elif first not in (self.names["bos"], self.names["cls"]):
            for name in ("bos", "cls"):
                if not self.names[name]:
                    self.rename(name, first)
        self.adds["bos"] = first in (self.names["bos"], self.names["cls"])

    def _ends_with(self, last: str) -> None:
        if not self.config:
            self.names["eos"] = last
        elif last != self.names["eos"]:
            # What the config calls EOS then ends a turn, not the text.
            for name in ("eot", "eom"):
                if name not in self.token_types:
                    self.token_types.append(name)
                    self.config[f"{name}_token"] = self.names["eos"]
                    break
            self.rename("eos", last)
        self.adds["eos"] = True

    def _joins(self, pair: Sequence[Any], *, ends_alone: bool, where: str) -> None:
        """Take the separator of a pair: A [sep] [eos] B, without the pair's own first and last token."""
        if not pair or (_named(pair[0], "Sequence", where), _named(pair[-1], "Sequence", where)) != ("A", "B"):
            return
        if not (between := pair[1:-1]):
            return
        separators = [self.names["sep"], self.names["eos"]]
        found = [_named(entry, "SpecialToken", where) for entry in between[:2]]
        adds = bool(found[0]) and found[0] in separators and ends_alone
        if len(between) == 2 and found[1] and found[1] in separators:
            adds = True
        self.adds["sep"] = adds
        if adds and not self.names["sep"] and self.config:
            self.config["sep_token"] = self.names["eos"]

    def read_tokenizer_config(self) -> None:
        """Take add flags and the ids of named tokens."""
        if not self.config:
            return
        ids = self._added_token_ids()
        for name in self.token_types:
            if isinstance(adds := self.config.get(f"add_{name}_token"), bool):
                self.adds.setdefault(name, adds)
            token = self.config.get(f"{name}_token")
            content = token.get("content") if isinstance(token, dict) else token
            if isinstance(content, str) and content in ids:
                self.set_id(name, ids[content], f"{self.files.path('tokenizer.json')}: the id of {content!r}")

    def _added_token_ids(self) -> dict[str, Any]:
        where = f"{self.files.path('tokenizer.json')}: added_tokens"
        ids: dict[str, Any] = {}
        for i, token in enumerate(
            expect_list((self.files.json("tokenizer.json") or {}).get("added_tokens") or [], where)
        ):
            content = expect_object(token, f"{where}[{i}]").get("content")
            if isinstance(content, str):
                ids.setdefault(content, token.get("id"))
        return ids

    def read_config(self) -> None:
        """Take the ids that config.json, or its text_config, gives."""
        config = self.files.checkpoint.config
        where = f"{self.files.path('config.json')}"
        for name in self.token_types:
            key = f"{name}_token_id"
            token_id = config.get(key)
            if token_id is None and "text_config" in config:
                token_id = optional_object(config, "text_config", where).get(key)
            self.set_id(name, token_id, f"{where}: {key}")


def _named(entry: Any, kind: str, where: str) -> str | None:
    """The id of a template entry of this kind, None where it is of another kind."""
    stated = optional_object(expect_object(entry, where), kind, where).get("id")
    return None if stated is None else expect_text(stated, f"{where}: {kind}: id")


def read_merges(files: TokenizerFiles) -> list[str]:
    """The merges in either notation of tokenizer.json, else of merges.txt, as "left right".

    A space inside of a token is written as Ġ, as llama.cpp expects it. Raises TokenizerError for other notations.
    """
    where = str(files.path("tokenizer.json"))
    model = optional_object(files.json("tokenizer.json") or {}, "model", where)
    merges = model.get("merges")
    if isinstance(merges, list) and merges:
        return _stated_merges(merges, f"{where}: model: merges")
    return _listed_merges(files) if files.has("merges.txt") else []


def _stated_merges(merges: Sequence[Any], where: str) -> list[str]:
    try:
        if isinstance(merges[0], str):
            out = list(merges)
        else:
            out = [f"{left.replace(' ', 'Ġ')} {right.replace(' ', 'Ġ')}" for left, right in merges]
        "".join(out).encode()
    except (AttributeError, TypeError, ValueError):
        raise TokenizerError(f"{where} must be strings, or pairs of strings") from None
    return out


def _listed_merges(files: TokenizerFiles) -> list[str]:
    lines = files.read_text("merges.txt").split("\n")
    if lines[0].strip().startswith("#"):
        del lines[0]
    pairs = (line.strip().split(None, 3) for line in lines)
    return [" ".join(pair) for pair in pairs if len(pair) == 2]


def _normalizer_flags(files: TokenizerFiles) -> Iterable[tuple[str, Value]]:
    stated = files.json("tokenizer.json") or {}
    where = f"{files.path('tokenizer.json')}: normalizer"
    found: dict[str, Any] = {"lowercase": None, "strip_accents": None}
    pending = [stated.get("normalizer")]
    while pending:
        if not (entry := pending.pop(0)):
            continue
        kind = expect_object(entry, where).get("type")
        if kind == "Lowercase":
            found["lowercase"] = True
        elif kind == "StripAccents":
            found["strip_accents"] = True
        elif kind == "BertNormalizer":
            found.update({key: entry[key] for key in found if key in entry})
        elif kind == "Sequence":
            pending[:0] = expect_list(entry.get("normalizers", []), f"{where}: normalizers")
    return [
        (f"tokenizer.ggml.normalizer.{key}", flag(bool(value))) for key, value in found.items() if value is not None
    ]
