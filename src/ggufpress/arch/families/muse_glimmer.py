"""Muse Glimmer's language model.

How the checkpoint differs from the GGUF layout:

1. The norms of a layer are stored as the difference from 1; the last norm is not.
2. The rows of q and k are permuted per head, as Llama's are.
3. Queries and keys pass through norms without weights, queries then through a factor: GGUF has such weights in every layer.
4. A gate of the size of all heads belongs to attention.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/muse_glimmer.py (MuseGlimmerModel).
transformers 4.57.6 has no class for it: the config is read as it stands.
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.families.gemma3 import NORMS
from ggufpress.arch.layers import BLK, LAYERS, attention, ends, feed_forward, sizes
from ggufpress.arch.ops import Add
from ggufpress.arch.spec import Arch, Rule
from ggufpress.arch.windows import flags, sliding_layers
from ggufpress.gguf.values import f32, u32

CLASSES = ("MuseGlimmerForConditionalGeneration",)
NAME = "muse-glimmer"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Muse Glimmer model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    hf, head_dim = f"{LAYERS}.self_attn", config.positive("head_dim")
    factors = {"q": config.number("qk_scale_factor"), "k": 1.0}
    gate = Rule(f"{BLK}.attn_gate.weight", f"{hf}.gate_proj.weight", (), (s.rows_q, s.n_embd))
    if config.find("layer_types") is None:
        raise config.wrong(("layer_types",), f"a list of {s.n_layer} kinds of attention")
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="muse-glimmer",
        metadata=(
            *decoder_metadata(config, NAME),
            (f"{NAME}.final_logit_softcapping", f32(config.number("final_logit_softcapping"))),
            (f"{NAME}.logit_scale", f32(config.number("output_multiplier"))),
            (f"{NAME}.attention.sliding_window", u32(config.integer("sliding_window"))),
            (f"{NAME}.attention.sliding_window_pattern", flags(sliding_layers(config, s.n_layer, 0))),
        ),
        rules=(
            *ends(s),
            *(Rule(f"{BLK}.{target}.weight", f"{LAYERS}.{source}.weight", (Add(1),), (s.n_embd,))
              for target, source in NORMS.items()),
            *(Rule(f"{BLK}.attn_{part}_norm.weight", f"{hf}.q_proj.weight", repeats=True, values=(factor,) * head_dim)
              for part, factor in factors.items()),
            *attention(s, permuted=True),
            replace(gate, copies=tuple(f"{hf}.{name}.weight" for name in ("g_proj", "output_gate", "linear_gate"))),
            *feed_forward(s.n_embd, s.n_ff),
        ),
    )  # fmt: skip
