from __future__ import annotations

import base64

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.vocab.byte_ranks import CHARACTERS, all_splits, byte_text, merges_of, read_rank_lines
from tests.vocab.ranks import rank_lines, small_ranks


def line(token: bytes, rank: int | str) -> str:
    return f"{base64.b64encode(token).decode()} {rank}\n"


BYTES = "".join(line(bytes([byte]), byte) for byte in range(256))


def test_each_byte_has_a_character_of_its_own() -> None:
    assert len(set(CHARACTERS.values())) == 256
    assert byte_text(b" a\n\xe9\x00") == "ĠaĊéĀ"


def test_ranks_are_read_as_they_are_written() -> None:
    assert read_rank_lines(rank_lines(), "f") == small_ranks()
    assert read_rank_lines("\n" + BYTES + "\n\n", "f")[b"\xff"] == 255


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BYTES + "!!!! 256\n", "f: line 257 is no base64"),
        (BYTES + line(b"ab", "x"), "f: line 257 is 'YWI= x', a token in base64 and its rank were expected"),
        (BYTES + line(b"ab", "9" * 5000), "a token in base64 and its rank were expected"),
        (BYTES + "YWI=\n", "f: line 257 is 'YWI='"),
        (BYTES + line(b"a", 256), "f: line 257 has a token that stands there already"),
        (BYTES + line(b"ab", 300), "f: its 257 tokens do not have the ranks from 0 on, each once"),
        (line(b"a", 0), "f has no token for 255 of the 256 bytes, the first is 0"),
        (BYTES + line(b"x" * 5000, 256), "f: line 257 has a token of 5000 bytes"),
    ],
)
def test_broken_files(content: str, message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        read_rank_lines(content, "f")


def test_one_merge_for_each_token_that_two_others_make() -> None:
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"cd": 257, b"abcd": 258, b"xyz": 259}
    assert list(merges_of(ranks)) == ["a b", "c d", "ab cd"]


def test_all_splits_by_the_ranks_of_their_parts() -> None:
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"bc": 256, b"ab": 257, b"abc": 258}
    assert list(all_splits(ranks, "f")) == ["b c", "a b", "a bc", "ab c"]


def test_a_token_that_no_others_make() -> None:
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"abc": 256}
    with pytest.raises(TokenizerError, match="f: the token of rank 256 is made of no two others"):
        list(all_splits(ranks, "f"))
