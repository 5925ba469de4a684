"""Tiny checkpoints of the Llama family, written by numpy and hashlib alone, the same on every machine.

Each case exists to reach a rule. `tools/record_expected.py` runs llama.cpp's converter and quantizer on them and
records digests; the tests make the same checkpoints again and compare what ggufpress writes.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).parent / "data"
BARD = Path(__file__).parent.parent / "models" / "bard-4m"

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 256, "intermediate_size": 512,
    "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 4, "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5, "vocab_size": 2048, "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
MISTRAL = LLAMA | {"architectures": ["MistralForCausalLM"], "model_type": "mistral"}
MIXTRAL = LLAMA | {
    "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2,
    "intermediate_size": 256,
}  # fmt: skip
YARN = {
    "factor": 4.0,
    "original_max_position_embeddings": 128,
    "rope_type": "yarn",
    "beta_fast": 24.0,
    "beta_slow": 1.5,
}
LLAMA3_ROPE = {
    "factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 64, "rope_type": "llama3",
}  # fmt: skip
CARD = """---
license: apache-2.0
language:
- en
base_model: acme/Base-Model-1B
tags:
- chat
pipeline_tag: text-generation
---
# A model card
"""

Dtype = str | Callable[[str], str]


@dataclass(frozen=True)
class TinyCase:
    """A tiny checkpoint: `config` is the whole config.json, `dtype` one for all tensors or a function of the name.

    `tensors` are all names and shapes, FILE:NAME for those in a file of their own; without it they are
    those of the Llama family, with `prefix`, `head`, `extra`.
    `arguments` are those of llama.cpp's converter when the case is recorded.
    """

    name: str
    config: dict[str, Any]
    tokenizer: str = "bard"
    dtype: Dtype = "BF16"
    shards: int = 1
    prefix: str = "model."
    head: bool = True
    extra: dict[str, tuple[int, ...]] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, tuple[int, ...]] | None = None
    arguments: tuple[str, ...] = ()


def without(config: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in keys}


def norms_in_f32(name: str) -> str:
    return "F32" if "norm" in name else "BF16"


def first_matrices_in_f32(name: str) -> str:
    return "F32" if name.startswith("model.embed") or ".0." in name else "F16"


def experts_mixed(name: str) -> str:
    return "F32" if ".experts.1." in name else "BF16"


CASES = [
    TinyCase("Tiny-Llama-4M-Chat-v0.2", LLAMA, files={
        "README.md": CARD, "generation_config.json": {"temperature": 0.6, "top_p": 0.9, "top_k": 40, "do_sample": True}}),
    TinyCase("deep-gqa", LLAMA | {"num_hidden_layers": 18, "num_attention_heads": 8, "num_key_value_heads": 2,
                                  "intermediate_size": 256}, dtype="F16", shards=3),
    TinyCase("odd-96-wide", LLAMA | {"hidden_size": 96, "intermediate_size": 352, "num_attention_heads": 6,
                                     "num_key_value_heads": 2, "attention_bias": True, "mlp_bias": True}, dtype="F32"),
    TinyCase("odd-40-wide", LLAMA | {"hidden_size": 40, "intermediate_size": 80, "num_attention_heads": 2,
                                     "num_key_value_heads": 1}),
    TinyCase("head-dim", LLAMA | {"head_dim": 64, "num_key_value_heads": 1, "rope_theta": 1e6}, dtype=norms_in_f32),
    TinyCase("tied-linear-rope", LLAMA | {"tie_word_embeddings": True, "rope_scaling": {"type": "linear", "factor": 2.0}},
             head=False, dtype=first_matrices_in_f32),
    TinyCase("yarn", LLAMA | {"rope_scaling": YARN, "num_key_value_heads": 8}, shards=2),
    TinyCase("llama3-rope", LLAMA | {"rope_scaling": LLAMA3_ROPE, "rope_theta": 500000.0, "tie_word_embeddings": True,
                                     "vocab_size": 128256, "hidden_size": 64, "intermediate_size": 256}, "llama-bpe", head=False),
    TinyCase("gpt2-vocab", LLAMA | {"vocab_size": 50304,
                                    "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2,
                                    "num_key_value_heads": 2}, "gpt-2"),
    TinyCase("few-keys", without(LLAMA, "max_position_embeddings", "rms_norm_eps", "num_key_value_heads",
                                 "tie_word_embeddings"), extra={"model.layers.0.self_attn.rotary_emb.inv_freq": (16,)}),
    TinyCase("no-model-type", without(LLAMA, "model_type")),
    TinyCase("bare-llama-model", LLAMA | {"architectures": ["LlamaModel"]}, prefix="", head=False),
    TinyCase("mistral-sliding", MISTRAL | {"sliding_window": 128, "vocab_size": 32000, "hidden_size": 64,
                                           "intermediate_size": 128, "num_attention_heads": 4}, "llama-fast", dtype="F16"),
    TinyCase("mistral-few-keys", without(MISTRAL | {"num_key_value_heads": None}, "max_position_embeddings", "rms_norm_eps")),
    TinyCase("mixtral-4", MIXTRAL, shards=3, dtype=experts_mixed),
    TinyCase("mixtral-8", MIXTRAL | {"num_local_experts": 8, "num_hidden_layers": 3}, dtype="F16"),
    TinyCase("padded-vocab", LLAMA | {"vocab_size": 2112}),
]  # fmt: skip
BY_NAME = {case.name: case for case in CASES}


def shapes(case: TinyCase) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the checkpoint's tensors, as the transformers classes have them."""
    if case.tensors is not None:
        return case.tensors
    config, prefix = case.config, case.prefix
    n_embd, n_ff, n_head = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    n_head_kv = config.get("num_key_value_heads") or n_head
    head_dim = config.get("head_dim") or n_embd // n_head
    found: dict[str, tuple[int, ...]] = {f"{prefix}embed_tokens.weight": (config["vocab_size"], n_embd)}
    for i in range(config["num_hidden_layers"]):
        layer = f"{prefix}layers.{i}"
        attention = {"q": (n_head * head_dim, n_embd), "k": (n_head_kv * head_dim, n_embd),
                     "v": (n_head_kv * head_dim, n_embd), "o": (n_embd, n_head * head_dim)}  # fmt: skip
        for part, shape in attention.items():
            found[f"{layer}.self_attn.{part}_proj.weight"] = shape
            if config.get("attention_bias"):
                found[f"{layer}.self_attn.{part}_proj.bias"] = shape[:1]
        if n_expert := config.get("num_local_experts"):
            found[f"{layer}.block_sparse_moe.gate.weight"] = (n_expert, n_embd)
            for e in range(n_expert):
                for part, shape in {"w1": (n_ff, n_embd), "w2": (n_embd, n_ff), "w3": (n_ff, n_embd)}.items():
                    found[f"{layer}.block_sparse_moe.experts.{e}.{part}.weight"] = shape
        else:
            for part, shape in {"gate": (n_ff, n_embd), "up": (n_ff, n_embd), "down": (n_embd, n_ff)}.items():
                found[f"{layer}.mlp.{part}_proj.weight"] = shape
                if config.get("mlp_bias"):
                    found[f"{layer}.mlp.{part}_proj.bias"] = shape[:1]
        found[f"{layer}.input_layernorm.weight"] = found[f"{layer}.post_attention_layernorm.weight"] = (n_embd,)
    found[f"{prefix}norm.weight"] = (n_embd,)
    if case.head:
        found["lm_head.weight"] = (config["vocab_size"], n_embd)
    return found | case.extra


