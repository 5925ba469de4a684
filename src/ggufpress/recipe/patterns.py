"""Regular expressions as llama-quantize reads them: C++'s std::regex, ECMAScript grammar, searched in a tensor's name.

Python's own expressions are another language: (?i), lookbehind, possessive a++ and \\A exist there and not here,
[[:alpha:]], [^] and \\cJ here and not there. So a pattern is parsed by the grammar of ECMA-262 with the additions of
[re.grammar], as libstdc++ implements it, and written anew for Python. Matching is on bytes, ASCII classes only.

A pattern can take exponential time, as with std::regex: it is the user's own, and names have at most 63 bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ggufpress.errors import UsageError

MAX_REPEAT = 1000
"""Larger counts are refused; libstdc++ gives up at automata of 100,000 states."""

CLASSES = {
    "alnum": b"0-9A-Za-z", "alpha": b"A-Za-z", "blank": rb" \t", "cntrl": rb"\x00-\x1f\x7f", "digit": b"0-9", "d": b"0-9",
    "graph": rb"\x21-\x7e", "lower": b"a-z", "print": rb"\x20-\x7e", "punct": rb"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": rb"\s", "s": rb"\s", "upper": b"A-Z", "w": b"0-9A-Za-z_", "xdigit": b"0-9A-Fa-f",
}  # fmt: skip
CONTROLS = {"0": 0, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
NOTHING = rb"(?!)"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, ready to search."""

    text: str
    compiled: re.Pattern[bytes]

    def found_in(self, name: str) -> bool:
        """Whether any part of `name` matches."""
        return self.compiled.search(name.encode()) is not None


@lru_cache(maxsize=4096)
def compile_pattern(text: str) -> Pattern:
    """The pattern that `text` means to std::regex. Raises UsageError that says where it is wrong.

    Example: compile_pattern(r"blk\\.[0-3]\\.ffn_(up|down)").found_in("blk.2.ffn_up.weight")
    """
    try:
        written = _Parser(text).whole()
        return Pattern(text, re.compile(written))
    except _Wrong as wrong:
        raise UsageError(f"the pattern {text!r} is wrong at character {wrong.at + 1}: {wrong.why}") from None
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"the pattern {text!r} cannot be used: {error}") from None


class _Wrong(Exception):
    def __init__(self, at: int, why: str) -> None:
        super().__init__(why)
        self.at = at
        self.why = why


