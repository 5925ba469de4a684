from __future__ import annotations

from pathlib import Path

import pytest

import ggufpress
from ggufpress.errors import UsageError
from tests.tiny_checkpoints import BARD


def test_public_names_are_few_typed_and_documented() -> None:
    assert len(ggufpress.__all__) <= 20
    for name in ggufpress.__all__:
        assert getattr(ggufpress, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = ggufpress.nothing


def test_plan_quantize_verify_inspect(tmp_path: Path) -> None:
    planned = ggufpress.plan(BARD, ["Q4_K_M", "AUTO"], output=tmp_path)
    assert [output.path.name for output in planned.outputs] == ["bard-4m-Q4_K_M.gguf", "bard-4m-BF16.gguf"]
    report = ggufpress.quantize(str(BARD), ["Q4_K_M", "AUTO"], output=str(tmp_path))
    assert [file.nbytes for file in report.files] == [output.file_bytes for output in planned.outputs]
    for file in report.files:
        assert ggufpress.verify(file.path, against=BARD).ok
        assert ggufpress.inspect(file.path).bpw == pytest.approx(file.bpw)


@pytest.mark.parametrize("arguments", [{"via": "q8_0"}, {"layout": "upside-down"}, {"threads": 0}, {"types": []}])
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        ggufpress.quantize(BARD, output=tmp_path, **arguments)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
