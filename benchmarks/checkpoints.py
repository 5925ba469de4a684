"""Checkpoints of any size with the tensors of Llama or Mixtral and the bundled model's tokenizer."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT

Shape = tuple[int, ...]


def shapes(config: dict[str, Any]) -> dict[str, Shape]:
    """The tensors of a checkpoint with this config."""
    n, ff = config["hidden_size"], config["intermediate_size"]
    kv = n // config["num_attention_heads"] * config["num_key_value_heads"]
    experts = config.get("num_local_experts")
    found: dict[str, Shape] = {"model.embed_tokens.weight": (config["vocab_size"], n)}
    if not config["tie_word_embeddings"]:
        found["lm_head.weight"] = (config["vocab_size"], n)
    found["model.norm.weight"] = (n,)
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}"
        found |= {
            f"{layer}.self_attn.q_proj.weight": (n, n), f"{layer}.self_attn.k_proj.weight": (kv, n),
            f"{layer}.self_attn.v_proj.weight": (kv, n), f"{layer}.self_attn.o_proj.weight": (n, n),
            f"{layer}.input_layernorm.weight": (n,), f"{layer}.post_attention_layernorm.weight": (n,),
        }  # fmt: skip
        if experts:
            moe = f"{layer}.block_sparse_moe"
            found[f"{moe}.gate.weight"] = (experts, n)
            parts = {f"{moe}.experts.{e}.{part}": part == "w2" for e in range(experts) for part in ("w1", "w2", "w3")}
        else:
            parts = {f"{layer}.mlp.{part}_proj": part == "down" for part in ("gate", "up", "down")}
        found |= {f"{name}.weight": (n, ff) if down else (ff, n) for name, down in parts.items()}
    return found


def write_checkpoint(folder: Path, config: dict[str, Any], values: Callable[[Shape], bytes] | None = None) -> None:
    """Write a checkpoint of BF16 weights: the bytes that `values` gives for each shape, or a hole in a sparse file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(ROOT / "models" / "bard-4m" / name, folder)
    (folder / "config.json").write_text(json.dumps(config))
    header, offset = {}, 0
    for name, shape in shapes(config).items():
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, offset + 2 * prod(shape)]}
        offset += 2 * prod(shape)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    unfinished = folder / "model.safetensors.part"
    with unfinished.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        if values:
            for shape in shapes(config).values():
                stream.write(values(shape))
        stream.truncate(8 + len(text) + offset)
    unfinished.rename(folder / "model.safetensors")
