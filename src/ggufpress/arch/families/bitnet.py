"""BitNet b1.58.

How the checkpoint differs from the GGUF layout:

1. Each matrix of a layer becomes -1, 0 and 1 times its mean absolute value. llama.cpp's converter takes the mean in float32,
   in an order that depends on the number of threads; here it is exact, then rounded: a last bit may differ in F32. Weights
   in F16 are rounded to F16 again.
2. Norms stand also before the last matrix of attention and of the feed-forward; transformers calls them *_sub_norm.
3. Rope scaling is always written as linear by 1. The output matrix is the embedding.
4. llama.cpp's converter wants SentencePiece; a byte-level BPE is read too.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bitnet.py, src/models/bitnet.cpp.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.families import llama
from ggufpress.arch.layers import BLK, LAYERS, attention, computed_frequencies, ends, feed_forward, norms, sizes
from ggufpress.arch.ops import Array, Op
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import f32, text

CLASSES = ("BitnetForCausalLM", "BitNetForCausalLM")
SMALLEST = 1e-5

# transformers 4.57.6, models/bitnet/configuration_bitnet.py; older checkpoints are of model_type llama
CONFIG_CLASSES = llama.CONFIG_CLASSES | {
    "bitnet": ConfigClass({
        "vocab_size": 128256, "hidden_size": 2560, "intermediate_size": 6912, "num_hidden_layers": 30,
        "num_attention_heads": 20, "num_key_value_heads": 5, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
    }, refuses=takes_any_rope, renames_type=False),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ternary(Op):
    """Each weight as -1, 0 or 1 times the mean absolute value of all, which `measured` finds. shapes: any -> the same.

    `half`: the weights are F16, as whose bits they come and go. Only F16 holds all of them where BF16 does not.
    """

    inverse_mean: float = 1.0
    half: bool = False

    def measured(self, slabs: Iterable[Array]) -> Op:
        """The op that knows the mean."""
        total, count, fits_f16, fits_bf16 = 0.0, 0, True, True
        for rows in slabs:
            total += float(np.abs(rows).sum(dtype=np.float64))
            count += rows.size
            with np.errstate(over="ignore"):
                fits_f16 = fits_f16 and bool((rows.astype(np.float16) == rows).all())
            fits_bf16 = fits_bf16 and not (np.ascontiguousarray(rows).view(np.uint32) & 0xFFFF).any()
        mean = max(np.float32(total / max(count, 1)), np.float32(SMALLEST))
        return Ternary(float(np.float32(1) / mean), half=fits_f16 and not fits_bf16)

    def apply(self, rows: Array, period: int) -> Array:
        """The rounded weights, in F32."""
        factor = np.float32(self.inverse_mean)
        result: Array = np.clip(np.rint(rows * factor), -1, 1) / factor
        return result.astype(np.float16).astype(np.float32) if self.half else result

    def __str__(self) -> str:
        return "ternary"


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a BitNet model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    matrices = (*attention(s), *feed_forward(s.n_embd, s.n_ff))
    sub_norms = {
        "attn_sub_norm": ("self_attn.inner_attn_ln", "self_attn.attn_sub_norm", s.rows_q),
        "ffn_sub_norm": ("mlp.ffn_layernorm", "mlp.ffn_sub_norm", s.n_ff),
    }
    return Arch(
        name="bitnet",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="spm-or-bpe",
        metadata=(
            *decoder_metadata(config, "bitnet"),
            ("bitnet.rope.scaling.type", text("linear")),
            ("bitnet.rope.scaling.factor", f32(1.0)),
        ),
        rules=(
            *(rule for rule in ends(s) if rule.target not in ("output.weight", "output.bias")),
            *norms(s),
            *(
                Rule(rule.target, rule.source, (Ternary(),), rule.shape)
                for rule in matrices
                if rule.target.endswith(".weight")
            ),
            *(
                Rule(f"{BLK}.{target}.weight", f"{LAYERS}.{source}.weight", (), (rows,), False)
                for target, (old, new, rows) in sub_norms.items()
                for source in (old, new)
            ),
        ),
        drops=computed_frequencies(),
    )
