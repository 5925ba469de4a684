"""The instruction set in use can be seen and forced."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ggufpress import _native

ASK = "from ggufpress import _native; print(_native.isa())"


def ask(forced: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "GGUFPRESS_ISA"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    if forced is not None:
        environment["GGUFPRESS_ISA"] = forced
    return subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=False)


def test_the_best_is_used_unless_one_is_forced() -> None:
    names = _native.isas()
    assert names[-1] == "scalar"
    assert ask(None).stdout.split() == [names[0]]
    assert ask("").stdout.split() == [names[0]]
    for name in names:
        assert ask(name).stdout.split() == [name]


def test_an_unknown_name_lists_the_choices() -> None:
    answer = ask("avx9")
    assert answer.returncode == 1
    assert f"GGUFPRESS_ISA is 'avx9', this machine has: {' '.join(_native.isas())}" in answer.stderr


def test_set_isa(isa: str) -> None:
    assert _native.isa() == isa
    with pytest.raises(ValueError, match="isa is 'mmx', this machine has: "):
        _native.set_isa("mmx")
    assert _native.isa() == isa
