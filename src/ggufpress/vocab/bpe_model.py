"""The BPE model of tokenizer.json, of which the `tokenizers` library gets no more than a text needs.

The library takes most of the time and memory of planning where it reads a quarter of a million tokens and their merges,
and a check text needs a few hundred of them. Which ones is found from the words that its own rules cut the text into: a
merge can only apply where its result is a part of a word. So the ids are those that the whole model gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tokenizers import models

TOGETHER = 1 << 14
"""Merges that are looked at together: lists of all their parts would take memory."""

MAX_PARTS = 1 << 21
"""Parts of words that are looked for among the results of merges. With more, all merges are needed."""

FLAGS = ("unk_token", "fuse_unk", "byte_fallback", "ignore_merges")
MARKS = ("continuing_subword_prefix", "end_of_word_suffix", "dropout")
"""Keys that must not be set: with them a token is not simply a part of a word."""


@dataclass(frozen=True)
class BpeModel:
    """Tokens with their ids, merges by rank as tokenizer.json states them, and the id of each merge's result.

    `letters` are the tokens that merging starts from, `longest` is the length of the longest token in characters.
    """

    vocab: dict[str, int]
    merges: Sequence[Any]
    flags: Mapping[str, Any]
    results: Sequence[int]
    letters: dict[str, int]
    longest: int

    def without_merges(self) -> Any:
        """The library's model with all tokens."""
        return models.BPE(self.vocab, [], **self.flags)

    def encode(self, backend: Any, text: str, *, add_special_tokens: bool) -> list[int]:
        """The ids of `text`, with the rules and added tokens of `backend`, whose model changes on the way."""
        backend.model = models.BPE(self.letters, [], **self.flags)
        encoding = backend.encode(text, add_special_tokens=add_special_tokens)
        if words := self._words(encoding):
            backend.model = self._for_words(words)
            encoding = backend.encode(text, add_special_tokens=add_special_tokens)
        ids: list[int] = encoding.ids
        return ids

    def _words(self, encoding: Any) -> set[str]:
        """What the words of a text in letters consist of: its tokens, word by word, without the added ones."""
        known = set(self.letters.values())
        tokens = zip(encoding.word_ids, encoding.ids, encoding.tokens, strict=True)
        by_word = groupby((entry for entry in tokens if entry[1] in known), key=lambda entry: entry[0])
        return {"".join(token for _, _, token in entries) for _, entries in by_word}

    def _for_words(self, words: set[str]) -> Any:
        """The library's model with the tokens and merges that can occur in `words`."""
        if sum(len(word) * min(len(word), self.longest) for word in words) > MAX_PARTS:
            return models.BPE(self.vocab, [_pair(merge) for merge in self.merges], **self.flags)
        parts = {
            word[start:end]
            for word in words
            for start in range(len(word))
            for end in range(start + 1, min(start + self.longest, len(word)) + 1)
        }
        tokens = {part: self.vocab[part] for part in parts if part in self.vocab}
        wanted = set(tokens.values())
        merges = [_pair(self.merges[rank]) for rank, result in enumerate(self.results) if result in wanted]
        tokens |= {token: self.vocab[token] for left, right in merges for token in (left, right, left + right)}
        return models.BPE({**self.letters, **tokens}, merges, **self.flags)


def read_bpe_model(stated: Mapping[str, Any]) -> BpeModel | None:
    """The model of the tokenizer.json `stated`. None where it is another one, or one to leave to the library.

    That is also so for one that the library refuses, which then says why.
    """
    model = stated.get("model")
    if not isinstance(model, dict) or model.get("type") != "BPE" or any(model.get(key) for key in MARKS):
        return None
    vocab, merges = model.get("vocab"), model.get("merges")
    if not isinstance(vocab, dict) or not isinstance(merges, list) or not set(map(type, vocab.values())) <= {int}:
        return None
    flags = {key: model[key] for key in FLAGS if model.get(key)}
    letters = {token: token_id for token, token_id in vocab.items() if len(token) == 1 or _is_byte(token)}
    if (unknown := flags.get("unk_token")) in vocab:
        letters[unknown] = vocab[unknown]
    # a character that is no token would be missing in the words that are looked up as a whole
    if flags.get("ignore_merges") and not letters.keys() >= _BYTE_LETTERS:
        return None
    results = _results(merges, vocab)
    return (
        None if results is None else BpeModel(vocab, merges, flags, results, letters, max(map(len, vocab), default=0))
    )


def _is_byte(token: str) -> bool:
    return len(token) == 6 and token.startswith("<0x")


def _byte_letters() -> frozenset[str]:
    """The characters that byte-level models write bytes as: themselves where they are printed, else from U+0100 on."""
    printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return frozenset(map(chr, [*printed, *range(0x100, 0x100 + 256 - len(printed))]))


_BYTE_LETTERS = _byte_letters()


def _pair(merge: Any) -> tuple[str, str]:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def _results(merges: Sequence[Any], vocab: Mapping[str, int]) -> list[int] | None:
    """The ids of the merges' results. None where a merge is no pair of tokens, or makes none."""
    if merges and isinstance(merges[0], str) and " " in "".join(vocab):
        return None  # which of its spaces stands between the two would be a guess
    found: list[int] = []
    for start in range(0, len(merges), TOGETHER):
        some = merges[start : start + TOGETHER]
        try:
            pairs = [merge.partition(" ")[::2] for merge in some] if isinstance(merges[0], str) else some
            found += [vocab[left + right] for left, right in pairs if left in vocab and right in vocab]
        except (AttributeError, KeyError, TypeError, ValueError):
            return None
    return found if len(found) == len(merges) else None
