"""PLaMo 1, 2 and 3.

How the checkpoint differs from the GGUF layout:

1. PLaMo 1 (13B) shares keys and values among heads by turns: the query rows of a head, and the output's columns, are
   sorted so that those that share come together. llama.cpp's converter takes no other sizes, and writes 5 key/value heads.
2. PLaMo 2 has Mamba layers and attention layers by turns (mamba_step); numbers of heads become lists with 0 for Mamba.
   Decay rates become minus exponentials, one per head; kernels of convolutions lose their middle axis.
3. Norms are stored as the difference from 1, from 1/5 behind the mixer, from 5^-1.5 behind the feed-forward.
4. Some norms of PLaMo 2 have no `.weight` in their names, there or here.
5. PLaMo 3 has a window in some layers; its YaRN scaling stands in keys of its own.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/plamo.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, block_count, decoder_metadata
from ggufpress.arch.experts import in_layers
from ggufpress.arch.gather import Regroup, Reshape
from ggufpress.arch.layers import BLK, Sizes, attention, computed_frequencies, ends, feed_forward, linear, sizes
from ggufpress.arch.ops import Add, NegExp, SwapColumns
from ggufpress.arch.rope import rope_parameters
from ggufpress.arch.spec import Arch, Rule
from ggufpress.arch.windows import flags
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, ValueType, array, f32, u32

CLASSES = (
    "PlamoForCausalLM", "Plamo2ForCausalLM", "PLaMo2ForCausalLM", "Plamo3ForCausalLM", "PLaMo3ForCausalLM",
)  # fmt: skip
HF = "model.layers.layers.{i}"
MIXER = f"{HF}.mixer"
SHARED, N_KEYS, HEAD_DIM, N_EMBD = 8, 5, 128, 5120
"""PLaMo 13B: heads that share a key, keys, dimensions of a head and of the embedding."""


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a PLaMo model. Raises ConfigError for a config that does not make sense."""
    if hf_class == "PlamoForCausalLM":
        return _plamo1(config, hf_class)
    return _plamo2(config, hf_class) if "2" in hf_class else _plamo3(config, hf_class)


def _plamo1(config: Config, hf_class: str) -> Arch:
    s = sizes(config.without("num_key_value_heads").replace(num_key_value_heads=N_KEYS))
    if (s.n_embd, s.head_dim) != (N_EMBD, HEAD_DIM):
        raise UnsupportedError(f"{config.path}: hidden_size is {s.n_embd}, llama.cpp's PLaMo is {N_EMBD} wide")
    queries = Regroup(SHARED, tuple((i * HEAD_DIM, (i + 1) * HEAD_DIM) for i in range(N_KEYS)))
    hf = "model.layers.layers.{i}"
    metadata: list[tuple[str, Value]] = [
        ("plamo.context_length", u32(4096)),
        ("plamo.embedding_length", u32(s.n_embd)),
        ("plamo.feed_forward_length", u32(s.n_ff)),
        ("plamo.block_count", u32(s.n_layer)),
        ("plamo.attention.head_count", u32(s.n_head)),
        ("plamo.attention.head_count_kv", u32(N_KEYS)),
        ("plamo.attention.layer_norm_rms_epsilon", f32(config.number("rms_norm_eps"))),
        (FILE_TYPE, u32(0)),
    ]
    swap = (SwapColumns(SHARED, N_KEYS),)
    shape = (N_EMBD, N_EMBD)
    return Arch(
        name="plamo",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="spm",
        metadata=tuple(metadata),
        rules=(
            *ends(s),
            *linear(f"{BLK}.attn_norm", f"{hf}.norm", (s.n_embd,)),
            Rule(f"{BLK}.attn_q.weight", f"{hf}.self_attn.q_proj.weight", shape=shape, gather=queries),
            *[
                rule
                for rule in attention(s, f"{hf}.self_attn")
                if rule.target.startswith((f"{BLK}.attn_k", f"{BLK}.attn_v"))
            ],
            Rule(f"{BLK}.attn_output.weight", f"{hf}.self_attn.o_proj.weight", swap, shape),
            *feed_forward(s.n_embd, s.n_ff, f"{hf}.mlp"),
        ),
        drops=computed_frequencies("model.layers."),
    )


