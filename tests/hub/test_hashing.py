from __future__ import annotations

import hashlib
import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from ggufpress.hub.hashing import FileHash
from ggufpress.hub.repository import HubEntry
from tests.hubserver.store import git_oid

DATA = bytes(random.Random(1).randbytes(1000))
SHA256 = hashlib.sha256(DATA).hexdigest()
LFS = HubEntry("a", len(DATA), "0" * 40, SHA256)


@given(st.randoms(use_true_random=False))
def test_any_order_gives_the_hash(chance: random.Random) -> None:
    cuts = sorted({0, 1000, *(chance.randrange(1000) for _ in range(8))})
    parts = list(itertools.pairwise(cuts))
    # some arrive twice, some overlap
    parts += [chance.choice(parts), (max(0, cuts[1] - 5), min(1000, cuts[1] + 5))]
    chance.shuffle(parts)
    made = FileHash(LFS)
    for start, end in parts:
        made.add(start, memoryview(DATA)[start:end])
    assert made.is_whole
    assert made.is_right
    assert (made.sha256, made.parked_bytes) == (SHA256, 0)


def test_gaps_are_known() -> None:
    made = FileHash(LFS)
    made.add(0, memoryview(DATA)[:100])
    made.add(300, memoryview(DATA)[300:400])
    made.add(400, memoryview(DATA)[400:500])
    assert made.gap() == (100, 300)
    assert list(made.gaps()) == [(100, 300), (500, 1000)]
    assert made.parked_bytes == 200
    made.add(100, memoryview(DATA)[100:300])
    assert (made.position, made.parked_bytes) == (500, 0)


def test_a_begun_hash_goes_on_in_a_copy() -> None:
    begun = FileHash(LFS)
    begun.add(0, memoryview(DATA)[:10])
    copied = begun.copy()
    copied.add(10, memoryview(DATA)[10:])
    assert copied.is_right
    assert begun.position == 10


def test_wrong_bytes_small_files_and_unknown_hashes() -> None:
    wrong = FileHash(LFS)
    wrong.add(0, memoryview(DATA[:-1] + b"x"))
    assert wrong.is_right is False
    small = FileHash(HubEntry("a", len(DATA), git_oid(DATA), None))
    small.add(0, memoryview(DATA))
    assert (small.is_right, small.sha256) == (True, SHA256)
    unknown = FileHash(HubEntry("a", len(DATA), None, None))
    unknown.add(0, memoryview(DATA))
    assert unknown.is_right is None
