"""Names and shapes of the parts of state-space, recurrent and hybrid checkpoints."""

from __future__ import annotations

from typing import Any

from tests.tiny.decoders import Shapes, feed_forward, linear, norm
from tests.tiny.mixtures import experts

GATED = "gate_proj up_proj down_proj"


def mamba(hf: str, n_embd: int, inner: int, state: int, rank: int, kernel: int = 4) -> Shapes:
    """Mamba's mixer."""
    return {
        f"{hf}.A_log": (inner, state), f"{hf}.D": (inner,), f"{hf}.conv1d.weight": (inner, 1, kernel),
        f"{hf}.conv1d.bias": (inner,), **linear(f"{hf}.in_proj", 2 * inner, n_embd),
        **linear(f"{hf}.x_proj", rank + 2 * state, inner), **linear(f"{hf}.dt_proj", inner, rank, True),
        **linear(f"{hf}.out_proj", n_embd, inner),
    }  # fmt: skip


def mamba2(
    hf: str, n_embd: int, inner: int, state: int, n_head: int, groups: int, *, bias: bool = False, normed: bool = True
) -> Shapes:
    """Mamba 2's mixer."""
    channels = inner + 2 * groups * state
    return {
        f"{hf}.A_log": (n_head,), f"{hf}.D": (n_head,), f"{hf}.dt_bias": (n_head,),
        f"{hf}.conv1d.weight": (channels, 1, 4), f"{hf}.conv1d.bias": (channels,),
        **linear(f"{hf}.in_proj", inner + channels + n_head, n_embd, bias),
        **(norm(f"{hf}.norm", inner) if normed else {}), **linear(f"{hf}.out_proj", n_embd, inner, bias),
    }  # fmt: skip


def attention(hf: str, n_embd: int, rows: int, rows_kv: int, out: str = "o_proj", *, double: bool = False) -> Shapes:
    """q, k, v and what leads back; `double`: the queries hold gates too."""
    return {
        **linear(f"{hf}.q_proj", rows * (2 if double else 1), n_embd), **linear(f"{hf}.k_proj", rows_kv, n_embd),
        **linear(f"{hf}.v_proj", rows_kv, n_embd), **linear(f"{hf}.{out}", n_embd, rows),
    }  # fmt: skip


def ends(n_vocab: int, n_embd: int, embedding: str, last: str, head: str = "", *, bias: bool = False) -> Shapes:
    """Embedding, last norm, output matrix."""
    found = linear(embedding, n_vocab, n_embd) | norm(last, n_embd, bias)
    return found | (linear(head, n_vocab, n_embd) if head else {})


