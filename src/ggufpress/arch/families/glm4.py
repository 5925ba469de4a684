"""GLM-4 0414, GLM-Z1 and the language models of GLM-4V and GLM-OCR.

How the checkpoint differs from the GGUF layout:

1. gate and up are one matrix; llama.cpp keeps it so. Norms stand around attention and feed-forward.
2. Half of each head is rotated, in pairs of neighbours, as llama.cpp does it.
3. With M-RoPE llama.cpp rotates halves instead: the rotated rows of q and k go from pairs to halves.
4. GLM-OCR has layers behind the last that predict further tokens; they are written too.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/glm.py (Glm4Model, GlmOCRModel).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.later_layers import prediction
from ggufpress.arch.layers import BLK, LAYERS, Sizes, ends, linear, sizes
from ggufpress.arch.ops import Array, Mover, Op, Shape
from ggufpress.arch.rope import rotary_share
from ggufpress.arch.spec import Arch, Rule
from ggufpress.errors import MappingError
from ggufpress.gguf.values import u32

CLASSES = ("Glm4ForCausalLM", "Glm4vForConditionalGeneration", "GlmOcrForConditionalGeneration")

# transformers 4.57.6, models/{glm4,glm4v}/configuration_*.py
CONFIG_CLASSES = {
    "glm4": ConfigClass({
        "vocab_size": 151552, "hidden_size": 4096, "intermediate_size": 13696, "num_hidden_layers": 40,
        "num_attention_heads": 32, "num_key_value_heads": 2, "head_dim": 128, "max_position_embeddings": 131072,
        "rms_norm_eps": 1.5625e-07, "rope_theta": 10000.0, "partial_rotary_factor": 0.5,
    }, refuses=takes_any_rope, renames_type=False, fills_kv_heads=False),
    "glm4v_text": ConfigClass(MODERN | {
        "vocab_size": 151552, "hidden_size": 4096, "intermediate_size": 13696, "num_hidden_layers": 40,
        "num_attention_heads": 32, "num_key_value_heads": 2, "max_position_embeddings": 32768, "rms_norm_eps": 1e-5,
    }),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PairsToHalves(Mover):
    """The first `rotated` rows of each head from pairs to two halves: a0 b0 a1 b1 c -> a0 a1 b0 b1 c.

    shapes: (heads * head_dim, ...) -> the same. Exact: values only move.
    """

    head_dim: int
    rotated: int

    def out_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        if not shape or shape[0] % self.head_dim or not 0 <= self.rotated <= self.head_dim or self.rotated % 2:
            raise MappingError(
                f"{shape[0] if shape else 0} rows are no heads of {self.head_dim} with {self.rotated} rotated"
            )
        return shape

    def period(self, shape: Shape) -> int:
        """One head."""
        return self.head_dim

    def apply(self, rows: Array, period: int) -> Array:
        """The rows of whole heads in llama.cpp's order."""
        return rows.reshape(-1, period, *rows.shape[1:])[:, self._order()].reshape(rows.shape)

    def inverse(self) -> HalvesToPairs:
        """Halves to pairs."""
        return HalvesToPairs(self.head_dim, self.rotated)

    def _order(self) -> Array:
        order = np.arange(self.head_dim)
        order[: self.rotated] = order[: self.rotated].reshape(-1, 2).T.ravel()
        return order

    def __str__(self) -> str:
        return f"pairs-to-halves({self.rotated} of {self.head_dim})"


@dataclass(frozen=True, slots=True)
class HalvesToPairs(Mover):
    """Undoes PairsToHalves."""

    head_dim: int
    rotated: int

    def out_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        return PairsToHalves(self.head_dim, self.rotated).out_shape(shape)

    def period(self, shape: Shape) -> int:
        """One head."""
        return self.head_dim

    def apply(self, rows: Array, period: int) -> Array:
        """The rows of whole heads in Hugging Face's order."""
        order = np.arange(period)
        order[: self.rotated] = order[: self.rotated].reshape(2, -1).T.ravel()
        return rows.reshape(-1, period, *rows.shape[1:])[:, order].reshape(rows.shape)

    def inverse(self) -> PairsToHalves:
        """Pairs to halves."""
        return PairsToHalves(self.head_dim, self.rotated)

    def __str__(self) -> str:
        return f"halves-to-pairs({self.rotated} of {self.head_dim})"


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a GLM-4 model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    more = (config.optional_integer("num_nextn_predict_layers") or 0) if hf_class.startswith("GlmOcr") else 0
    s = sizes(config)
    n_layer = s.n_layer + more
    share = rotary_share(config)
    rotated = int(s.head_dim * (0.5 if share is None else share))
    rope = config.section("rope_parameters", "rope_scaling")
    turned = rope is not None and "mrope_section" in rope.values
    metadata = [
        *decoder_metadata(config.replace(n_layers=n_layer), "glm4"),
        ("glm4.rope.dimension_count", u32(rotated)),
    ]
    if hf_class.startswith("GlmOcr") and config.find("num_nextn_predict_layers") is not None:
        metadata.append(("glm4.nextn_predict_layers", u32(more)))
    return Arch(
        name="glm4",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="glm4",
        metadata=tuple(metadata),
        rules=(
            *ends(s),
            *layer_rules(s, (PairsToHalves(s.head_dim, rotated),) if turned else ()),
            *(prediction(s, range(s.n_layer, n_layer)) if more else ()),
        ),
    )


def layer_rules(s: Sizes, turn: tuple[Op, ...]) -> tuple[Rule, ...]:
    """The tensors of one layer; `turn` is applied to queries and keys."""
    attention = f"{LAYERS}.self_attn"
    return (
        *linear(f"{BLK}.attn_norm", f"{LAYERS}.input_layernorm", (s.n_embd,)),
        *linear(f"{BLK}.post_attention_norm", f"{LAYERS}.post_self_attn_layernorm", (s.n_embd,)),
        *linear(f"{BLK}.ffn_norm", f"{LAYERS}.post_attention_layernorm", (s.n_embd,)),
        *linear(f"{BLK}.post_ffw_norm", f"{LAYERS}.post_mlp_layernorm", (s.n_embd,)),
        *linear(f"{BLK}.attn_q", f"{attention}.q_proj", (s.rows_q, s.n_embd), turn),
        *linear(f"{BLK}.attn_k", f"{attention}.k_proj", (s.rows_kv, s.n_embd), turn),
        *linear(f"{BLK}.attn_v", f"{attention}.v_proj", (s.rows_kv, s.n_embd)),
        *linear(f"{BLK}.attn_output", f"{attention}.o_proj", (s.n_embd, s.rows_q)),
        *linear(f"{BLK}.ffn_up", f"{LAYERS}.mlp.gate_up_proj", (2 * s.n_ff, s.n_embd)),
        *linear(f"{BLK}.ffn_down", f"{LAYERS}.mlp.down_proj", (s.n_embd, s.n_ff)),
    )