def _plamo2(config: Config, hf_class: str) -> Arch:
    n_layer, n_embd = block_count(config), config.with_defaults({"hidden_size": 4096}).positive("hidden_size")
    full = config.with_defaults({
        "num_key_value_heads": 4, "num_attention_heads": 32, "hidden_size_per_head": 128, "mamba_d_state": 64,
        "mamba_d_conv": 4, "mamba_num_heads": 64, "intermediate_size": 13312, "mamba_step": 2,
    })  # fmt: skip
    n_head, n_head_kv = full.positive("num_attention_heads"), full.positive("num_key_value_heads")
    head_dim, n_ff, n_vocab = (full.positive(k) for k in ("hidden_size_per_head", "intermediate_size", "vocab_size"))
    mamba = mamba_layers(full, n_layer)
    attending = tuple(i for i in range(n_layer) if i not in mamba)
    return Arch(
        name="plamo2",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="plamo",
        metadata=tuple(_plamo2_metadata(full, n_layer, n_embd, attending)),
        rules=(
            *_ends(n_vocab, n_embd),
            Rule(f"{BLK}.attn_norm.weight", f"{HF}.pre_mixer_norm.weight", (Add(1.0),), (n_embd,)),
            Rule(f"{BLK}.post_attention_norm", f"{HF}.post_mixer_norm.weight", (Add(1.0 / 5),), (n_embd,)),
            Rule(f"{BLK}.ffn_norm.weight", f"{HF}.pre_mlp_norm.weight", (Add(1.0),), (n_embd,)),
            Rule(f"{BLK}.post_ffw_norm", f"{HF}.post_mlp_norm.weight", (Add(1.0 / (5**1.5)),), (n_embd,)),
            *_feed_forward(n_embd, n_ff),
            *in_layers(mamba, *_mixer(full, n_embd)),
            *in_layers(
                attending,
                *linear(f"{BLK}.attn_qkv", f"{MIXER}.qkv_proj", ((n_head + 2 * n_head_kv) * head_dim, n_embd)),
                *linear(f"{BLK}.attn_output", f"{MIXER}.o_proj", (n_embd, n_head * head_dim)),
                Rule(f"{BLK}.attn_q_norm.weight", f"{MIXER}.q_weight", shape=(n_head, head_dim)),
                Rule(f"{BLK}.attn_k_norm.weight", f"{MIXER}.k_weight", shape=(n_head_kv, head_dim)),
            ),
        ),
    )


