"""ERNIE 4.5, dense, and the language model of PaddleOCR-VL.

How the checkpoint differs from the GGUF layout:

1. Nothing is permuted. Checkpoints of PaddlePaddle's own layout hold q, k and v as one matrix, gate and up as another, gate
   first; those of transformers hold them apart.
2. Tensors may stand under `ernie.` instead of `model.`.
3. A space is put before a text as tokenizer_config.json says.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/ernie.py (Ernie4_5Model, PaddleOCRModel).
"""

from __future__ import annotations

from itertools import accumulate, pairwise

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.gather import Regroup
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, norms, sizes
from ggufpress.arch.spec import Arch, Rule

NAMES = {
    "Ernie4_5_ForCausalLM": "ernie4_5",
    "Ernie4_5ForCausalLM": "ernie4_5",
    "PaddleOCRVLForConditionalGeneration": "paddleocr",
}
CLASSES = tuple(NAMES)

# transformers 4.57.6, models/ernie4_5/configuration_ernie4_5.py
CONFIG_CLASSES = {
    "ernie4_5": ConfigClass({
        "vocab_size": 103424, "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 18,
        "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 128, "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "rope_scaling": None,
    }, fills_head_dim=True),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of an ERNIE 4.5 model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    name = NAMES[hf_class]
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="spm-prefix",
        metadata=tuple(decoder_metadata(config, name)),
        rules=(*ends(s), *norms(s), *apart_or_joined(s)),
        prefixes=(("ernie.", "model."),),
    )


def apart_or_joined(s: Sizes) -> tuple[Rule, ...]:
    """Attention and feed-forward, whichever way their matrices are stored."""
    joined = (
        *_parts("self_attn.qkv_proj", ("attn_q", "attn_k", "attn_v"), (s.rows_q, s.rows_kv, s.rows_kv), s.n_embd),
        *_parts("mlp.up_gate_proj", ("ffn_gate", "ffn_up"), (s.n_ff, s.n_ff), s.n_embd),
    )
    either = {rule.target for rule in joined}
    apart = (*attention(s), *feed_forward(s.n_embd, s.n_ff))
    return (
        *(
            Rule(rule.target, rule.source, rule.ops, rule.shape, False) if rule.target in either else rule
            for rule in apart
        ),
        *joined,
    )


def _parts(source: str, targets: tuple[str, ...], rows: tuple[int, ...], cols: int) -> tuple[Rule, ...]:
    edges = pairwise(accumulate(rows, initial=0))
    return tuple(
        Rule(f"{BLK}.{target}.weight", f"{LAYERS}.{source}.weight", (), (last - first, cols), False,
             gather=Regroup(1, ((first, last),)))
        for target, (first, last) in zip(targets, edges, strict=True)
    )  # fmt: skip