class _Parser:
    """Reads a pattern from left to right and gives the same for Python's re."""

    def __init__(self, text: str) -> None:
        # one character per byte, as std::regex sees it
        self._text = text.encode("utf-8", "surrogateescape").decode("latin-1")
        self._at = 0
        self._groups = 0
        self._open: list[int] = []

    def whole(self) -> bytes:
        written = self._choice()
        if self._at < len(self._text):
            raise self._wrong("this parenthesis was never opened")
        return written

    def _wrong(self, why: str) -> _Wrong:
        return _Wrong(self._at, why)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, token: str) -> bool:
        found = self._text.startswith(token, self._at)
        self._at += len(token) if found else 0
        return found

    def _choice(self) -> bytes:
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return b"|".join(branches)

    def _sequence(self) -> bytes:
        parts = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._term())
        return b"".join(parts)

    def _term(self) -> bytes:
        for token, written in (("^", rb"\A"), ("$", rb"\Z"), (r"\b", rb"\b"), (r"\B", rb"\B")):
            if self._take(token):
                return written
        for token in ("(?=", "(?!"):
            if self._take(token):
                return token.encode() + self._inside() + b")"
        written = self._atom()
        while (counted := self._repeat()) is not None:
            # a group of its own: a++ is (a+)+ here and possessive in Python
            written = b"(?:" + written + b")" + counted
        return written

    def _inside(self) -> bytes:
        start = self._at
        written = self._choice()
        if not self._take(")"):
            raise _Wrong(start - 1, "this parenthesis is never closed")
        return written

    def _atom(self) -> bytes:
        char = self._peek()
        if char in ("*", "+", "?", "{"):
            raise self._wrong(f"there is nothing to repeat before {char}")
        if self._take("(?:"):
            return b"(?:" + self._inside() + b")"
        if self._take("(?"):
            raise _Wrong(self._at - 2, "only (?: (?= and (?! are known")
        if self._take("("):
            self._groups += 1
            number = self._groups
            self._open.append(number)
            written = b"(" + self._inside() + b")"
            self._open.remove(number)
            return written
        if self._take("."):
            return rb"[^\n\r]"
        if self._take("["):
            return self._bracket()
        if self._take("\\"):
            return self._escape()
        self._at += 1
        return re.escape(char.encode("latin-1"))

    def _repeat(self) -> bytes | None:
        for token in ("*", "+", "?"):
            if self._take(token):
                return token.encode() + (b"?" if self._take("?") else b"")
        if not self._take("{"):
            return None
        low = self._number()
        high: int | None = low
        if self._take(","):
            high = self._number() if self._peek().isdecimal() else None
        if not self._take("}"):
            raise self._wrong("a count such as {2,3} ends with }")
        if max(low, high or 0) > MAX_REPEAT or (high is not None and high < low):
            raise self._wrong(f"a count runs from small to large and to {MAX_REPEAT} at most")
        written = b"{%d,%s}" % (low, b"" if high is None else b"%d" % high)
        return written + (b"?" if self._take("?") else b"")

    def _number(self) -> int:
        start = self._at
        while self._peek() and self._peek() in "0123456789":
            self._at += 1
        if not 0 < self._at - start < 10:
            raise self._wrong("a count of up to 9 digits is expected")
        return int(self._text[start : self._at])

    def _escape(self) -> bytes:
        char = self._peek()
        if char and char in "dDsSwW":
            self._at += 1
            return b"\\" + char.encode()
        if char and char in "123456789":
            start = self._at
            number = self._number()
            if number > self._groups or number in self._open:
                raise _Wrong(start, f"there is no closed group {number} before it")
            return b"(?:\\%d)" % number
        return re.escape(bytes((self._character(),)))

    def _character(self) -> int:
        """The byte that an escape means, after its backslash."""
        char = self._peek()
        if not char:
            raise self._wrong("it ends with a backslash")
        self._at += 1
        if char in CONTROLS:
            return CONTROLS[char]
        if char == "c":
            letter = self._peek()
            if not letter:
                raise self._wrong("a control character needs a letter")
            self._at += 1
            return ord(letter) % 32
        if char in "xu":
            length = 2 if char == "x" else 4
            digits = self._text[self._at : self._at + length]
            if len(digits) < length or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
                raise self._wrong(f"\\{char} needs {length} hexadecimal digits")
            self._at += length
            return int(digits, 16) % 256
        return ord(char)

    def _bracket(self) -> bytes:
        start = self._at - 1
        negated = self._take("^")
        items: list[bytes] = []
        while not self._take("]"):
            if not self._peek():
                raise _Wrong(start, "this bracket is never closed")
            low = self._member(items)
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                high = self._member([])
                if low is None or high is None or high < low:
                    raise self._wrong("a range runs from a smaller to a larger character")
                items.append(rb"\x%02x-\x%02x" % (low, high))
            elif low is not None:
                items.append(rb"\x%02x" % low)
        if not items:
            # [] is found nowhere and [^] is any character
            return rb"[\x00-\xff]" if negated else NOTHING
        return b"[" + (b"^" if negated else b"") + b"".join(items) + b"]"

    def _member(self, items: list[bytes]) -> int | None:
        """The next single character in a bracket, or None where it is a class, which is added to `items`."""
        for mark in (":", ".", "="):
            if self._take(f"[{mark}"):
                end = self._text.find(f"{mark}]", self._at)
                name = self._text[self._at : end] if end >= 0 else ""
                if mark == ":":
                    if name not in CLASSES:
                        raise self._wrong("no such class; [[:alpha:]], [[:digit:]] and their like are known")
                    items.append(CLASSES[name])
                elif len(name) != 1:
                    raise self._wrong("only single characters stand between such brackets")
                self._at = end + 2
                return None if mark == ":" else ord(name)
        if not self._take("\\"):
            self._at += 1
            return ord(self._text[self._at - 1])
        if self._peek() and self._peek() in "dDsSwW":
            items.append(b"\\" + self._peek().encode())
            self._at += 1
            return None
        if self._peek() and self._peek() in "B123456789":
            raise self._wrong(f"\\{self._peek()} has no meaning between brackets")
        return 8 if self._take("b") else self._character()