def mamba_layers(config: Config, n_layer: int) -> tuple[int, ...]:
    """The layers of PLaMo 2 that have no attention (2)."""
    if not config.flag("mamba_enabled", default=True):
        return ()
    step = config.positive("mamba_step")
    if n_layer <= step // 2:
        return tuple(range(n_layer - 1))
    return tuple(i for i in range(n_layer) if i % step != step // 2)


def _plamo2_metadata(config: Config, n_layer: int, n_embd: int, attending: tuple[int, ...]) -> list[tuple[str, Value]]:
    head_dim, n_ssm = config.positive("hidden_size_per_head"), config.positive("mamba_num_heads")
    epsilon = config.with_defaults({"rms_norm_eps": 1e-6}).number("rms_norm_eps")
    theta = rope_parameters(config).with_defaults({"rope_theta": 10000}).number("rope_theta")
    context = config.with_defaults({"max_position_embeddings": 2048}).integer("max_position_embeddings")
    heads = [
        (f"plamo2.attention.{key}", array(ValueType.INT32, (n if i in attending else 0 for i in range(n_layer))))
        for key, n in (
            ("head_count_kv", config.positive("num_key_value_heads")),
            ("head_count", config.positive("num_attention_heads")),
        )
    ]
    return [
        ("plamo2.vocab_size", u32(config.positive("vocab_size"))),
        *(heads if config.flag("mamba_enabled", default=True) else ()),
        ("plamo2.context_length", u32(context)),
        ("plamo2.embedding_length", u32(n_embd)),
        ("plamo2.attention.key_length", u32(head_dim)),
        ("plamo2.attention.value_length", u32(head_dim)),
        ("plamo2.block_count", u32(n_layer)),
        ("plamo2.attention.layer_norm_rms_epsilon", f32(epsilon)),
        ("plamo2.rope.freq_base", f32(theta)),
        ("plamo2.ssm.state_size", u32(config.positive("mamba_d_state"))),
        ("plamo2.ssm.conv_kernel", u32(config.positive("mamba_d_conv"))),
        ("plamo2.ssm.time_step_rank", u32(n_ssm)),
        ("plamo2.ssm.inner_size", u32(n_ssm * head_dim)),
        ("plamo2.ssm.group_count", u32(0)),
        ("plamo2.feed_forward_length", u32(config.positive("intermediate_size"))),
        (FILE_TYPE, u32(0)),
    ]


def _ends(n_vocab: int, n_embd: int) -> tuple[Rule, ...]:
    return (
        Rule("token_embd.weight", "model.embed_tokens.weight", shape=(n_vocab, n_embd)),
        Rule("output_norm.weight", "model.norm.weight", (Add(1.0),), (n_embd,)),
        Rule("output.weight", "lm_head.weight", shape=(n_vocab, n_embd), required=False),
    )


def _feed_forward(n_embd: int, n_ff: int) -> tuple[Rule, ...]:
    """Gate and up are one matrix, there and here."""
    return (
        *linear(f"{BLK}.ffn_up", f"{HF}.mlp.gate_up_proj", (2 * n_ff, n_embd)),
        *linear(f"{BLK}.ffn_down", f"{HF}.mlp.down_proj", (n_embd, n_ff)),
    )


def _mixer(config: Config, n_embd: int) -> tuple[Rule, ...]:
    """A Mamba layer (2): B, C and time steps come from one matrix and pass through norms (4)."""
    n_head, head_dim = config.positive("mamba_num_heads"), config.positive("hidden_size_per_head")
    inner, state, kernel = n_head * head_dim, config.positive("mamba_d_state"), config.positive("mamba_d_conv")
    return (
        *linear(f"{BLK}.ssm_in", f"{MIXER}.in_proj", (2 * inner, n_embd)),
        Rule(
            f"{BLK}.ssm_conv1d.weight", f"{MIXER}.conv1d.weight", shape=(inner, kernel), gather=Reshape((inner, kernel))
        ),
        *linear(f"{BLK}.ssm_x", f"{MIXER}.bcdt_proj", (2 * state + max(64, n_embd // 16), inner)),
        Rule(f"{BLK}.ssm_dt.weight", f"{MIXER}.dt_proj.weight", shape=(n_head, max(64, n_embd // 16))),
        Rule(f"{BLK}.ssm_dt.bias", f"{MIXER}.dt_bias", shape=(n_head,)),
        Rule(f"{BLK}.ssm_dt_norm", f"{MIXER}.dt_norm_weight", shape=(max(64, n_embd // 16),)),
        Rule(f"{BLK}.ssm_b_norm", f"{MIXER}.B_norm_weight", shape=(state,)),
        Rule(f"{BLK}.ssm_c_norm", f"{MIXER}.C_norm_weight", shape=(state,)),
        Rule(f"{BLK}.ssm_a", f"{MIXER}.A_log", (NegExp(),), (n_head,)),
        Rule(f"{BLK}.ssm_d", f"{MIXER}.D", shape=(n_head,)),
        *linear(f"{BLK}.ssm_out", f"{MIXER}.out_proj", (n_embd, inner)),
    )


def _plamo3(raw: Config, hf_class: str) -> Arch:
    config = raw
    factor = raw.with_defaults({"rope_scaling_factor": 1}).number("rope_scaling_factor")
    rope = rope_parameters(raw)
    if factor != 1 and "rope_type" not in rope.values:
        yarn = {
            "rope_type": "yarn", "factor": float(factor), "beta_fast": 32.0, "beta_slow": 1.0,
            "original_max_position_embeddings": raw.integer("initial_context_length"),
        }  # fmt: skip
        config = raw.replace(rope_parameters={**rope.values, **yarn})
    s: Sizes = sizes(config)
    metadata = decoder_metadata(config, "plamo3")
    metadata.append(("plamo3.vocab_size", u32(s.n_vocab)))
    if (window := config.optional_integer("window_size", "sliding_window")) is not None:
        metadata.append(("plamo3.attention.sliding_window", u32(window)))
        metadata.append(("plamo3.attention.sliding_window_pattern", _window_pattern(config)))
    return Arch(
        name="plamo3",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="plamo3",
        metadata=tuple(metadata),
        rules=(
            *_ends(s.n_vocab, s.n_embd),
            Rule(f"{BLK}.attn_norm.weight", f"{HF}.pre_mixer_norm.weight", (Add(1.0),), (s.n_embd,)),
            Rule(f"{BLK}.post_attention_norm", f"{HF}.post_mixer_norm.weight", (Add(1.0 / 5),), (s.n_embd,)),
            Rule(f"{BLK}.ffn_norm.weight", f"{HF}.pre_mlp_norm.weight", (Add(1.0),), (s.n_embd,)),
            Rule(f"{BLK}.post_ffw_norm", f"{HF}.post_mlp_norm.weight", (Add(1.0 / (5**1.5)),), (s.n_embd,)),
            *linear(f"{BLK}.attn_qkv", f"{MIXER}.qkv_proj", (s.rows_q + 2 * s.rows_kv, s.n_embd)),
            *linear(f"{BLK}.attn_output", f"{MIXER}.o_proj", (s.n_embd, s.rows_q)),
            Rule(f"{BLK}.attn_q_norm.weight", f"{MIXER}.q_norm.weight", (Add(1.0),), (s.head_dim,)),
            Rule(f"{BLK}.attn_k_norm.weight", f"{MIXER}.k_norm.weight", (Add(1.0),), (s.head_dim,)),
            *_feed_forward(s.n_embd, s.n_ff),
        ),
    )


def _window_pattern(config: Config) -> Value:
    """The period of layers without a window, or a flag per layer."""
    pattern = config.find("sliding_window_pattern")
    if isinstance(pattern, list) and all(isinstance(item, bool) for item in pattern):
        return flags(tuple(pattern))
    return u32(config.integer("sliding_window_pattern"))
