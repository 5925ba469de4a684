"""Time and peak memory of planning, whole processes: many tensors, large vocabularies, and the import of the command line.

    python benchmarks/bench_plan.py

The weights are holes in sparse files: planning reads headers and tokenizer files alone. Vocabularies are Llama 3's with
tokens that no text has, up to the size asked for.
"""

from __future__ import annotations

import argparse
import json
import lzma
import resource
import struct
import sys
import tempfile
from math import prod
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.checkpoints import Shape, shapes
from benchmarks.processes import GGUFPRESS, ROOT, Cost, machine, measure

TOKENIZER = ROOT / "tests" / "data" / "tokenizers" / "llama-bpe"
LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 44, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 151936,
    "max_position_embeddings": 8192, "tie_word_embeddings": False,
}  # fmt: skip
DEEPSEEK: dict[str, Any] = {
    "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432,
    "num_hidden_layers": 81, "num_attention_heads": 128, "num_key_value_heads": 128, "vocab_size": 129280,
    "max_position_embeddings": 163840, "tie_word_embeddings": False, "n_routed_experts": 256, "n_shared_experts": 1,
    "moe_intermediate_size": 2048, "first_k_dense_replace": 3, "kv_lora_rank": 512, "q_lora_rank": 1536,
    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "num_experts_per_tok": 8, "scoring_func": "sigmoid",
}  # fmt: skip


def deepseek_shapes(config: dict[str, Any]) -> dict[str, Shape]:
    """The tensors of DeepSeek V3 with this config."""
    n, n_ff = config["hidden_size"], config["moe_intermediate_size"]
    heads, kept = config["num_attention_heads"], config["kv_lora_rank"]
    found: dict[str, Shape] = {"model.embed_tokens.weight": (config["vocab_size"], n)}
    for i in range(config["num_hidden_layers"]):
        hf = f"model.layers.{i}"
        found |= {
            f"{hf}.self_attn.q_a_proj.weight": (1536, n), f"{hf}.self_attn.q_a_layernorm.weight": (1536,),
            f"{hf}.self_attn.q_b_proj.weight": (heads * 192, 1536), f"{hf}.self_attn.kv_a_layernorm.weight": (kept,),
            f"{hf}.self_attn.kv_a_proj_with_mqa.weight": (kept + 64, n), f"{hf}.self_attn.o_proj.weight": (n, heads * 128),
            f"{hf}.self_attn.kv_b_proj.weight": (heads * 256, kept), f"{hf}.input_layernorm.weight": (n,),
            f"{hf}.post_attention_layernorm.weight": (n,),
        }  # fmt: skip
        parts = [("mlp", config["intermediate_size"])]
        if i >= config["first_k_dense_replace"]:
            found |= {f"{hf}.mlp.gate.weight": (256, n), f"{hf}.mlp.gate.e_score_correction_bias": (256,)}
            parts = [("mlp.shared_experts", n_ff), *((f"mlp.experts.{e}", n_ff) for e in range(256))]
        for name, width in parts:
            found |= {f"{hf}.{name}.{part}_proj.weight": (width, n) for part in ("gate", "up")}
            found[f"{hf}.{name}.down_proj.weight"] = (n, width)
    return found | {"model.norm.weight": (n,), "lm_head.weight": (config["vocab_size"], n)}


def write(folder: Path, config: dict[str, Any], tensors: dict[str, Shape], n_shards: int) -> None:
    """A checkpoint of holes, and a tokenizer of the size that the config asks for."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_bytes(
        lzma.decompress((TOKENIZER / "tokenizer_config.json.xz").read_bytes())
    )
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(config["vocab_size"])))
    names = list(tensors)
    size = -(-len(names) // n_shards)
    weight_map: dict[str, str] = {}
    for part in range(n_shards):
        file = f"model-{part + 1:05d}-of-{n_shards:05d}.safetensors"
        header, offset = {}, 0
        for name in names[part * size : (part + 1) * size]:
            nbytes = 2 * prod(tensors[name])
            header[name] = {"dtype": "BF16", "shape": tensors[name], "data_offsets": [offset, offset + nbytes]}
            offset += nbytes
            weight_map[name] = file
        text = json.dumps(header).encode()
        with (folder / file).open("wb") as stream:
            stream.write(struct.pack("<Q", len(text)) + text)
            stream.truncate(8 + len(text) + offset)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def tokenizer(n_vocab: int) -> dict[str, Any]:
    """Llama 3's tokenizer.json, with pairs of its last tokens as further ones."""
    stated: dict[str, Any] = json.loads(lzma.decompress((TOKENIZER / "tokenizer.json.xz").read_bytes()))
    vocab, merges = stated["model"]["vocab"], stated["model"]["merges"]
    next_id = max(*vocab.values(), *(token["id"] for token in stated["added_tokens"])) + 1
    last = list(vocab)[-600:]
    pairs = ((left, right) for left in last for right in last if left + right not in vocab)
    for left, right in pairs:
        if next_id >= n_vocab:
            break
        vocab[left + right] = next_id
        merges.append([left, right] if isinstance(merges[0], list) else f"{left} {right}")
        next_id += 1
    return stated


def best(command: list[str], runs: int) -> tuple[float, Cost]:
    """The shortest time of all runs on processors, and of the clock, with the highest peaks of memory."""
    spent, costs = [], []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(measure(command))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    shortest = min(cost.seconds for cost in costs)
    return min(spent), Cost(shortest, max(cost.anonymous for cost in costs), max(cost.resident for cost in costs))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    wide = LLAMA | {"vocab_size": 262144}
    models = (
        ("400 tensors, 151,936 tokens", LLAMA, shapes(LLAMA), 8),
        ("400 tensors, 262,144 tokens", wide, shapes(wide), 8),
        ("DeepSeek V3 of 81 layers, 256 experts", DEEPSEEK, deepseek_shapes(DEEPSEEK), 163),
    )
    print(f"{machine()}\n\n| what | tensors | CPU time | time | anonymous | RSS |\n|---|---:|---:|---:|---:|---:|")
    bare, _ = best([sys.executable, "-c", "pass"], options.runs)
    spent, cost = best([sys.executable, "-c", "import ggufpress.cli.main"], options.runs)
    print(f"| import of the command line | | {spent - bare:.2f} s | {cost.seconds:.2f} s with Python | | |")
    for name, config, tensors, n_shards in models:
        with tempfile.TemporaryDirectory() as temporary:
            source = Path(temporary) / "model"
            write(source, config, tensors, n_shards)
            spent, cost = best([*GGUFPRESS, "plan", str(source), "-q", "Q4_K_M"], options.runs)
            print(
                f"| {name} | {len(tensors):,} | {spent:.2f} s | {cost.seconds:.2f} s | {cost.anonymous:.0f} MB "
                f"| {cost.resident:.0f} MB |",
                flush=True,
            )


if __name__ == "__main__":
    main()
