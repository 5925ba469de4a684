"""Which added and special tokens the files around tokenizer.json ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tokenizers import AddedToken

from ggufpress.errors import TokenizerError
from ggufpress.vocab.tokenizer_classes import EXTRA_KEY, SPECIAL_KEYS
from ggufpress.vocab.tokenizer_files import (
    TokenizerFiles,
    expect_bool,
    expect_id,
    expect_list,
    expect_object,
    expect_text,
    optional_object,
)

Special: TypeAlias = Any
"""A special token: `str` where its flags are left to the class, else `tokenizers.AddedToken`."""

_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


@dataclass(frozen=True)
class TokenSettings:
    """What the configuration files say.

    `values` are the keys of tokenizer_config.json, with special_tokens_map.json's over them where that file counts;
    special tokens in it are read (None, str or AddedToken). `by_id` are the added tokens by id, in id order.
    """

    values: Mapping[str, Any]
    by_id: Mapping[int, Special]


def content_of(token: Special) -> str:
    """The text of a special token."""
    return token if isinstance(token, str) else str(token.content)


def read_token_settings(files: TokenizerFiles) -> TokenSettings:
    """What tokenizer_config.json says about tokens, or the older files where it has no added_tokens_decoder."""
    name = "tokenizer_config.json"
    where = str(files.path(name))
    values = dict(files.json(name) or {})
    for key in SPECIAL_KEYS:
        if key in values:
            values[key] = _special(values[key], f"{where}: {key}")
    if EXTRA_KEY in values:
        values[EXTRA_KEY] = _special_list(values[EXTRA_KEY], f"{where}: {EXTRA_KEY}")
    if "added_tokens_decoder" in values:
        decoder = optional_object(values, "added_tokens_decoder", where)
        by_id = dict(_decoder_entry(key, entry, f"{where}: added_tokens_decoder") for key, entry in decoder.items())
        flagged = {content_of(token): token for token in by_id.values()}
    else:
        of_map, last = _special_tokens_map(files, values)
        values.update(of_map)
        of_json, of_tokenizer = _added_tokens_json(files, values), _added_tokens_of_tokenizer_json(files)
        by_id = {**of_json, **of_tokenizer}
        # transformers files the tokens of added_tokens.json under a name left over from the loop before.
        misnamed = {} if last is None else {content_of(last): token for token in of_json.values()}
        flagged = {**misnamed, **{content_of(token): token for token in of_tokenizer.values()}}
    for key in SPECIAL_KEYS:
        if (token := values.get(key)) is not None:
            values[key] = flagged.get(content_of(token), token)
    return TokenSettings(values, dict(sorted(by_id.items())))


def _added_token(entry: Any, where: str, **forced: bool) -> Special:
    entry = expect_object(entry, where)
    content = expect_text(entry.get("content"), f"{where}: content")
    flags = {key: expect_bool(entry[key], f"{where}: {key}") for key in _FLAGS if key in entry}
    return AddedToken(content, **{**flags, **forced})


def _decoder_entry(key: str, entry: Any, where: str) -> tuple[int, Special]:
    try:
        token_id = expect_id(int(key), f"{where}[{key!r}]")
    except ValueError:
        raise TokenizerError(f"{where} has the key {key!r}, which is no token id") from None
    return token_id, _added_token(entry, f"{where}[{key!r}]")


def _special(value: Any, where: str, **forced: bool) -> Special | None:
    if value is None:
        return None
    return _added_token(value, where, **forced) if isinstance(value, dict) else expect_text(value, where)


def _special_list(value: Any, where: str, **forced: bool) -> list[Special]:
    items = [] if value is None else expect_list(value, where)
    return [_special(item, f"{where}[{i}]", **forced) for i, item in enumerate(items) if item is not None]


def _special_tokens_map(files: TokenizerFiles, values: Mapping[str, Any]) -> tuple[dict[str, Any], Special | None]:
    """The keys of special_tokens_map.json, and the last token of its additional ones."""
    name = "special_tokens_map.json"
    where = str(files.path(name))
    out: dict[str, Any] = dict(files.json(name) or {})
    last: Special | None = None
    for key, value in out.items():
        if key in SPECIAL_KEYS:
            out[key] = _special(value, f"{where}: {key}", special=True)
        elif key == EXTRA_KEY:
            more = _special_list(value, f"{where}: {key}", special=True)
            last = more[-1] if more else None
            out[key] = list(values.get(EXTRA_KEY) or [])
            out[key] += [token for token in more if token not in out[key]]
    return out, last


def _added_tokens_json(files: TokenizerFiles, values: Mapping[str, Any]) -> dict[int, Special]:
    name = "added_tokens.json"
    named = [values.get(key) for key in SPECIAL_KEYS] + list(values.get(EXTRA_KEY) or [])
    special = {content_of(token) for token in named if token is not None}
    out: dict[int, Special] = {}
    for text, token_id in (files.json(name) or {}).items():
        where = f"{files.path(name)}: {text!r}"
        is_special = expect_text(text, where) in special
        out[expect_id(token_id, where)] = AddedToken(text, normalized=not is_special, special=is_special)
    return out


def _added_tokens_of_tokenizer_json(files: TokenizerFiles) -> dict[int, Special]:
    name = "tokenizer.json"
    out: dict[int, Special] = {}
    for i, entry in enumerate(
        expect_list((files.json(name) or {}).get("added_tokens") or [], f"{files.path(name)}: added_tokens")
    ):
        where = f"{files.path(name)}: added_tokens[{i}]"
        out[expect_id(expect_object(entry, where).get("id"), f"{where}: id")] = _added_token(entry, where)
    return out
