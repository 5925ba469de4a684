from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress.cli.main import main
from tests.cli.running import Outcome, Run


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Call the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> Outcome:
        with pytest.raises(SystemExit) as caught:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(int(caught.value.code or 0), captured.out, captured.err)

    return call
