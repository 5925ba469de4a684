from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress.arch.gather import ZEROS, PadRows, leftover
from ggufpress.errors import MappingError
from ggufpress.execute.slabs import slabs
from ggufpress.mapping import Derived
from ggufpress.source.checkpoint import TensorRef


def test_zeros_stand_behind_what_is_stored() -> None:
    gather = PadRows(4)
    assert (gather.out_shape((2, 3)), gather.out_shape((5, 3))) == ((4, 3), (5, 3))
    assert list(gather.runs((2, 3), 0, 12)) == [(0, 6), (ZEROS, 6)]
    assert list(gather.runs((2, 3), 3, 3)) == [(3, 3)]
    assert list(gather.runs((2, 3), 9, 3)) == [(ZEROS, 3)]


def test_zeros_are_read_from_nowhere() -> None:
    ref = TensorRef("t", "BF16", (2, 3), Path("w"), 0, 12)
    first, last = slabs(Derived("t", (4, 3), (ref,), gather=PadRows(4)), 6)
    assert [(piece.ref, piece.nbytes, piece.elements) for piece in (*first.pieces, *last.pieces)] == [
        (ref, 12, 6), (None, 0, 6)]  # fmt: skip


def test_all_rows_are_used() -> None:
    assert leftover([PadRows(4)], (2, 3)) is None
    assert str(PadRows(4)) == "pad-rows(4)"
    with pytest.raises(MappingError):
        PadRows(4).out_shape(())
