"""A tokenizer as transformers' AutoTokenizer would load it from the folder, made with the `tokenizers` library alone.

llama.cpp's converter asks that object for ids, texts and flags, so what it adds to the files is part of the result:
1. added_tokens_decoder of tokenizer_config.json overrides the flags of tokenizer.json's added tokens and adds new ones;
   only where it is absent, special_tokens_map.json and added_tokens.json count;
2. special tokens that are no added tokens yet become such, at the end of the vocabulary where they are new;
3. add_prefix_space is forced on the pre-tokenizer, and some classes write their own post-processor.
Source: transformers 4.57.6, tokenization_auto.py, tokenization_utils_base.py, tokenization_utils_fast.py.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

from ggufpress.errors import TokenizerError
from ggufpress.vocab.added_tokens import Special, TokenSettings, content_of, read_token_settings
from ggufpress.vocab.bpe_model import BpeModel, read_bpe_model
from ggufpress.vocab.merges_files import has_merges_files, tokenizer_of_merges_files
from ggufpress.vocab.mistral_split import replace_first_split, wants_mistral_split
from ggufpress.vocab.special import read_merges
from ggufpress.vocab.tokenizer_classes import (
    CLASS_OF_MODEL_TYPE,
    CLASSES,
    EXTRA_KEY,
    GENERIC,
    SPECIAL_KEYS,
    TokenizerClass,
)
from ggufpress.vocab.tokenizer_files import TokenizerFiles, expect_list, expect_text, optional_object
from ggufpress.vocab.words_file import BERT_TOKENS, WORDS_FILE, rewritten_normalizer, tokenizer_of_words

_WRAPPED_KEYS = ("bos_token", "eos_token", "unk_token", "pad_token")

_CLEAN_UP = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)
"""Source: tokenization_utils_base.py, clean_up_tokenization."""


@dataclass(frozen=True)
class FastTokenizer:
    """A loaded tokenizer. `special_tokens` are the texts of its special tokens, `notes` say how it was loaded.

    `where` is its file, for messages; `added` are the added tokens by id, `n_base` counts the tokens without them.
    `backend` is the library's object, without its vocabulary where `model` has it.
    """

    where: str
    backend: Any
    model: BpeModel | None
    n_base: int
    added: Mapping[int, Special]
    special_tokens: tuple[str, ...]
    cleans_up_spaces: bool
    notes: tuple[str, ...]

    def vocab(self) -> dict[str, int]:
        """The id of every token, added tokens included."""
        if self.model is None:
            found: dict[str, int] = self.backend.get_vocab(with_added_tokens=True)
            return found
        return {**self.model.vocab, **{token.content: token_id for token_id, token in self.added.items()}}

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """The ids of `text`."""
        with _panics_are_errors(self.where):
            if self.model is not None:
                return self.model.encode(self.backend, text, add_special_tokens=add_special_tokens)
            ids: list[int] = self.backend.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens included."""
        with _panics_are_errors(self.where):
            # Not backend.decode: tokenizers 0.23 normalizes added tokens there, which 0.22 does not.
            known = (self.added[i].content if i in self.added else self.backend.id_to_token(i) for i in ids)
            tokens = [token for token in known if token is not None]
            text: str = self.backend.decoder.decode(tokens) if self.backend.decoder is not None else " ".join(tokens)
        if self.cleans_up_spaces:
            for old, new in _CLEAN_UP:
                text = text.replace(old, new)
        return text


