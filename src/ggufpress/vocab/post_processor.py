"""What the post-processor of tokenizer.json adds around a text: bos, eos and sep.

Source of the rules: llama.cpp of llama-cpp-python 0.3.36, gguf-py/gguf/vocab.py (`SpecialVocab`). They read simple
templates only and are reproduced as they are, since the written flags follow from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ggufpress.vocab.files import TokenizerFiles


@dataclass(slots=True)
class AddedSpecials:
    """What the post-processor says.

    `adds`: whether a token of a role is added. `config`: tokenizer_config.json with the tokens that the post-processor
    names. `types`: the roles to look for, with eot or eom where the post-processor puts another token in eos' place.
    """

    types: tuple[str, ...]
    config: dict[str, Any]
    adds: dict[str, bool] = field(default_factory=dict)


def read_post_processor(files: TokenizerFiles, types: tuple[str, ...]) -> AddedSpecials:
    """What the checkpoint's post-processor adds; nothing where there is no tokenizer.json."""
    found = AddedSpecials(types, dict(files.config))
    processor = files.tokenizer.get("post_processor")
    if not files.tokenizer:
        return found
    _Reader(found).read(processor)
    return found


class _Reader:
    """The tokens in the roles of bos, cls, eos and sep while the processors of a sequence are read."""

    def __init__(self, found: AddedSpecials) -> None:
        self.found = found
        self.bos, self.cls, self.eos, self.sep = (found.config.get(f"{kind}_token") for kind in ("bos", "cls", "eos", "sep"))
        if not self.bos and self.cls:
            self.bos = self._name("bos", self.cls)
        if not self.eos and self.sep:
            self.eos = self._name("eos", self.sep)

    def read(self, post_processor: Any) -> None:
        """Read a post-processor, or each of a sequence."""
        if not post_processor:
            return
        for processor in post_processor.get("processors", [post_processor]):
            kind = processor.get("type")
            if kind == "ByteLevel":
                self.found.adds.setdefault("bos", False)
                self.found.adds.setdefault("eos", False)
            elif kind == "RobertaProcessing":
                self._roberta(processor)
            elif kind == "TemplateProcessing":
                self._template(processor)

    def _name(self, kind: str, token: Any) -> Any:
        """Let tokenizer_config.json, where there is one, name `token` in this role."""
        if self.found.config:
            self.found.config[f"{kind}_token"] = token
        return token

    def _roberta(self, processor: dict[str, Any]) -> None:
        self.found.adds |= {"bos": True, "eos": True, "sep": True}
        if not self.cls and self.found.config:
            self.cls = self._name("cls", processor.get("cls", [self.bos])[0])
        if not self.sep and self.found.config:
            self.sep = self._name("sep", processor.get("sep", [self.eos])[0])

    def _template(self, processor: dict[str, Any]) -> None:
        single, pair = processor.get("single", []), processor.get("pair", [])
        first = last = None
        if len(single) > 1:
            if first := _special(single[0]):
                self._leading(first)
            if last := _special(single[-1]):
                self._trailing(last)
        if pair:
            start = 1 if first and _special(pair[0]) == first else 0
            stop = -1 if last and _special(pair[-1]) == last else None
            self._between(pair[start:stop], last)

    def _leading(self, first: str) -> None:
        if not self.found.config:
            self.bos = first
        elif first not in (self.bos, self.cls):
            if not self.bos:
                self.bos = self._name("bos", first)
            if not self.cls:
                self.cls = self._name("cls", first)
        self.found.adds["bos"] = first in (self.bos, self.cls)

    def _trailing(self, last: str) -> None:
        if not self.found.config:
            self.eos = last
        elif last != self.eos:
            # the token that was called eos ends a turn or a message
            for kind in ("eot", "eom"):
                if kind not in self.found.types:
                    self.found.types = (*self.found.types, kind)
                    self.found.config[f"{kind}_token"] = self.eos
                    break
            self.eos = self._name("eos", last)
        self.found.adds["eos"] = True

    def _between(self, pair: list[dict[str, Any]], last: str | None) -> None:
        """A separator between the two texts of a pair: `A sep B`, `A eos B` or `A eos sep B`."""
        if not pair or (_sequence(pair[0]), _sequence(pair[-1])) != ("A", "B"):
            return
        middle = [_special(item) for item in pair[1:-1]]
        if not middle:
            return
        add = bool(middle[0]) and middle[0] in (self.sep, self.eos) and not last
        if len(middle) == 2 and middle[1]:
            add = add or middle[1] in (self.sep, self.eos)
        self.found.adds["sep"] = add
        if add and not self.sep and self.found.config:
            self.found.config["sep_token"] = self.eos


def _special(item: dict[str, Any]) -> str | None:
    token: str | None = item.get("SpecialToken", {}).get("id")
    return token


def _sequence(item: dict[str, Any]) -> str | None:
    name: str | None = item.get("Sequence", {}).get("id")
    return name
