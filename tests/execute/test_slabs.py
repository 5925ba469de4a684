from __future__ import annotations

from math import prod
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ggufpress.arch.ops import RopePermute
from ggufpress.execute.slabs import slabs, smallest
from ggufpress.mapping import Derived
from ggufpress.source.checkpoint import TensorRef


def tensor(n_sources: int, rows: int, cols: int, heads: int | None = None) -> Derived:
    shape = (rows, cols) if cols else (rows,)
    refs = tuple(TensorRef(f"t{i}", "BF16", shape, Path("w"), 0, 2 * prod(shape)) for i in range(n_sources))
    whole = shape if n_sources == 1 else (n_sources, *shape)
    ops = (RopePermute(heads),) if heads else ()
    return Derived("t", whole, refs, ops, rows // heads if heads else 1)


@given(n_sources=st.integers(1, 4), rows=st.integers(1, 40), cols=st.integers(0, 9), maximum=st.integers(1, 200))
def test_slabs_cover_every_weight_once_in_whole_rows(n_sources: int, rows: int, cols: int, maximum: int) -> None:
    derived = tensor(n_sources, rows, cols)
    position, per_source = 0, prod(derived.sources[0].shape)
    for number, slab in enumerate(slabs(derived, maximum)):
        assert (slab.index, slab.first) == (number, position)
        assert slab.is_last == (slab.first + slab.elements == derived.n_params)
        assert slab.elements % (derived.shape[-1] if len(derived.shape) > 1 else 1) == 0
        assert slab.elements <= max(maximum, smallest(derived))
        at = slab.first
        for piece in slab.pieces:
            assert piece.ref is derived.sources[at // per_source]
            assert piece.start == at % per_source * 2
            assert piece.nbytes == piece.elements * 2
            at += piece.elements
        position += slab.elements
        assert at == position
    assert position == derived.n_params


@given(heads=st.integers(1, 5), half=st.integers(1, 4), cols=st.integers(0, 5), maximum=st.integers(1, 200))
def test_an_op_keeps_its_rows_together(heads: int, half: int, cols: int, maximum: int) -> None:
    derived = tensor(1, heads * 2 * half, cols, heads)
    unit = 2 * half * (cols or 1)
    assert smallest(derived) == unit
    assert all(slab.elements % unit == 0 for slab in slabs(derived, maximum))


def test_a_constant_has_no_pieces() -> None:
    (slab,) = slabs(Derived("c", (3,), constant=bytes(12)), 100)
    assert (slab.elements, slab.pieces) == (3, ())