def weights(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Weights that depend on the name alone: bell-shaped, with outliers, a zero row and a negative zero."""
    count = int(np.prod(shape))
    raw = np.frombuffer(hashlib.shake_128(name.encode()).digest(8 * count), "<u2").reshape(count, 4)
    values: NDArray[np.float32] = ((raw.astype(np.float64).sum(axis=1) / 65535 - 2) * 0.05).astype(np.float32)
    values[::977] *= 20
    values = values.reshape(shape)
    if len(shape) == 2:
        values[shape[0] // 3] = 0
        values[-1, 0] = -0.0
    else:
        values += 1
    return values


def stored(values: NDArray[np.float32], dtype: str) -> bytes:
    """The bytes of `values` as a safetensors data type; BF16 by rounding to nearest even."""
    if dtype == "F32":
        return values.astype("<f4").tobytes()
    if dtype == "F16":
        return values.astype("<f2").tobytes()
    bits = values.astype("<f4").view("<u4")
    rounded: NDArray[np.uint16] = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    return rounded.tobytes()


def write_safetensors(path: Path, tensors: dict[str, tuple[str, tuple[int, ...], bytes]]) -> None:
    """A safetensors file of (dtype, shape, bytes) by name."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.writelines(data for _, _, data in tensors.values())


def make(case: TinyCase, parent: Path) -> Path:
    """Write the checkpoint of `case` into a folder of its name under `parent`; returns the folder."""
    folder = parent / case.name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(case.config, indent=2))
    for name, content in tokenizer_files(case.tokenizer):
        (folder / name).write_bytes(content)
    for name, text in case.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text if isinstance(text, str) else json.dumps(text))
    tensors = {}
    for name, shape in shapes(case).items():
        dtype = case.dtype if isinstance(case.dtype, str) else case.dtype(name)
        tensor = (dtype, shape, stored(weights(f"{case.name}/{name}", shape), dtype))
        if ":" in name:
            file, own = name.split(":")
            (folder / file).parent.mkdir(exist_ok=True)
            write_safetensors(folder / file, {own: tensor})
        else:
            tensors[name] = tensor
    write_shards(folder, tensors, case.shards)
    return folder


def write_shards(folder: Path, tensors: dict[str, tuple[str, tuple[int, ...], bytes]], count: int) -> None:
    """One model.safetensors, or `count` parts of about the same number of tensors and their index."""
    if count == 1:
        write_safetensors(folder / "model.safetensors", tensors)
        return
    weight_map: dict[str, str] = {}
    names = list(tensors)
    size = -(-len(names) // count)
    for part in range(count):
        file = f"model-{part + 1:05d}-of-{count:05d}.safetensors"
        chunk = names[part * size : (part + 1) * size]
        write_safetensors(folder / file, {name: tensors[name] for name in chunk})
        weight_map |= dict.fromkeys(chunk, file)
    index = {"metadata": {"total_size": sum(len(data) for _, _, data in tensors.values())}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def tokenizer_files(name: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of a tokenizer's files: `bard` from the bundled model, `none`, others from tests/data/tokenizers."""
    if name == "none":
        return
    if name == "bard":
        for file in ("tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"):
            yield file, (BARD / file).read_bytes()
        return
    for path in sorted((DATA / "tokenizers" / name).iterdir()):
        yield (
            path.name.removesuffix(".xz"),
            lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes(),
        )


def copy_bard(parent: Path) -> Path:
    """The bundled real model in a folder of its own."""
    return Path(shutil.copytree(BARD, parent / "bard-4m"))
