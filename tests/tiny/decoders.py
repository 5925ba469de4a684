"""Names and shapes of decoder checkpoints, put together from a few traits."""

from __future__ import annotations

from typing import Any

Shapes = dict[str, tuple[int, ...]]


def linear(name: str, rows: int, cols: int, bias: bool = False) -> Shapes:
    return {f"{name}.weight": (rows, cols)} | ({f"{name}.bias": (rows,)} if bias else {})


def norm(name: str, size: int, bias: bool = False) -> Shapes:
    found: Shapes = {f"{name}.weight": (size,)}
    return found | ({f"{name}.bias": (size,)} if bias else {})


def decoder(
    config: dict[str, Any],
    *,
    prefix: str = "model.",
    head: bool = True,
    qkv_bias: bool = False,
    o_bias: bool = False,
    mlp_bias: bool = False,
    norm_bias: bool = False,
    head_bias: bool = False,
    qk_norm: str = "",
    mlp: str = "gate_proj up_proj down_proj",
    norms: str = "input_layernorm post_attention_layernorm",
    last_norm: str = "norm",
    experts: str = "",
    dense_layers: tuple[int, ...] = (),
    n_ff_exp: int = 0,
    n_ff_shexp: int = 0,
) -> Shapes:
    """The tensors of a decoder with separate q, k and v.

    `qk_norm`: "head" for one weight of head_dim, "full" for one of all rows. `mlp` and `norms` name their tensors, the
    last of `mlp` the one that leads back. `experts` names the three matrices of an expert ("gate_proj up_proj down_proj").
    """
    n_embd, n_head = config["hidden_size"], config["num_attention_heads"]
    n_head_kv = config.get("num_key_value_heads") or n_head
    head_dim = config.get("head_dim") or n_embd // n_head
    rows, rows_kv = n_head * head_dim, n_head_kv * head_dim
    found = linear(f"{prefix}embed_tokens", config["vocab_size"], n_embd)
    for i in range(config["num_hidden_layers"]):
        layer = f"{prefix}layers.{i}"
        for part, size in {"q": rows, "k": rows_kv, "v": rows_kv}.items():
            found |= linear(f"{layer}.self_attn.{part}_proj", size, n_embd, qkv_bias)
        found |= linear(f"{layer}.self_attn.o_proj", n_embd, rows, o_bias)
        if qk_norm:
            found |= norm(f"{layer}.self_attn.q_norm", head_dim if qk_norm == "head" else rows)
            found |= norm(f"{layer}.self_attn.k_norm", head_dim if qk_norm == "head" else rows_kv)
        for name in norms.split():
            found |= norm(f"{layer}.{name}", n_embd, norm_bias)
        if experts and i not in dense_layers:
            n_expert = config.get("num_experts") or config["num_local_experts"]
            found |= linear(f"{layer}.mlp.gate", n_expert, n_embd)
            for e in range(n_expert):
                found |= feed_forward(f"{layer}.mlp.experts.{e}", n_embd, n_ff_exp, experts)
            if n_ff_shexp:
                found |= feed_forward(f"{layer}.mlp.shared_expert", n_embd, n_ff_shexp, experts)
                found |= linear(f"{layer}.mlp.shared_expert_gate", 1, n_embd)
        else:
            found |= feed_forward(f"{layer}.mlp", n_embd, config["intermediate_size"], mlp, mlp_bias)
    if last_norm:
        found |= norm(f"{prefix}{last_norm}", n_embd, norm_bias)
    if head:
        found |= linear("lm_head", config["vocab_size"], n_embd, head_bias)
    return found


def feed_forward(name: str, n_embd: int, n_ff: int, parts: str, bias: bool = False) -> Shapes:
    """A feed-forward whose tensors are called `parts`; the last leads back to n_embd."""
    *up, down = parts.split()
    found: Shapes = {}
    for part in up:
        found |= linear(f"{name}.{part}", n_ff, n_embd, bias)
    return found | linear(f"{name}.{down}", n_embd, n_ff, bias)


def stacked_experts(config: dict[str, Any], n_expert: int, n_ff: int) -> Shapes:
    """A decoder with Qwen3's norms whose experts are stored as transformers 5 does it."""
    n_embd = config["hidden_size"]
    found = {name: shape for name, shape in decoder(config, qk_norm="head").items() if ".mlp." not in name}
    for i in range(config["num_hidden_layers"]):
        found[f"model.layers.{i}.mlp.gate.weight"] = (n_expert, n_embd)
        found[f"model.layers.{i}.mlp.experts.gate_up_proj"] = (n_expert, 2 * n_ff, n_embd)
        found[f"model.layers.{i}.mlp.experts.down_proj"] = (n_expert, n_embd, n_ff)
    return found
