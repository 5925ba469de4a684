from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ggufpress import quantize
from tests.tiny_checkpoints import BARD

# the same examples in every run, and no clock: machines that run the tests are shared
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture(scope="session")
def bard(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The bundled model as GGUF files, by preset."""
    report = quantize(BARD, ["F16", "Q8_0", "Q4_K_M", "Q2_K"], output=tmp_path_factory.mktemp("bard"))
    return {file.type: file.path for file in report.files}
