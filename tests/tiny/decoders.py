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


def renamed(shapes: Shapes, names: dict[str, str]) -> Shapes:
    """The same shapes, the first part of `names` that a name holds replaced."""
    found: Shapes = {}
    for name, shape in shapes.items():
        for old, new in names.items():
            name = name.replace(old, new)  # noqa: PLW2901
        found[name] = shape
    return found


def phi2(config: dict[str, Any]) -> Shapes:
    """A decoder under Phi-2's names."""
    shapes = decoder(config, qkv_bias=True, o_bias=True, mlp_bias=True, norm_bias=True, head_bias=True, mlp="fc1 fc2",
                     norms="input_layernorm", last_norm="final_layernorm")  # fmt: skip
    return renamed(shapes, {"o_proj": "dense"})


def exaone(config: dict[str, Any]) -> Shapes:
    """A decoder under EXAONE 3's names."""
    return renamed(decoder(config), {
        "model.": "transformer.", "layers": "h", "embed_tokens": "wte", "transformer.norm": "transformer.ln_f",
        "input_layernorm": "ln_1", "post_attention_layernorm": "ln_2", "self_attn.o_proj": "self_attn.out_proj",
        "self_attn": "attn.attention", "gate_proj": "c_fc_0", "up_proj": "c_fc_1", "down_proj": "c_proj",
    })  # fmt: skip


def gpt2(n_embd: int, n_layer: int, n_vocab: int, n_ctx: int) -> Shapes:
    """GPT-2, matrices with their inputs as rows."""
    found: Shapes = {"transformer.wte.weight": (n_vocab, n_embd), "transformer.wpe.weight": (n_ctx, n_embd)}
    for i in range(n_layer):
        layer = f"transformer.h.{i}"
        found |= norm(f"{layer}.ln_1", n_embd, True) | norm(f"{layer}.ln_2", n_embd, True)
        for name, rows, cols in (
            ("attn.c_attn", 3, 1),
            ("attn.c_proj", 1, 1),
            ("mlp.c_fc", 4, 1),
            ("mlp.c_proj", 1, 4),
        ):
            found[f"{layer}.{name}.weight"] = (cols * n_embd, rows * n_embd)
            found[f"{layer}.{name}.bias"] = (rows * n_embd,)
    return found | norm("transformer.ln_f", n_embd, True)


def bloom(n_embd: int, n_layer: int, n_vocab: int, prefix: str = "transformer.") -> Shapes:
    """Bloom."""
    found = linear(f"{prefix}word_embeddings", n_vocab, n_embd) | norm(
        f"{prefix}word_embeddings_layernorm", n_embd, True
    )
    for i in range(n_layer):
        layer = f"{prefix}h.{i}"
        found |= norm(f"{layer}.input_layernorm", n_embd, True) | norm(
            f"{layer}.post_attention_layernorm", n_embd, True
        )
        found |= linear(f"{layer}.self_attention.query_key_value", 3 * n_embd, n_embd, True)
        found |= linear(f"{layer}.self_attention.dense", n_embd, n_embd, True)
        found |= linear(f"{layer}.mlp.dense_h_to_4h", 4 * n_embd, n_embd, True)
        found |= linear(f"{layer}.mlp.dense_4h_to_h", n_embd, 4 * n_embd, True)
    return found | norm(f"{prefix}ln_f", n_embd, True)


def falcon(n_embd: int, n_layer: int, n_vocab: int, rows: int, norms: str) -> Shapes:
    """Falcon; `rows` are those of query_key_value."""
    found = linear("transformer.word_embeddings", n_vocab, n_embd)
    for i in range(n_layer):
        layer = f"transformer.h.{i}"
        for name in norms.split():
            found |= norm(f"{layer}.{name}", n_embd, True)
        found |= linear(f"{layer}.self_attention.query_key_value", rows, n_embd)
        found |= linear(f"{layer}.self_attention.dense", n_embd, n_embd)
        found |= linear(f"{layer}.mlp.dense_h_to_4h", 4 * n_embd, n_embd)
        found |= linear(f"{layer}.mlp.dense_4h_to_h", n_embd, 4 * n_embd)
    return found | norm("transformer.ln_f", n_embd, True)
