"""Peak memory of ggufpress on models whose single tensors are larger than memory should be: RssAnon, without mapped files.

    python benchmarks/bench_memory.py

The weights are holes in sparse files, so nothing is stored; the outputs are real and removed afterwards.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.checkpoints import write_checkpoint
from benchmarks.processes import GGUFPRESS, machine, measure

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8192, "intermediate_size": 8192,
    "num_hidden_layers": 1, "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 262144,
    "max_position_embeddings": 2048, "tie_word_embeddings": True,
}  # fmt: skip
MIXTRAL = LLAMA | {
    "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336,
    "num_local_experts": 8, "num_experts_per_tok": 2, "num_attention_heads": 32, "vocab_size": 32000,
}  # fmt: skip
MODELS = {"an embedding of 262144 x 8192 (4.3 GB)": LLAMA, "8 experts of 14336 x 4096 in a layer (2.8 GB)": MIXTRAL}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="*", default=[2, 16])
    options = parser.parse_args()
    print(f"{machine()}\n\n| model | types | threads | anonymous | RSS |\n|---|---|---:|---:|---:|")
    for name, config in MODELS.items():
        with tempfile.TemporaryDirectory() as temporary:
            source = Path(temporary) / "model"
            write_checkpoint(source, config)
            for threads in options.threads:
                out = Path(temporary) / "out"
                command = [*GGUFPRESS, "quantize", str(source), "-q", "Q4_K_M", "-q", "Q8_0", "-o", str(out), "--quiet"]
                cost = measure([*command, "--threads", str(threads)])
                shutil.rmtree(out)
                print(
                    f"| {name} | Q4_K_M + Q8_0 | {threads} | {cost.anonymous:.0f} MB | {cost.resident:.0f} MB |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