def granite_layer(config: dict[str, Any], i: int, *, attending: bool) -> Shapes:
    """A layer of hybrid Granite."""
    hf, n_embd, n_head = f"model.layers.{i}", config["hidden_size"], config["mamba_n_heads"]
    found = norm(f"{hf}.input_layernorm", n_embd) | norm(f"{hf}.post_attention_layernorm", n_embd)
    if attending:
        found |= attention(f"{hf}.self_attn", n_embd, n_embd, n_embd // 2)
    else:
        found |= mamba2(f"{hf}.mamba", n_embd, 2 * n_embd, config["mamba_d_state"], n_head, config["mamba_n_groups"])
    if n_expert := config.get("num_local_experts"):
        n_ff = config["intermediate_size"]
        found[f"{hf}.block_sparse_moe.input_linear.weight"] = (n_expert, 2 * n_ff, n_embd)
        found[f"{hf}.block_sparse_moe.output_linear.weight"] = (n_expert, n_embd, n_ff)
        found |= linear(f"{hf}.block_sparse_moe.router.layer", n_expert, n_embd)
    n_shared = config["shared_intermediate_size"]
    return found | linear(f"{hf}.shared_mlp.input_linear", 2 * n_shared, n_embd) | linear(
        f"{hf}.shared_mlp.output_linear", n_embd, n_shared
    )  # fmt: skip


def lfm2_layer(hf: str, n_embd: int, n_ff: int, *, attending: bool, n_expert: int = 0, head_dim: int = 8) -> Shapes:
    """A layer of LFM2."""
    found = norm(f"{hf}.operator_norm", n_embd) | norm(f"{hf}.ffn_norm", n_embd)
    if attending:
        found |= attention(f"{hf}.self_attn", n_embd, n_embd, n_embd // 2, "out_proj")
        found |= norm(f"{hf}.self_attn.q_layernorm", head_dim) | norm(f"{hf}.self_attn.k_layernorm", head_dim)
    else:
        found |= linear(f"{hf}.conv.in_proj", 3 * n_embd, n_embd) | linear(f"{hf}.conv.out_proj", n_embd, n_embd)
        found[f"{hf}.conv.conv.weight"] = (n_embd, 1, 3)
    if n_expert:
        found |= linear(f"{hf}.feed_forward.gate", n_expert, n_embd) | {f"{hf}.feed_forward.expert_bias": (n_expert,)}
        return found | experts(f"{hf}.feed_forward.experts", n_expert, n_embd, n_ff, "w1 w3 w2")
    return found | feed_forward(f"{hf}.feed_forward", n_embd, n_ff, "w1 w3 w2")


def delta_layer(config: dict[str, Any], hf: str, *, full: bool, together: bool, stacked: bool = False) -> Shapes:
    """A layer of Qwen3-Next (`together`) or Qwen3.5."""
    n_embd, n_key, n_value = config["hidden_size"], config["linear_num_key_heads"], config["linear_num_value_heads"]
    keys, inner = 2 * n_key * config["linear_key_head_dim"], n_value * config["linear_value_head_dim"]
    found = norm(f"{hf}.input_layernorm", n_embd) | norm(f"{hf}.post_attention_layernorm", n_embd)
    if full:
        head_dim = config["head_dim"]
        found |= attention(f"{hf}.self_attn", n_embd, 4 * head_dim, 2 * head_dim, double=True)
        found |= norm(f"{hf}.self_attn.q_norm", head_dim) | norm(f"{hf}.self_attn.k_norm", head_dim)
    else:
        net = f"{hf}.linear_attn"
        found |= {
            f"{net}.A_log": (n_value,),
            f"{net}.dt_bias": (n_value,),
            f"{net}.conv1d.weight": (keys + inner, 1, 4),
        }
        if together:
            found |= linear(f"{net}.in_proj_qkvz", keys + 2 * inner, n_embd) | linear(
                f"{net}.in_proj_ba", 2 * n_value, n_embd
            )
        else:
            found |= linear(f"{net}.in_proj_qkv", keys + inner, n_embd) | linear(f"{net}.in_proj_z", inner, n_embd)
            found |= linear(f"{net}.in_proj_a", n_value, n_embd) | linear(f"{net}.in_proj_b", n_value, n_embd)
        found |= norm(f"{net}.norm", config["linear_value_head_dim"]) | linear(f"{net}.out_proj", n_embd, inner)
    if not (n_expert := config.get("num_experts")):
        return found | feed_forward(f"{hf}.mlp", n_embd, config["intermediate_size"], GATED)
    n_ff = config["moe_intermediate_size"]
    found |= linear(f"{hf}.mlp.gate", n_expert, n_embd) | linear(f"{hf}.mlp.shared_expert_gate", 1, n_embd)
    found |= feed_forward(f"{hf}.mlp.shared_expert", n_embd, config["shared_expert_intermediate_size"], GATED)
    if stacked:
        both, down = f"{hf}.mlp.experts.gate_up_proj", f"{hf}.mlp.experts.down_proj"
        return found | {both: (n_expert, 2 * n_ff, n_embd), down: (n_expert, n_embd, n_ff)}
    return found | experts(f"{hf}.mlp.experts", n_expert, n_embd, n_ff)


def predicting(hf: str, n_embd: int) -> Shapes:
    """What leads into the layers that predict further tokens."""
    found = linear(f"{hf}.fc", n_embd, 2 * n_embd)
    for name in ("pre_fc_norm_embedding", "pre_fc_norm_hidden", "norm"):
        found |= norm(f"{hf}.{name}", n_embd)
    return found


def rwkv6(n_layer: int, n_embd: int, n_ff: int, n_vocab: int) -> Shapes:
    """RWKV 6."""
    found = ends(n_vocab, n_embd, "rwkv.embeddings", "rwkv.ln_out", "head", bias=True)
    found |= norm("rwkv.blocks.0.pre_ln", n_embd, True)
    for i in range(n_layer):
        hf = f"rwkv.blocks.{i}"
        found |= norm(f"{hf}.ln1", n_embd, True) | norm(f"{hf}.ln2", n_embd, True)
        for part in ("receptance", "key", "value", "gate", "output"):
            found |= linear(f"{hf}.attention.{part}", n_embd, n_embd)
        found |= mixing(f"{hf}.attention", n_embd, 32, 64) | norm(f"{hf}.attention.ln_x", n_embd, True)
        found[f"{hf}.attention.time_faaaa"] = (n_embd // 16, 16)
        found |= {f"{hf}.feed_forward.time_maa_{x}": (1, 1, n_embd) for x in "kr"}
        found |= linear(f"{hf}.feed_forward.key", n_ff, n_embd) | linear(f"{hf}.feed_forward.value", n_embd, n_ff)
        found |= linear(f"{hf}.feed_forward.receptance", n_embd, n_embd)
    return found


def mixing(hf: str, n_embd: int, rank: int, decay: int) -> Shapes:
    """How RWKV 6 mixes a token with the one before it."""
    return {
        f"{hf}.time_decay": (1, 1, n_embd), f"{hf}.time_decay_w1": (n_embd, decay), f"{hf}.time_decay_w2": (decay, n_embd),
        **{f"{hf}.time_maa_{x}": (1, 1, n_embd) for x in "gkrvwx"},
        f"{hf}.time_maa_w1": (n_embd, 5 * rank), f"{hf}.time_maa_w2": (5, rank, n_embd),
    }  # fmt: skip


def rwkv7(hf: str, n_embd: int, mixed: str = "rwkvag", ranks: tuple[int, ...] = (32, 16, 32, 32)) -> Shapes:
    """RWKV 7's time mixing with matrices of its own; `mixed` are the vectors x_*, "x" all in one; `ranks` those of w a v g."""
    found: Shapes = {f"{hf}.{x}": (1, 1, n_embd) for x in ("k_k", "k_a", "w0", "a0", "v0")}
    found |= {f"{hf}.r_k": (n_embd // 16, 16)}
    for x, rank in zip("wavg", ranks, strict=True):
        if x != "g" or "g" in mixed or mixed == "x":
            found |= {f"{hf}.{x}1": (n_embd, rank), f"{hf}.{x}2": (rank, n_embd)}
    found |= {f"{hf}.x_x": (6, n_embd)} if mixed == "x" else {f"{hf}.x_{x}": (1, 1, n_embd) for x in mixed}
    for part in ("receptance", "key", "value", "output"):
        found |= linear(f"{hf}.{part}", n_embd, n_embd)
    return found


def behind_lfm(shapes: Shapes) -> Shapes:
    """The same tensors as LFM2's audio models have them."""
    return {name.replace("model.", "lfm.", 1): shape for name, shape in shapes.items()}
