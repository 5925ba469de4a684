from __future__ import annotations

import re
from pathlib import Path

import pytest

from ggufpress import plan
from ggufpress.errors import MappingError
from tests.tiny.families import FAMILY_CASES
from tests.tiny.uncommon import JAIS, jais
from tests.tiny_checkpoints import TinyCase, make, write_safetensors


def keys(folder: Path) -> dict[str, object]:
    return {key: value.data for key, value in plan(folder, ["Q8_0"]).outputs[0].metadata.items()}


def test_numbers_of_the_activation_become_keys_before_all_others(tmp_path: Path) -> None:
    found = keys(make(FAMILY_CASES["apertus"], tmp_path))
    assert list(found)[:5] == [
        "general.architecture",
        *(f"xielu.{name}" for name in ("alpha_n", "alpha_p", "beta", "eps")),
    ]
    assert all(len(value) == 2 for key, value in found.items() if key.startswith("xielu.") and isinstance(value, tuple))


@pytest.mark.parametrize(("slope", "expected"), [(0.25, 8.0), (0.5, 4.0)])
def test_the_largest_bias_follows_from_the_first_slope(slope: float, expected: float, tmp_path: Path) -> None:
    folder = make(TinyCase("jais", JAIS, "gpt-2", tensors=jais(slopes=False)), tmp_path)
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    data = b"\0\0" + {0.25: b"\x80\x3e", 0.5: b"\0\x3f"}[slope]
    write_safetensors(folder / "model-2.safetensors", {"transformer.relative_pe.slopes": ("F32", (4, 1, 1), data * 4)})
    assert keys(folder)["jais.attention.max_alibi_bias"] == expected


def test_without_slopes_it_is_8(tmp_path: Path) -> None:
    assert keys(make(FAMILY_CASES["jais-mup"], tmp_path))["jais.attention.max_alibi_bias"] == 8.0


def test_a_missing_number_is_named(tmp_path: Path) -> None:
    case = FAMILY_CASES["apertus"]
    tensors = {name: shape for name, shape in (case.tensors or {}).items() if name != "model.layers.1.mlp.act_fn.beta"}
    folder = make(TinyCase("apertus", case.config, tensors=tensors), tmp_path)
    message = "model.layers.1.mlp.act_fn.beta is missing: xielu.beta is made from it"
    with pytest.raises(MappingError, match=re.escape(message)):
        plan(folder, ["Q8_0"])


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = make(TinyCase("jais", JAIS, "gpt-2", tensors=jais(slopes=False)), tmp_path)
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    write_safetensors(
        folder / "model-2.safetensors", {"transformer.relative_pe.slopes": ("F32", (1,), b"\0\0\xc0\x7f")}
    )
    with pytest.raises(MappingError, match=r"transformer\.relative_pe\.slopes is nan, which is no number"):
        plan(folder, ["Q8_0"])
