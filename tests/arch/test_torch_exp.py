from __future__ import annotations

import numpy as np
import pytest

from ggufpress.arch.torch_exp import torch_exp

# x and exp(x) by torch 2.13.0 on x86-64, as the bits of float32
PAIRS = [
    (0x4105933B, 0x4583FCDD), (0xC0C0CB27, 0x3B1E77F1), (0xC167A5D2, 0x350A6607), (0xC14A2BED, 0x365A59CA),
    (0x402ED7BF, 0x4175CC15), (0x40D16366, 0x442DA882), (0x4110E87D, 0x46060144), (0xC04E6232, 0x3D22E1A9),
    (0xC1865062, 0x335B8614), (0xC15ECF1C, 0x357075F9), (0xC10A0C2B, 0x393BB95A), (0xC19E958E, 0x3129103A),
    (0xBFC89A70, 0x3E55A201), (0xC0C6D92E, 0x3B032677), (0xC17D7B01, 0x340D70FC), (0xC0C33EBE, 0x3B12C818),
    (0xC028F5DF, 0x3D92259A), (0xC0A32988, 0x3BC8039D), (0xC16C56A9, 0x34CE75FC), (0xC191CC43, 0x3250FC67),
    (0xC0C96AB5, 0x3AF211E2), (0xC185534E, 0x337865F9), (0xBE39237C, 0x3F55A887), (0xC19C2E48, 0x31644F1F),
    (0x00000000, 0x3F800000), (0x80000000, 0x3F800000), (0x3F800000, 0x402DF854), (0xBF800000, 0x3EBC5AB2),
    (0x42B16666, 0x7F7A37FC), (0x42AEAE14, 0x7E80714C), (0x42AEA8F6, 0x7E7E549A), (0xC2AEA8F6, 0x0080D71A),
    (0xC2AEAE14, 0x007F8F18), (0xC2B40000, 0x0008EC28), (0xC2CFCCCD, 0x00000001), (0x0DA24260, 0x3F800000),
    (0xB22BCC77, 0x3F800000), (0x40317218, 0x41800000), (0x00000000, 0x3F800000), (0x3F317218, 0x40000000),
    (0x3F8C9F54, 0x40400000), (0x3FB17218, 0x40800000), (0x3FCE0210, 0x40A00000), (0x3FE55860, 0x40C00000),
    (0x3FF91395, 0x40DFFFFF), (0x40051592, 0x41000000), (0x400C9F54, 0x41100000), (0x40135D8E, 0x41200000),
    (0x4019771E, 0x41300001), (0x401F08B6, 0x41400000), (0x40242821, 0x414FFFFF), (0x4028E651, 0x41600001),
    (0x402D50B2, 0x41700001), (0x40317218, 0x41800000),
]  # fmt: skip


@pytest.mark.parametrize(("x", "result"), PAIRS)
def test_the_bits_are_torchs(x: int, result: int) -> None:
    done = torch_exp(np.array([x], np.uint32).view(np.float32))
    assert done.view(np.uint32)[0] == result


def test_a_tensor_of_any_shape_is_computed_number_by_number() -> None:
    x = np.random.default_rng(1).uniform(-20, 10, (37, 5)).astype(np.float32)
    whole = torch_exp(x)
    assert whole.shape == x.shape
    assert (whole.ravel() == np.concatenate([torch_exp(part) for part in np.split(x.ravel(), 37)])).all()
    exact = np.exp(x.astype(np.float64))
    assert (np.abs(whole - exact) <= 0.57 * np.spacing(whole)).all()


def test_what_is_no_number_stays_so() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 89, -104], np.float32)
    assert np.isnan(torch_exp(x)[0])
    assert torch_exp(x)[1:].tolist() == [np.inf, 0, np.inf, 0]
