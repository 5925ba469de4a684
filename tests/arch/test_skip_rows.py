from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ggufpress.arch.gather import SkipRows, leftover
from ggufpress.errors import MappingError
from tests.arch.test_gather import gathered


@given(rows=st.integers(1, 6), cols=st.integers(1, 5), skipped=st.integers(0, 5), step=st.integers(1, 9))
def test_the_first_rows_are_left_out(rows: int, cols: int, skipped: int, step: int) -> None:
    stored = np.arange((rows + skipped) * cols).reshape(-1, cols)
    assert (gathered(SkipRows(skipped), stored, step) == stored[skipped:]).all()


def test_something_must_be_left() -> None:
    with pytest.raises(MappingError, match=r"\[2, 3\] has no rows behind the first 2"):
        SkipRows(2).out_shape((2, 3))


def test_what_is_skipped_is_not_missed() -> None:
    assert leftover([SkipRows(2)], (5, 3)) is None
    assert str(SkipRows(2)) == "skip(2 rows)"
