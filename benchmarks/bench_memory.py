"""Peak memory of ggufpress on models whose single tensors are larger than memory should be: RssAnon, without mapped files.

    python benchmarks/bench_memory.py

The weights are holes in sparse files, so nothing is stored; the outputs are real and removed afterwards.
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
import sys
import tempfile
from math import prod
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.processes import GGUFPRESS, ROOT, machine, measure

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


def shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The tensors of a one-layer checkpoint."""
    n, ff = config["hidden_size"], config["intermediate_size"]
    kv = n // config["num_attention_heads"] * config["num_key_value_heads"]
    layer = "model.layers.0"
    found: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (config["vocab_size"], n), "model.norm.weight": (n,),
        f"{layer}.self_attn.q_proj.weight": (n, n), f"{layer}.self_attn.k_proj.weight": (kv, n),
        f"{layer}.self_attn.v_proj.weight": (kv, n), f"{layer}.self_attn.o_proj.weight": (n, n),
        f"{layer}.input_layernorm.weight": (n,), f"{layer}.post_attention_layernorm.weight": (n,),
    }  # fmt: skip
    if experts := config.get("num_local_experts"):
        moe = f"{layer}.block_sparse_moe"
        found[f"{moe}.gate.weight"] = (experts, n)
        for e in range(experts):
            found |= {
                f"{moe}.experts.{e}.{part}.weight": (n, ff) if part == "w2" else (ff, n) for part in ("w1", "w2", "w3")
            }
        return found
    return found | {
        f"{layer}.mlp.{part}_proj.weight": (n, ff) if part == "down" else (ff, n) for part in ("gate", "up", "down")
    }


def make(folder: Path, config: dict[str, Any]) -> None:
    """A checkpoint whose weights are a hole in the file."""
    folder.mkdir(parents=True)
    for name in ("tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(ROOT / "models" / "bard-4m" / name, folder)
    (folder / "config.json").write_text(json.dumps(config))
    header, offset = {}, 0
    for name, shape in shapes(config).items():
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, offset + 2 * prod(shape)]}
        offset += 2 * prod(shape)
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.truncate(8 + len(text) + offset)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="*", default=[2, 16])
    options = parser.parse_args()
    print(f"{machine()}\n\n| model | types | threads | anonymous | RSS |\n|---|---|---:|---:|---:|")
    for name, config in MODELS.items():
        with tempfile.TemporaryDirectory() as temporary:
            source = Path(temporary) / "model"
            make(source, config)
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
