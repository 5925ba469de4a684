"""What llama-perplexity and llama-imatrix were asked for; tools/record_quality.py asked, tests/data/quality holds the answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.tiny_checkpoints import BARD, BY_NAME, make

DATA = Path(__file__).parent.parent / "data" / "quality"


@dataclass(frozen=True)
class Run:
    """One comparison: a file of `type` with the F16 file of the same model."""

    type: str
    n_ctx: int
    n_chunks: int
    case: str = "bard-4m"

    @property
    def options(self) -> list[str]:
        """Of llama-perplexity."""
        return ["-c", str(self.n_ctx), "--chunks", str(self.n_chunks)]


@dataclass(frozen=True)
class Matrix:
    """One importance matrix."""

    file: str
    n_ctx: int
    n_chunks: int
    case: str = "bard-4m"
    process_output: bool = False
    dat: bool = False

    @property
    def options(self) -> list[str]:
        """Of llama-imatrix."""
        made = ["-c", str(self.n_ctx), "--chunks", str(self.n_chunks), "--no-ppl"]
        made += ["--process-output"] if self.process_output else []
        return [*made, "--output-format", "dat"] if self.dat else made


RUNS = [Run("Q4_K_M", 512, 6), Run("Q2_K", 256, 8), Run("Q8_0", 512, 5)]
MATRICES = [
    Matrix("bard.gguf", 512, 4),
    Matrix("output.gguf", 64, 3, process_output=True),
    Matrix("experts.gguf", 64, 4, "mixtral-4"),
    Matrix("old.dat", 512, 4, dat=True),
]


def source_of(case: str, folder: Path) -> Path:
    """The checkpoint that a case is about, made in `folder` where it is not the bundled one."""
    return BARD if case == BARD.name else make(BY_NAME[case], folder / case)
