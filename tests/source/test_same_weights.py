from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ggufpress.source.checkpoint import TensorRef
from ggufpress.source.same_weights import CHUNK_BYTES, same_weights

N = CHUNK_BYTES // 2 + 100


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
def test_weights_are_compared_as_numbers_in_every_chunk(tmp_path: Path, dtype: str) -> None:
    kind, one = {"F16": (np.uint16, 0x3C00), "BF16": (np.uint16, 0x3F80), "F32": (np.uint32, 0x3F800000)}[dtype]
    first = np.full(N, one, kind)
    variants = {"same": (), "zero": ((5, 0),), "last": ((N - 1, 0),), "nan": ((N - 1, one | (one >> 1)),)}
    path = tmp_path / "w"
    with path.open("wb") as stream:
        stream.write(first.tobytes())
        for changes in variants.values():
            other = first.copy()
            for place, bits in changes:
                other[place] = bits
            stream.write(other.tobytes())

    def ref(i: int, shape: tuple[int, ...] = (N,), named: str = dtype) -> TensorRef:
        return TensorRef(f"t{i}", named, shape, path, i * first.nbytes, first.nbytes)

    assert [same_weights(ref(0), ref(i + 1)) for i in range(len(variants))] == [True, False, False, False]
    assert same_weights(ref(2), ref(2))
    assert not same_weights(ref(0), ref(1, (1, N)))
    assert not same_weights(ref(0), ref(1, named="X"))


def test_zeros_of_either_sign_are_equal_and_no_number_equals_itself(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(np.array([0.0, 1.0, -0.0, 1.0, np.nan, 1.0], "<f4").tobytes())
    refs = [TensorRef(str(i), "F32", (2,), path, 8 * i, 8) for i in range(3)]
    assert same_weights(refs[0], refs[1])
    assert not same_weights(refs[2], refs[2])
