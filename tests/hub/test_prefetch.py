from __future__ import annotations

from ggufpress.hub.hashing import BLOCK
from ggufpress.hub.prefetch import GAP, Fetched, Wanted, whole_blocks
from ggufpress.hub.repository import HubEntry

A, B = (HubEntry(name, 1 << 30, None, "0" * 64) for name in "ab")


def place(fetched: Fetched | None) -> tuple[str, int, int, int] | None:
    return (fetched.entry.name, fetched.start, len(fetched.data), fetched.users) if fetched else None


def test_neighbours_are_one_request_and_others_are_not() -> None:
    wanted = Wanted(budget=1 << 20, range_bytes=300_000, block=1)
    for entry, start, nbytes in (
        (A, 0, 1000), (A, 1000, 2000), (A, 3000 + GAP, 500), (A, 900_000, 10), (A, 899_990, 10), (B, 900_000, 10),
        (B, 900_010, 400_000), (B, 1_300_010, 10),
    ):  # fmt: skip
        wanted.add(entry, start, nbytes)
    assert place(wanted.next_range()) == ("a", 0, 3500 + GAP, 3)
    assert place(wanted.next_range()) == ("a", 900_000, 10, 1)
    assert place(wanted.next_range()) == ("a", 899_990, 10, 1)
    assert place(wanted.next_range()) == ("b", 900_000, 10, 1)
    # more than a range, but one read
    assert place(wanted.next_range()) == ("b", 900_010, 400_000, 1)
    assert place(wanted.next_range()) == ("b", 1_300_010, 10, 1)
    assert wanted.next_range() is None


def test_the_budget_holds_until_something_is_done_or_urgent() -> None:
    wanted = Wanted(budget=1000, range_bytes=600, block=1)
    for number in range(4):
        wanted.add(A, number * 600, 600)
    first = wanted.next_range()
    assert first is not None
    assert wanted.next_range() is None
    assert wanted.held == 600
    wanted.release(first)
    assert wanted.held == 0
    assert place(wanted.next_range()) == ("a", 600, 600, 1)
    assert wanted.next_range() is None
    # somebody waits for the last one already: those before it cannot be in the way
    assert wanted.take(A, 1800, 600) is not None
    assert place(wanted.next_range()) == ("a", 1200, 600, 1)
    assert place(wanted.next_range()) == ("a", 1800, 600, 1)


def test_what_was_not_announced_is_not_known() -> None:
    wanted = Wanted()
    wanted.add(A, 0, 10)
    wanted.add(A, 0, 10)
    assert wanted.take(A, 0, 9) is None
    assert wanted.take(B, 0, 10) is None
    assert wanted.take(A, 0, 10) is not None
    assert wanted.take(A, 0, 10) is not None
    assert wanted.take(A, 0, 10) is None


def test_ranges_are_whole_blocks() -> None:
    wanted = Wanted()
    wanted.add(A, 10, 10)
    wanted.add(A, 60_000, BLOCK)
    wanted.add(B, (1 << 30) - 20, 10)
    assert place(wanted.next_range()) == ("a", 0, 2 * BLOCK, 2)
    assert place(wanted.next_range()) == ("b", (1 << 30) - BLOCK, BLOCK, 1)
    assert wanted.held == 3 * BLOCK
    assert whole_blocks(BLOCK + 1, BLOCK + 2, BLOCK + 100) == (BLOCK, BLOCK + 100)