def load_fast_tokenizer(files: TokenizerFiles) -> FastTokenizer:
    """The tokenizer that the files describe. Raises TokenizerError where they are missing, broken or contradictory."""
    settings = read_token_settings(files)
    chosen, notes = _choose_class(files)
    from_json = files.has("tokenizer.json")
    model = None
    if from_json:
        model = read_bpe_model(files.json("tokenizer.json") or {})
        backend = _tokenizer_of_json(files) if model is None else _tokenizer_of_model(files, model)
    elif files.has(WORDS_FILE) and chosen.from_files in ("bert", None):
        backend = tokenizer_of_words(files, settings.values, chosen.special or BERT_TOKENS)
        notes = (*notes, f"tokenizer made of {WORDS_FILE}")
    elif has_merges_files(files):
        if chosen.from_files is None:
            chosen = replace(GENERIC, from_files="gpt2")
        backend = tokenizer_of_merges_files(files, chosen.from_files or "gpt2", settings)
        notes = (*notes, "tokenizer made of vocab.json and merges.txt")
    else:
        raise TokenizerError(
            f"{files.checkpoint.root} has no tokenizer: "
            "looked for tokenizer.model, tokenizer.json, vocab.json with merges.txt, and vocab.txt"
        )
    padding = backend.padding
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = bool(settings.values.get("split_special_tokens", False))

    merged = not from_json and isinstance(backend.model, models.BPE)
    where = str(files.path("tokenizer.json" if from_json else "vocab.json" if merged else WORDS_FILE))
    named = _named_special_tokens(settings, chosen, padding, wrap=merged)
    special = _distinct([*named.values(), *_more_special_tokens(files, settings, chosen)])
    if merged:
        special = [_settled(token) for token in special]
    with _panics_are_errors(where):
        _add_tokens(backend, settings.by_id, special)
    _force_prefix_space(backend, chosen, settings.values)
    if chosen.rewrites_normalizer and backend.normalizer is not None:
        backend.normalizer = rewritten_normalizer(backend.normalizer, settings.values)
    if chosen.writes_template:
        _write_template(files, backend, chosen, settings.values, named)
    n_base = backend.get_vocab_size(with_added_tokens=False)
    if backend.pre_tokenizer is not None and wants_mistral_split(settings.values, files.checkpoint.config, n_base):
        with _panics_are_errors(where):
            replace_first_split(backend)
    clean_up = bool(settings.values.get("clean_up_tokenization_spaces", False))
    added: dict[int, Special] = backend.get_added_tokens_decoder()
    return FastTokenizer(
        where, backend, model, n_base, added, tuple(content_of(token) for token in special), clean_up, notes
    )


