"""HRM-Text.

How the checkpoint differs from the GGUF layout:

1. Two stacks of layers, L and H, stand one behind the other in GGUF. llama.cpp goes through them several times, and its
   number of layers counts each time.
2. gate, q, k and v of attention are one matrix, in this order; gate and up of the feed-forward another. GGUF has them apart.
3. The state that L starts from is a tensor without norm or suffix. There are no norm weights.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/hrm_text.py. transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import MAX_LAYERS, decoder_metadata
from ggufpress.arch.gather import Regroup
from ggufpress.arch.layers import Sizes, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import f32, flag, u32

CLASSES = ("HrmTextForCausalLM",)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of an HRM-Text model. Raises ConfigError for a config that does not make sense."""
    per_stack = config.optional_integer("num_layers_per_stack") or config.positive("num_hidden_layers")
    high, low = config.positive("H_cycles"), config.positive("L_cycles")
    n_layer = per_stack * high * (low + 1)
    if max(n_layer, 2 * per_stack) > MAX_LAYERS:
        raise config.wrong(("H_cycles",), f"at most {MAX_LAYERS} layers in all")
    config = config.replace(n_layers=n_layer)
    s = sizes(config)
    rules = [
        Rule("token_embd.weight", "model.embed_tokens.weight", shape=(s.n_vocab, s.n_embd)),
        Rule("output.weight", "lm_head.weight", (), (s.n_vocab, s.n_embd), False),
        Rule("hrm.z_l_init", "model.z_L_init"),
    ]
    for i in range(2 * per_stack):
        stack, place = ("L", i) if i < per_stack else ("H", i - per_stack)
        rules += _layer(s, f"blk.{i}", f"model.{stack}_module.layers.{place}")
    return Arch(
        name="hrm_text",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(
            *decoder_metadata(config, "hrm_text"),
            ("hrm_text.rope.dimension_count", u32(s.head_dim)),
            ("hrm_text.embedding_scale", f32(config.number("embedding_scale"))),
            ("hrm_text.hrm.layers_per_stack", u32(per_stack)),
            ("hrm_text.hrm.h_cycles", u32(high)),
            ("hrm_text.hrm.l_cycles", u32(low)),
            ("hrm_text.hrm.prefix_lm", flag(config.flag("prefix_lm", False))),
        ),
        rules=tuple(rules),
    )


def _layer(s: Sizes, blk: str, hf: str) -> tuple[Rule, ...]:
    return (
        *_parts(blk, f"{hf}.attn.gqkv_proj.weight", ("attn_gate", "attn_q", "attn_k", "attn_v"), s.rows_q, s.n_embd),
        Rule(f"{blk}.attn_output.weight", f"{hf}.attn.o_proj.weight", shape=(s.n_embd, s.rows_q)),
        *_parts(blk, f"{hf}.mlp.gate_up_proj.weight", ("ffn_gate", "ffn_up"), s.n_ff, s.n_embd),
        Rule(f"{blk}.ffn_down.weight", f"{hf}.mlp.down_proj.weight", shape=(s.n_embd, s.n_ff)),
    )


def _parts(blk: str, source: str, targets: tuple[str, ...], rows: int, cols: int) -> tuple[Rule, ...]:
    edges = pairwise(accumulate([rows] * len(targets), initial=0))
    return tuple(
        Rule(f"{blk}.{target}.weight", source, (), (rows, cols), gather=Regroup(1, (edge,)))
        for target, edge in zip(targets, edges, strict=True)
    )
