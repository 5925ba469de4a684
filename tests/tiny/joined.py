"""Shapes of decoders whose matrices are joined, and of the other halves of multimodal checkpoints."""

from __future__ import annotations

from typing import Any

from tests.tiny.decoders import Shapes, decoder, linear, norm


def joined(config: dict[str, Any], qkv: str = "", gate_up: str = "", **traits: Any) -> Shapes:
    """A decoder whose q, k and v are the matrix `qkv` and whose gate and up are `gate_up`, where these are named."""
    n_embd, n_head = config["hidden_size"], config["num_attention_heads"]
    head_dim = config.get("head_dim") or n_embd // n_head
    n_head_kv = config.get("num_key_value_heads") or n_head
    found: Shapes = {}
    for name, shape in decoder(config, **traits).items():
        if qkv and "q_proj." in name:
            rows = (n_head + 2 * n_head_kv) * head_dim
            found[name.replace("q_proj", qkv)] = (rows, *shape[1:])
        elif gate_up and "gate_proj." in name:
            found[name.replace("gate_proj", gate_up)] = (2 * shape[0], *shape[1:])
        elif not (qkv and ("k_proj." in name or "v_proj." in name)) and not (gate_up and "up_proj." in name):
            found[name] = shape
    return found


def vision(prefix: str = "vision_tower.") -> Shapes:
    """A few tensors of a vision tower and its projector."""
    return {
        f"{prefix}embeddings.patch_embedding.weight": (32, 3, 2, 2),
        f"{prefix}encoder.layers.0.self_attn.q_proj.weight": (32, 32),
        f"{prefix}encoder.layers.0.layer_norm1.bias": (32,),
        "multi_modal_projector.linear_1.weight": (32, 64),
    }


def behind(prefix: str, shapes: Shapes, head: str | None = None) -> Shapes:
    """The same tensors behind `prefix`; lm_head behind `head` where that differs."""
    return {
        (prefix if head is None or not name.startswith("lm_head") else head) + name: shape
        for name, shape in shapes.items()
    }


def under(old: str, new: str, shapes: Shapes) -> Shapes:
    """The same tensors with the prefix `old` replaced by `new`."""
    return {new + name[len(old) :] if name.startswith(old) else name: shape for name, shape in shapes.items()}


def gpt_neox(n_embd: int, n_layer: int, n_vocab: int, n_ff: int) -> Shapes:
    """GPT-NeoX."""
    found = linear("gpt_neox.embed_in", n_vocab, n_embd) | linear("embed_out", n_vocab, n_embd)
    for i in range(n_layer):
        layer = f"gpt_neox.layers.{i}"
        found |= norm(f"{layer}.input_layernorm", n_embd, True) | norm(
            f"{layer}.post_attention_layernorm", n_embd, True
        )
        found |= linear(f"{layer}.attention.query_key_value", 3 * n_embd, n_embd, True)
        found |= linear(f"{layer}.attention.dense", n_embd, n_embd, True)
        found |= linear(f"{layer}.mlp.dense_h_to_4h", n_ff, n_embd, True)
        found |= linear(f"{layer}.mlp.dense_4h_to_h", n_embd, n_ff, True)
    return found | norm("gpt_neox.final_layer_norm", n_embd, True)


def gpt_bigcode(n_embd: int, n_layer: int, n_vocab: int, rows: int, n_ff: int, n_ctx: int = 0) -> Shapes:
    """GPTBigCode with `rows` in c_attn; CodeShell has no position embedding."""
    found = linear("transformer.wte", n_vocab, n_embd)
    if n_ctx:
        found |= linear("transformer.wpe", n_ctx, n_embd)
    for i in range(n_layer):
        layer = f"transformer.h.{i}"
        found |= norm(f"{layer}.ln_1", n_embd, True) | norm(f"{layer}.ln_2", n_embd, True)
        found |= linear(f"{layer}.attn.c_attn", rows, n_embd, True) | linear(
            f"{layer}.attn.c_proj", n_embd, n_embd, True
        )
        found |= linear(f"{layer}.mlp.c_fc", n_ff, n_embd, True) | linear(f"{layer}.mlp.c_proj", n_embd, n_ff, True)
    return found | norm("transformer.ln_f", n_embd, True)


def mpt(n_embd: int, n_layer: int, n_vocab: int, rows: int, bias: bool = False, norms: bool = False) -> Shapes:
    """MPT."""
    found = linear("transformer.wte", n_vocab, n_embd)
    for i in range(n_layer):
        layer = f"transformer.blocks.{i}"
        found |= norm(f"{layer}.norm_1", n_embd, bias) | norm(f"{layer}.norm_2", n_embd, bias)
        found |= linear(f"{layer}.attn.Wqkv", rows, n_embd, bias) | linear(
            f"{layer}.attn.out_proj", n_embd, n_embd, bias
        )
        if norms:
            found |= norm(f"{layer}.attn.q_ln", n_embd) | norm(f"{layer}.attn.k_ln", (rows - n_embd) // 2)
        found |= linear(f"{layer}.ffn.up_proj", 4 * n_embd, n_embd, bias)
        found |= linear(f"{layer}.ffn.down_proj", n_embd, 4 * n_embd, bias)
    return found | norm("transformer.norm_f", n_embd, bias)