@contextmanager
def _panics_are_errors(where: str) -> Iterator[None]:
    """Turn a panic of the tokenizers library, which is no Exception, and its errors into a TokenizerError."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TokenizerError(f"{where} is not a tokenizer: {reason}") from error


def _choose_class(files: TokenizerFiles) -> tuple[TokenizerClass, tuple[str, ...]]:
    """The class, and a note where its name is not known."""
    config = files.checkpoint.config
    for name, values in (("tokenizer_config.json", files.json("tokenizer_config.json") or {}), ("config.json", config)):
        if (stated := values.get("tokenizer_class")) is not None:
            base = expect_text(stated, f"{files.path(name)}: tokenizer_class").removesuffix("Fast")
            if base in CLASSES:
                return CLASSES[base], ()
            return GENERIC, (f"tokenizer_class {stated} is taken for a plain one",)
    return CLASSES[CLASS_OF_MODEL_TYPE.get(str(config.get("model_type")), GENERIC.name)], ()


def _tokenizer_of_json(files: TokenizerFiles) -> Any:
    path = str(files.path("tokenizer.json"))
    prefix = optional_object(files.json("tokenizer.json") or {}, "model", path).get("continuing_subword_prefix")
    # The library cuts as many bytes from each second token, also within a character, and may then abort the process.
    if (
        prefix
        and isinstance(prefix, str)
        and not all(merge.rpartition(" ")[2].startswith(prefix) for merge in read_merges(files))
    ):
        raise TokenizerError(f"{path} has merges that do not fit its continuing_subword_prefix {prefix!r:.40}")
    with _panics_are_errors(path):
        return Tokenizer.from_file(str(files.checkpoint.small.path("tokenizer.json")))


def _tokenizer_of_model(files: TokenizerFiles, model: BpeModel) -> Any:
    """The tokenizer of tokenizer.json with all tokens of its model, but no merges."""
    stated = files.json("tokenizer.json") or {}
    rest = {**stated, "model": {**stated["model"], "vocab": {}, "merges": []}}
    with _panics_are_errors(str(files.path("tokenizer.json"))):
        # ids of added tokens depend on the vocabulary: they are read without it, and added to it
        added = Tokenizer.from_str(json.dumps(rest)).get_added_tokens_decoder()
        tokenizer = Tokenizer.from_str(json.dumps({**rest, "added_tokens": []}))
        tokenizer.model = model.without_merges()
        tokenizer.add_tokens([added[token_id] for token_id in sorted(added)])
    return tokenizer


def _named_special_tokens(
    settings: TokenSettings, chosen: TokenizerClass, padding: Mapping[str, Any] | None, *, wrap: bool
) -> dict[str, Special]:
    values = {**chosen.special, **settings.values}
    if padding is not None and not chosen.names_pad:
        values.setdefault("pad_token", padding["pad_token"])
    out: dict[str, Special] = {}
    for key in SPECIAL_KEYS:
        token = values.get(key)
        if isinstance(token, str) and key in _WRAPPED_KEYS:
            if chosen.marks_special or (wrap and chosen.marks_special_of_files):
                token = AddedToken(token, special=True, normalized=False)
            elif wrap:
                token = AddedToken(token, normalized=True)
        if token is not None:
            out[key] = token
    return out


def _more_special_tokens(files: TokenizerFiles, settings: TokenSettings, chosen: TokenizerClass) -> list[Special]:
    out = list(settings.values.get(EXTRA_KEY, chosen.extra) or [])
    infill = (settings.values.get(key, default) for key, default in chosen.infill_keys.items())
    out += [token for token in infill if isinstance(token, str)]
    where = f"{files.path('tokenizer_config.json')}: extra_special_tokens"
    extra = settings.values.get("extra_special_tokens") or {}
    # A list is how transformers 5 writes it.
    extras = list(extra.values()) if isinstance(extra, dict) else expect_list(extra, where)
    return out + [expect_text(token, where) for token in extras if token]


def _settled(token: Special) -> Special:
    """A copy that stays normalized, or not, when it becomes special later."""
    return token if isinstance(token, str) else copy.deepcopy(token)


def _distinct(tokens: Sequence[Special]) -> list[Special]:
    out: dict[str, Special] = {}
    for token in tokens:
        if token != "":
            out.setdefault(content_of(token), token)
    return list(out.values())


def _add_tokens(backend: Any, by_id: Mapping[int, Special], special: Sequence[Special]) -> None:
    present = backend.get_added_tokens_decoder().values()
    # Tokens that are there already are added again, so that their flags win.
    new = list(by_id.values())
    texts = {token.content for token in (*present, *new)}
    new += [t for t in special if (t not in texts if isinstance(t, str) else t not in new)]
    special_texts = {content_of(token) for token in special}
    for i, token in enumerate(new):
        if isinstance(token, str):
            new[i] = AddedToken(token, special=True)
        else:
            token.special = token.special or token.content in special_texts
    # The library ignores what was there with the same flags; 0.23 no longer does where flags change back and forth.
    unchanged = {repr(token) for token in present}
    backend.add_tokens([token for token in new if repr(token) not in unchanged])


def _force_prefix_space(backend: Any, chosen: TokenizerClass, values: Mapping[str, Any]) -> None:
    wanted = values.get("add_prefix_space", chosen.add_prefix_space)
    if not isinstance(wanted, bool) or backend.pre_tokenizer is None:
        return
    state = json.loads(backend.pre_tokenizer.__getstate__())
    if state.get("type") == "ByteLevel" and state.get("add_prefix_space", wanted) != wanted:
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(
            add_prefix_space=wanted, use_regex=bool(state.get("use_regex", True))
        )
    elif wanted and chosen.prefixes_parts:
        parts = json.dumps(state).replace('"add_prefix_space": false', '"add_prefix_space": true')
        plain = {"added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []}}
        backend.pre_tokenizer = Tokenizer.from_str(
            json.dumps({**plain, "pre_tokenizer": json.loads(parts)})
        ).pre_tokenizer


def _write_template(
    files: TokenizerFiles,
    backend: Any,
    chosen: TokenizerClass,
    values: Mapping[str, Any],
    named: Mapping[str, Special],
) -> None:
    where = str(files.path("tokenizer_config.json"))
    adds = {"bos": values.get("add_bos_token", chosen.add_bos), "eos": values.get("add_eos_token", False)}
    texts: dict[str, str] = {}
    for name, wanted in adds.items():
        if wanted:
            if (token := named.get(f"{name}_token")) is None:
                raise TokenizerError(f"{where}: add_{name}_token is set, but {name}_token is not")
            texts[name] = content_of(token)
    before, after = ([texts[name]] if name in texts else [] for name in ("bos", "eos"))

    def sequence(name: str, type_id: int) -> str:
        return " ".join(f"{part}:{type_id}" for part in (*before, f"${name}", *after))

    def id_of(text: str) -> int | None:
        token_id: int | None = backend.token_to_id(text)
        unk = named.get("unk_token")
        return backend.token_to_id(content_of(unk)) if token_id is None and unk is not None else token_id

    try:
        backend.post_processor = processors.TemplateProcessing(
            single=sequence("A", 0),
            pair=f"{sequence('A', 0)} {sequence('B', 1)}",
            special_tokens=[(text, id_of(text)) for text in texts.values()],
        )
    except (TypeError, ValueError) as error:
        raise TokenizerError(
            f"{where}: {' and '.join(texts.values())} cannot be added to each text: {error}"
        ) from error
