"""Record what llama.cpp's own llama-perplexity and llama-imatrix say of the bundled model, for the tests.

python tools/record_quality.py FOLDER    the folder that holds llama-perplexity and llama-imatrix

Both built from the llama.cpp of llama-cpp-python 0.3.36 (vendor/llama.cpp in its source distribution):
cmake -S vendor/llama.cpp -B build -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_SERVER=OFF
cmake --build build --target llama-perplexity llama-imatrix
The files they read are those that ggufpress makes, which are llama-quantize's byte for byte.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ggufpress import quantize
from tests.quality.recorded import DATA, MATRICES, RUNS, source_of

TEXTS = Path(__file__).resolve().parent.parent / "models" / "bard-4m"
N_FIGURES = (1, 34)
KEPT = ("Final estimate", "Mean", "Cor(", "KLD:", "Δp", "Same top p")


def main() -> None:
    tools = Path(sys.argv[1])
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for text in ("valid.txt", "calibration.txt"):
            shutil.copy(TEXTS / text, folder)
        for case in {run.case for run in RUNS} | {matrix.case for matrix in MATRICES}:
            made = quantize(source_of(case, folder), ["F16", "Q8_0", "Q4_K_M", "Q2_K"], output=folder)
            for file in made.files:
                file.path.rename(folder / f"{case}-{file.type}.gguf")
        lines = []
        for run in RUNS:
            base = ["llama-perplexity", "-m", f"{run.case}-F16.gguf", "-f", "valid.txt", *run.options,
                    "--save-all-logits", "logits"]  # fmt: skip
            other = ["llama-perplexity", "-m", f"{run.case}-{run.type}.gguf", *run.options,
                     "--kl-divergence-base", "logits", "--kl-divergence"]  # fmt: skip
            for command in (base, other):
                found = said(tools, command, folder)
                # its log is written by a thread of its own, which its end sometimes cuts short
                while len(found) != N_FIGURES[command is other]:
                    found = said(tools, command, folder)
                lines += ["", f"$ {' '.join(command)}", *found]
        (DATA / "perplexity.txt").write_text(
            "\n".join([f"# written by {Path(__file__).name}", *lines, ""]), encoding="utf-8"
        )
        commands = []
        for matrix in MATRICES:
            command = ["llama-imatrix", "-m", f"{matrix.case}-F16.gguf", "-f", "calibration.txt", *matrix.options,
                       "-o", matrix.file]  # fmt: skip
            said(tools, command, folder)
            shutil.copy(folder / matrix.file, DATA)
            commands.append(f"$ {' '.join(command)}")
        (DATA / "imatrix.txt").write_text("\n".join([f"# written by {Path(__file__).name}", *commands, ""]))


def said(tools: Path, command: list[str], folder: Path) -> list[str]:
    """The lines of figures that a command prints, without its clock."""
    run = [str(tools.resolve() / command[0]), *command[1:], "-t", "2"]
    done = subprocess.run(run, cwd=folder, capture_output=True, check=True)
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    return [line[line.find("Final") :] if "Final" in line else line for line in text.splitlines() if
            any(word in line for word in KEPT) and not line.startswith("chunk ")]  # fmt: skip


if __name__ == "__main__":
    main()
