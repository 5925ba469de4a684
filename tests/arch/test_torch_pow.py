"""Against values recorded from torch 2.13.0 (x86-64, AVX-512): sha256 of the float32 powers, shortened."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ggufpress.arch.torch_pow import GROUP, torch_pow

# base, head_dim, sha256 of torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim as exponents
RECORDED = [
    (10000.0, 64, "4907bb2421b1dff1"),
    (10000.0, 128, "0f38c9ea2be251a9"),
    (10000.0, 256, "ce87a7367afc2547"),
    (500000.0, 64, "32c2e63bf2cf74a0"),
    (500000.0, 128, "b1bf8d0426cfd74d"),
    (500000.0, 256, "30c43bf6bde2678d"),
    (1000000.0, 64, "1281499495540d44"),
    (1000000.0, 128, "7097fd897a00e96b"),
    (1000000.0, 256, "be9bac9defff8931"),
    (200000.0, 64, "332c1b78acebc90d"),
    (200000.0, 128, "9d1d53984dda05d2"),
    (200000.0, 256, "d71c15b99225a6b7"),
    (123456.7, 64, "67dead4242660087"),
    (123456.7, 128, "a48e6507da9f7a4c"),
    (123456.7, 256, "9e124352c066564e"),
]


@pytest.mark.parametrize(("base", "head_dim", "digest"), RECORDED)
def test_equals_torch(base: float, head_dim: int, digest: str) -> None:
    powers = torch_pow(base, np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim))
    assert powers.dtype == np.float32
    assert hashlib.sha256(powers.tobytes()).hexdigest()[:16] == digest


def test_the_vector_routine_is_not_the_rounded_power() -> None:
    exponents = np.arange(0, 128, 2, dtype=np.float32) / np.float32(128)
    rounded = np.power(200000.0, exponents.astype(np.float64)).astype(np.float32)
    assert np.nonzero(torch_pow(200000.0, exponents) != rounded)[0].tolist() == [13, 53, 56, 60]


@given(st.floats(1.0, 1e9), st.integers(1, 3))
def test_is_within_one_unit_in_the_last_place(base: float, groups: int) -> None:
    exponents = np.linspace(0, 1, GROUP * groups + 5, dtype=np.float32)
    exact = np.power(np.float64(np.float32(base)), exponents.astype(np.float64))
    assert (np.abs(torch_pow(base, exponents) - exact) <= np.spacing(exact.astype(np.float32))).all()
