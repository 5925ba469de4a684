"""GPT-2 and ruGPT-3 XL.

How the checkpoint differs from the GGUF layout:

1. Matrices are stored transposed (Conv1D): their rows are inputs.
2. Positions have an embedding. The output matrix is the token embedding.
3. Checkpoints of the bare GPT2Model have no `transformer.` prefix.
4. ruGPT-3 XL has names of its own, matrices that are not transposed, and q, k and v apart; GGUF has them as one.
5. The config must say n_ctx; transformers' class has no default for it, and llama.cpp's converter wants it.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/gpt2.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, block_count, decoder_metadata
from ggufpress.arch.gather import Reshape, Transpose
from ggufpress.arch.layers import BLK, LAYERS, ends, linear, norms, plain_feed_forward, sizes
from ggufpress.arch.spec import EXPERT, Arch, Drop, Rule
from ggufpress.gguf.values import f32, u32

CLASSES = ("GPT2LMHeadModel", "RuGPT3XLForCausalLM")
LAYER = "h.{i}"

# transformers 4.57.6, models/gpt2/configuration_gpt2.py
DEFAULTS = {
    "vocab_size": 50257,
    "n_positions": 1024,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "layer_norm_epsilon": 1e-5,
}


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a GPT-2 model. Raises ConfigError for a config that does not make sense."""
    if hf_class == "RuGPT3XLForCausalLM":
        return _rugpt3xl(raw, hf_class)
    config = raw.with_defaults(DEFAULTS) if raw.find("model_type") == "gpt2" else raw
    n_embd, n_layer, n_vocab = config.positive("n_embd"), block_count(config), config.positive("vocab_size")
    return Arch(
        name="gpt2",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="bpe",
        metadata=(
            ("gpt2.block_count", u32(n_layer)),
            ("gpt2.context_length", u32(config.integer("n_ctx"))),
            ("gpt2.embedding_length", u32(n_embd)),
            ("gpt2.feed_forward_length", u32(4 * n_embd)),
            ("gpt2.attention.head_count", u32(config.positive("n_head"))),
            ("gpt2.attention.layer_norm_epsilon", f32(config.number("layer_norm_epsilon"))),
            (FILE_TYPE, u32(0)),
        ),
        rules=(
            Rule("token_embd.weight", "wte.weight", shape=(n_vocab, n_embd)),
            Rule("position_embd.weight", "wpe.weight", shape=(config.positive("n_positions"), n_embd)),
            *linear("output_norm", "ln_f", (n_embd,)),
            *linear("output", "lm_head", (n_vocab, n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{LAYER}.ln_1", (n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{LAYER}.ln_2", (n_embd,)),
            *_transposed("attn_qkv", "attn.c_attn", 3 * n_embd, n_embd),
            *_transposed("attn_output", "attn.c_proj", n_embd, n_embd),
            *_transposed("ffn_up", "mlp.c_fc", config.optional_integer("n_inner") or 4 * n_embd, n_embd),
            *_transposed("ffn_down", "mlp.c_proj", n_embd, config.optional_integer("n_inner") or 4 * n_embd),
        ),
        drops=tuple(
            Drop(f"{LAYER}.attn.{name}", "the causal mask, which llama.cpp knows") for name in ("bias", "masked_bias")
        ),
        prefixes=(("transformer.", ""),),
    )


def _rugpt3xl(config: Config, hf_class: str) -> Arch:
    s = sizes(config)
    hf = f"{LAYERS}.self_attn"
    return Arch(
        name="gpt2",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(decoder_metadata(config, "gpt2")),
        rules=(
            *ends(s),
            Rule("position_embd.weight", "model.embed_positions.weight", shape=(_positions(config), s.n_embd)),
            *norms(s),
            *(
                Rule(f"{BLK}.attn_qkv.{end}", f"{hf}.{EXPERT}_proj.{end}", (), (3 * s.n_embd, *shape), end == "weight",
                     gather=Reshape((3 * s.n_embd, *shape)), stack=("q", "k", "v"))
                for end, shape in (("weight", (s.n_embd,)), ("bias", ()))
            ),
            *linear(f"{BLK}.attn_output", f"{hf}.o_proj", (s.n_embd, s.n_embd)),
            *plain_feed_forward(s, f"{LAYERS}.mlp", "up_proj", "down_proj"),
        ),
    )  # fmt: skip


def _positions(config: Config) -> int:
    return config.positive("max_position_embeddings", "n_ctx", "n_positions")


def _transposed(target: str, source: str, rows: int, cols: int) -> tuple[Rule, Rule]:
    hf, blk = f"{LAYER}.{source}", f"{BLK}.{target}"
    return (
        Rule(f"{blk}.weight", f"{hf}.weight", shape=(rows, cols), gather=Transpose()),
        Rule(f"{blk}.bias", f"{hf}.bias", shape=(rows,), required=False),
    )
