"""Rules that families share: the parts of a decoder layer under the names that most checkpoints use.

`hf` is where the part stands in the checkpoint ("model.layers.{i}.mlp"), `blk` its layer in the GGUF file.
Source of the target names: llama.cpp of llama-cpp-python 0.3.36, gguf-py/gguf/constants.py, tensor_mapping.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import block_count
from ggufpress.arch.ops import Op, RopePermute, Shape
from ggufpress.arch.spec import Drop, Rule
from ggufpress.errors import ConfigError

BLK = "blk.{i}"
LAYERS = "model.layers.{i}"
MAX_HEAD_DIM = 1 << 16
"""More than any head has; a broken config must not make us compute rotary frequencies without end."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The numbers that most shapes follow from. `head_dim` is that of the config or n_embd / n_head."""

    n_layer: int
    n_embd: int
    n_head: int
    n_head_kv: int
    head_dim: int
    n_ff: int
    n_vocab: int

    @property
    def rows_q(self) -> int:
        """Rows of the query matrix."""
        return self.n_head * self.head_dim

    @property
    def rows_kv(self) -> int:
        """Rows of the key matrix and of the value matrix."""
        return self.n_head_kv * self.head_dim


def sizes(config: Config) -> Sizes:
    """The sizes under their usual keys. Raises ConfigError where one is missing or absurd."""
    n_embd, n_head = config.positive("hidden_size"), config.positive("num_attention_heads", "n_heads")
    head_dim = config.optional_integer("head_dim") or n_embd // n_head
    if head_dim == 0:
        raise ConfigError(f"{config.path}: hidden_size is {n_embd}, fewer than its {n_head} heads")
    if head_dim > MAX_HEAD_DIM:
        raise ConfigError(f"{config.path}: a head has {head_dim} dimensions, at most {MAX_HEAD_DIM} were expected")
    return Sizes(
        n_layer=block_count(config),
        n_embd=n_embd,
        n_head=n_head,
        n_head_kv=config.optional_integer("num_key_value_heads", "n_kv_heads") or n_head,
        head_dim=head_dim,
        n_ff=config.positive("intermediate_size"),
        n_vocab=config.positive("vocab_size"),
    )


def linear(
    target: str, source: str, shape: Shape, ops: tuple[Op, ...] = (), required: bool = True
) -> tuple[Rule, Rule]:
    """The rules of a linear layer or a norm: its weight, and a bias that may be absent."""
    return (
        Rule(f"{target}.weight", f"{source}.weight", ops, shape, required),
        Rule(f"{target}.bias", f"{source}.bias", ops, shape[:1], required=False),
    )


def ends(s: Sizes, prefix: str = "model.") -> tuple[Rule, ...]:
    """Embedding, last norm, and the output matrix that models with tied embeddings lack."""
    return (
        Rule("token_embd.weight", f"{prefix}embed_tokens.weight", shape=(s.n_vocab, s.n_embd)),
        *linear("output_norm", f"{prefix}norm", (s.n_embd,)),
        *linear("output", "lm_head", (s.n_vocab, s.n_embd), required=False),
    )


def attention(s: Sizes, hf: str = f"{LAYERS}.self_attn", permuted: bool = False) -> tuple[Rule, ...]:
    """The four matrices of attention. `permuted`: the rows of q and k go from halves to pairs, head by head."""
    return (
        *linear(f"{BLK}.attn_q", f"{hf}.q_proj", (s.rows_q, s.n_embd), (RopePermute(s.n_head),) if permuted else ()),
        *linear(
            f"{BLK}.attn_k", f"{hf}.k_proj", (s.rows_kv, s.n_embd), (RopePermute(s.n_head_kv),) if permuted else ()
        ),
        *linear(f"{BLK}.attn_v", f"{hf}.v_proj", (s.rows_kv, s.n_embd)),
        *linear(f"{BLK}.attn_output", f"{hf}.o_proj", (s.n_embd, s.rows_q)),
    )


def head_norms(s: Sizes, hf: str = f"{LAYERS}.self_attn") -> tuple[Rule, ...]:
    """The norms of queries and keys, one weight for all heads."""
    return (
        Rule(f"{BLK}.attn_q_norm.weight", f"{hf}.q_norm.weight", shape=(s.head_dim,)),
        Rule(f"{BLK}.attn_k_norm.weight", f"{hf}.k_norm.weight", shape=(s.head_dim,)),
    )


def norms(s: Sizes, hf: str = LAYERS) -> tuple[Rule, ...]:
    """The norms before attention and before the feed-forward."""
    return (
        *linear(f"{BLK}.attn_norm", f"{hf}.input_layernorm", (s.n_embd,)),
        *linear(f"{BLK}.ffn_norm", f"{hf}.post_attention_layernorm", (s.n_embd,)),
    )


def feed_forward(n_embd: int, n_ff: int, hf: str = f"{LAYERS}.mlp", suffix: str = "") -> tuple[Rule, ...]:
    """A gated feed-forward. `suffix` stands in the target names: "_shexp" for shared experts."""
    return (
        *linear(f"{BLK}.ffn_gate{suffix}", f"{hf}.gate_proj", (n_ff, n_embd)),
        *linear(f"{BLK}.ffn_down{suffix}", f"{hf}.down_proj", (n_embd, n_ff)),
        *linear(f"{BLK}.ffn_up{suffix}", f"{hf}.up_proj", (n_ff, n_embd)),
    )


def plain_feed_forward(s: Sizes, hf: str, up: str, down: str) -> tuple[Rule, ...]:
    """A feed-forward without a gate, its matrices called `up` and `down`."""
    return (
        *linear(f"{BLK}.ffn_up", f"{hf}.{up}", (s.n_ff, s.n_embd)),
        *linear(f"{BLK}.ffn_down", f"{hf}.{down}", (s.n_embd, s.n_ff)),
    )


def computed_frequencies(prefix: str = "model.") -> tuple[Drop, ...]:
    """The rotary frequencies that old checkpoints carry, per layer or once."""
    names = ("layers.{i}.self_attn.rotary_emb.inv_freq", "rotary_emb.inv_freq")
    return tuple(Drop(f"{prefix}{name}", "llama.cpp computes the rotary frequencies itself") for name in names)
