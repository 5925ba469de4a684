from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# the same examples in every run, and no clock: machines that run the tests are shared
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# huggingface_hub reads its environment when it is imported: no login, cache or Hub of this machine is ever touched
_home = tempfile.mkdtemp(prefix="ggufpress-hf-home-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith(("HF_", "HUGGING_FACE_", "TRANSFORMERS_"))]:
    del os.environ[_name]
os.environ |= {
    "HF_HOME": _home,
    "HF_ENDPOINT": "http://127.0.0.1:9",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_XET": "1",
}


@pytest.fixture(scope="session")
def bard(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The bundled model as GGUF files, by preset."""
    # imported here: the environment comes first
    from ggufpress import quantize
    from tests.tiny_checkpoints import BARD

    report = quantize(BARD, ["F16", "Q8_0", "Q4_K_M", "Q2_K"], output=tmp_path_factory.mktemp("bard"))
    return {file.type: file.path for file in report.files}
