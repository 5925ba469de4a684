from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from ggufpress.execute.ordered import OrderedHashes


@given(st.permutations(range(7)))
def test_any_order_of_arrival_gives_the_hash_of_the_whole(order: list[int]) -> None:
    released: list[int] = []
    hashes = OrderedHashes(2)
    for index in order:
        data = [memoryview(bytes([index] * (index + 1))), memoryview(bytes([index + 100]))]
        done = hashes.add(index, index == 6, data, lambda index=index: released.append(index))  # type: ignore[misc]
        assert done == (len(released) == 7)
    wholes = b"".join(bytes([i] * (i + 1)) for i in range(7)), bytes(range(100, 107))
    assert hashes.digests() == tuple(hashlib.sha256(whole).hexdigest() for whole in wholes)
    assert released == list(range(7))


def test_a_buffer_is_held_until_its_turn() -> None:
    released: list[int] = []
    hashes = OrderedHashes(1)
    assert not hashes.add(1, True, [memoryview(b"b")], lambda: released.append(1))
    assert released == []
    assert hashes.add(0, False, [memoryview(b"a")], lambda: released.append(0))
    assert released == [0, 1]
