"""DBRX.

How the checkpoint differs from the GGUF layout:

1. Queries, keys and values are one matrix in both.
2. The experts of a layer are stored one below the other in one matrix each for w1 (gate), v1 (up) and w2 (down), without
   `.weight`; w2 is transposed.
3. The router is stored as other matrices are, not as F32.
4. The base epsilon of the norms is always 1e-5.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/dbrx.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import FILE_TYPE, block_count
from ggufpress.arch.gather import Reshape, Then, Transpose
from ggufpress.arch.layers import BLK
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import f32, u32

CLASSES = ("DbrxForCausalLM",)


def _sections(config: Config) -> Config:
    attention, experts = (config.find(name) for name in ("attn_config", "ffn_config"))
    return config.replace(
        attn_config={"kv_n_heads": 1, "rope_theta": 10000.0} | (attention if isinstance(attention, dict) else {}),
        ffn_config={"ffn_hidden_size": 3584, "moe_num_experts": 4, "moe_top_k": 1}
        | (experts if isinstance(experts, dict) else {}),
    )


# transformers 4.57.6, models/dbrx/configuration_dbrx.py
CONFIG_CLASSES = {
    "dbrx": ConfigClass({
        "d_model": 2048, "n_heads": 16, "n_layers": 24, "max_seq_len": 2048, "vocab_size": 32000,
    }, refuses=takes_any_rope, fills_kv_heads=False, derives=_sections),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a DBRX model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    attention, experts = config.section("attn_config"), config.section("ffn_config")
    if attention is None or experts is None:
        raise config.wrong(("attn_config",) if attention is None else ("ffn_config",), "an object")
    n_layer, n_embd, n_vocab = block_count(config), config.positive("d_model"), config.positive("vocab_size")
    n_head, n_head_kv = config.positive("n_heads"), attention.positive("kv_n_heads")
    n_ff, n_expert = experts.positive("ffn_hidden_size"), experts.positive("moe_num_experts")
    hf, stack = "transformer.blocks.{i}", (n_expert, n_ff, n_embd)
    rows = n_embd + 2 * n_head_kv * (n_embd // n_head)
    return Arch(
        name="dbrx",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=n_vocab,
        vocab="bpe",
        metadata=(
            ("dbrx.block_count", u32(n_layer)),
            ("dbrx.context_length", u32(config.integer("max_seq_len"))),
            ("dbrx.embedding_length", u32(n_embd)),
            ("dbrx.feed_forward_length", u32(n_ff)),
            ("dbrx.attention.head_count", u32(n_head)),
            ("dbrx.attention.head_count_kv", u32(n_head_kv)),
            ("dbrx.rope.freq_base", f32(attention.number("rope_theta"))),
            ("dbrx.attention.clamp_kqv", f32(attention.number("clip_qkv"))),
            ("dbrx.expert_count", u32(n_expert)),
            ("dbrx.expert_used_count", u32(experts.integer("moe_top_k"))),
            ("dbrx.attention.layer_norm_epsilon", f32(1e-5)),
            (FILE_TYPE, u32(0)),
        ),
        rules=(
            Rule("token_embd.weight", "transformer.wte.weight", shape=(n_vocab, n_embd)),
            Rule("output_norm.weight", "transformer.norm_f.weight", shape=(n_embd,)),
            Rule("output.weight", "lm_head.weight", shape=(n_vocab, n_embd), required=False),
            Rule(f"{BLK}.attn_norm.weight", f"{hf}.norm_attn_norm.norm_1.weight", shape=(n_embd,)),
            Rule(f"{BLK}.attn_output_norm.weight", f"{hf}.norm_attn_norm.norm_2.weight", shape=(n_embd,)),
            Rule(f"{BLK}.attn_qkv.weight", f"{hf}.norm_attn_norm.attn.Wqkv.weight", shape=(rows, n_embd)),
            Rule(f"{BLK}.attn_output.weight", f"{hf}.norm_attn_norm.attn.out_proj.weight", shape=(n_embd, n_embd)),
            Rule(f"{BLK}.ffn_gate_inp.weight", f"{hf}.ffn.router.layer.weight", shape=(n_expert, n_embd), as_f32=False),
            Rule(f"{BLK}.ffn_gate_exps.weight", f"{hf}.ffn.experts.mlp.w1", gather=Reshape(stack)),
            Rule(f"{BLK}.ffn_up_exps.weight", f"{hf}.ffn.experts.mlp.v1", gather=Reshape(stack)),
            Rule(f"{BLK}.ffn_down_exps.weight", f"{hf}.ffn.experts.mlp.w2", gather=Then(Reshape(stack), Transpose())),
        ),
    )
