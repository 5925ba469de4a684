"""StarCoder and SantaCoder (GPTBigCode) and CodeShell.

How the checkpoint differs from the GGUF layout:

1. q, k and v are one matrix, with one key for all queries (StarCoder) or several (CodeShell); llama.cpp keeps it so.
2. Norms and matrices have biases, the feed-forward has no gate. StarCoder's positions have an embedding, CodeShell rotates.
3. The feed-forward's length is four times the width, whatever n_inner says.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/starcoder.py (StarCoderModel), conversion/codeshell.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, block_count
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.gguf.values import f32, text, u32

NAMES = {"GPTBigCodeForCausalLM": "starcoder", "CodeShellForCausalLM": "codeshell"}
CLASSES = tuple(NAMES)
LAYER = "transformer.h.{i}"

# transformers 4.57.6, models/gpt_bigcode/configuration_gpt_bigcode.py; it has no class for CodeShell
DEFAULTS = {
    "vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12, "n_inner": None,
    "layer_norm_epsilon": 1e-5, "multi_query": True,
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a StarCoder or CodeShell model. Raises ConfigError for a config that does not make sense."""
    config = raw.with_defaults(DEFAULTS) if raw.find("model_type") == "gpt_bigcode" and not raw.plain else raw
    name = NAMES[hf_class]
    n_embd, n_layer, n_head = config.positive("n_embd"), block_count(config), config.positive("n_head")
    n_vocab, context = config.positive("vocab_size"), config.positive("n_positions")
    n_ff = config.optional_integer("n_inner") or 4 * n_embd
    if name == "starcoder":
        n_head_kv = 1 if config.flag("multi_query", True) else n_head
    else:
        n_head_kv = config.positive("num_query_groups")
    rows = n_embd + 2 * n_head_kv * (n_embd // n_head)
    metadata = [
        (f"{name}.context_length", u32(context)),
        (f"{name}.embedding_length", u32(n_embd)),
        (f"{name}.feed_forward_length", u32(4 * n_embd)),
        (f"{name}.block_count", u32(n_layer)),
        (f"{name}.attention.head_count", u32(n_head)),
        (f"{name}.attention.head_count_kv", u32(1 if name == "starcoder" else n_head_kv)),
        (f"{name}.attention.layer_norm_epsilon", f32(config.number("layer_norm_epsilon"))),
        (FILE_TYPE, u32(0)),
    ]
    if name == "codeshell":
        metadata += [
            (f"{name}.rope.freq_base", f32(10000.0)),
            (f"{name}.rope.scaling.type", text("linear")),
            (f"{name}.rope.scaling.factor", f32(1.0)),
        ]
    positions = Rule("position_embd.weight", "transformer.wpe.weight", shape=(context, n_embd))
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="bpe",
        metadata=tuple(metadata),
        rules=(
            Rule("token_embd.weight", "transformer.wte.weight", shape=(n_vocab, n_embd)),
            *((positions,) if name == "starcoder" else ()),
            *linear("output_norm", "transformer.ln_f", (n_embd,)),
            *linear("output", "lm_head", (n_vocab, n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{LAYER}.ln_1", (n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{LAYER}.ln_2", (n_embd,)),
            *linear(f"{BLK}.attn_qkv", f"{LAYER}.attn.c_attn", (rows, n_embd)),
            *linear(f"{BLK}.attn_output", f"{LAYER}.attn.c_proj", (n_embd, n_embd)),
            *linear(f"{BLK}.ffn_up", f"{LAYER}.mlp.c_fc", (n_ff, n_embd)),
            *linear(f"{BLK}.ffn_down", f"{LAYER}.mlp.c_proj", (n_embd, n_ff)),
        ),
        drops=(
            Drop(f"{LAYER}.attn.rotary_emb.inv_freq", "llama.cpp computes the rotary frequencies itself"),
            *(
                Drop(f"{LAYER}.attn.{name}", "the causal mask, which llama.cpp knows")
                for name in ("bias", "masked_bias")
            ),
        ),
    )
