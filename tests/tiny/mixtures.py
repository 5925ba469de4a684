"""Names and shapes of the parts of decoders with experts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.tiny.decoders import Shapes, decoder, feed_forward, linear, norm

GATED = "gate_proj up_proj down_proj"
NUMBERED = "w1 w3 w2"


def without_ffn(config: dict[str, Any], **traits: Any) -> Shapes:
    """A decoder of `config` whose layers lack a feed-forward."""
    return {name: shape for name, shape in decoder(config, **traits).items() if ".mlp." not in name}


def without_attention(shapes: Shapes) -> Shapes:
    """Without q, k, v and output matrix."""
    return {name: shape for name, shape in shapes.items() if ".self_attn." not in name}


def experts(hf: str, n_expert: int, n_embd: int, n_ff: int, names: str = GATED) -> Shapes:
    """The matrices of all experts."""
    found: Shapes = {}
    for e in range(n_expert):
        found |= feed_forward(f"{hf}.{e}", n_embd, n_ff, names)
    return found


def deepseek_experts(
    layers: Iterable[int],
    n_expert: int,
    n_embd: int,
    n_ff: int,
    n_shared: int = 1,
    bias: str = "gate.e_score_correction_bias",
) -> Shapes:
    """Router, experts and shared experts under DeepSeek's names."""
    found: Shapes = {}
    for i in layers:
        hf = f"model.layers.{i}.mlp"
        found |= {f"{hf}.gate.weight": (n_expert, n_embd)} | ({f"{hf}.{bias}": (n_expert,)} if bias else {})
        found |= experts(f"{hf}.experts", n_expert, n_embd, n_ff)
        if n_shared:
            found |= feed_forward(f"{hf}.shared_experts", n_embd, n_ff * n_shared, GATED)
    return found


def dense(layers: Iterable[int], n_embd: int, n_ff: int, hf: str = "mlp") -> Shapes:
    """Gated feed-forwards in some layers."""
    found: Shapes = {}
    for i in layers:
        found |= feed_forward(f"model.layers.{i}.{hf}", n_embd, n_ff, GATED)
    return found


def mla(config: dict[str, Any], layers: Iterable[int]) -> Shapes:
    """DeepSeek's compressed attention."""
    n_embd, n_head = config["hidden_size"], config["num_attention_heads"]
    plain, rotated, value = config["qk_nope_head_dim"], config["qk_rope_head_dim"], config["v_head_dim"]
    kept, rank = config["kv_lora_rank"], config.get("q_lora_rank")
    found: Shapes = {}
    for i in layers:
        hf = f"model.layers.{i}.self_attn"
        if rank:
            found |= linear(f"{hf}.q_a_proj", rank, n_embd) | norm(f"{hf}.q_a_layernorm", rank)
            found |= linear(f"{hf}.q_b_proj", n_head * (plain + rotated), rank)
        else:
            found |= linear(f"{hf}.q_proj", n_head * (plain + rotated), n_embd)
        found |= linear(f"{hf}.kv_a_proj_with_mqa", kept + rotated, n_embd) | norm(f"{hf}.kv_a_layernorm", kept)
        found |= linear(f"{hf}.kv_b_proj", config["num_key_value_heads"] * (plain + value), kept)
        found |= linear(f"{hf}.o_proj", n_embd, n_head * value)
    return found


def later(config: dict[str, Any], layers: Iterable[int], *, head: bool = True) -> Shapes:
    """What layers that predict further tokens have besides a usual layer."""
    n_embd, n_vocab = config["hidden_size"], config["vocab_size"]
    found: Shapes = {}
    for i in layers:
        hf = f"model.layers.{i}"
        found |= linear(f"{hf}.eh_proj", n_embd, 2 * n_embd) | norm(f"{hf}.enorm", n_embd) | norm(f"{hf}.hnorm", n_embd)
        found |= norm(f"{hf}.shared_head.norm", n_embd)
        if head:
            found |= linear(f"{hf}.embed_tokens", n_vocab, n_embd) | linear(f"{hf}.shared_head.head", n_vocab, n_embd)
    return found
