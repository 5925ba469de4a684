"""XVERSE and Baichuan.

How the checkpoint differs from the GGUF layout:

1. The rows of q and k are permuted per head. Where there are fewer keys than queries, llama.cpp's converter permutes XVERSE's
   keys in n_head / n_head_kv groups; its file is followed.
2. Baichuan has q, k and v in one matrix, W_pack. llama.cpp's converter calls itself without end on its other tensors; here
   they get the names that llama.cpp loads.
3. XVERSE's tokens come from tokenizer.json and have no scores.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/xverse.py, conversion/baichuan.py. transformers 4.57.6 has a class for
neither.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.gather import Regroup
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, computed_frequencies, ends, feed_forward, norms, sizes
from ggufpress.arch.ops import RopePermute
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import text, u32

NAMES = {"XverseForCausalLM": "xverse", "BaichuanForCausalLM": "baichuan", "BaiChuanForCausalLM": "baichuan"}
CLASSES = tuple(NAMES)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of an XVERSE or Baichuan model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    name = NAMES[hf_class]
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="xverse" if name == "xverse" else "spm",
        metadata=(
            *decoder_metadata(config, name),
            (f"{name}.tensor_data_layout", text("Meta AI original pth")),
            (f"{name}.rope.dimension_count", u32(s.n_embd // s.n_head)),
        ),
        rules=(
            *ends(s),
            *norms(s),
            *(_permuted(s) if name == "xverse" else _packed(s)),
            *feed_forward(s.n_embd, s.n_ff),
        ),
        drops=computed_frequencies(),
    )


def _permuted(s: Sizes) -> tuple[Rule, ...]:
    groups = s.n_head if s.n_head == s.n_head_kv else max(1, s.n_head // s.n_head_kv)
    ops = {f"{BLK}.attn_q.weight": RopePermute(s.n_head), f"{BLK}.attn_k.weight": RopePermute(groups)}
    return tuple(
        Rule(rule.target, rule.source, (ops[rule.target],), rule.shape) if rule.target in ops else rule
        for rule in attention(s)
    )


def _packed(s: Sizes) -> tuple[Rule, ...]:
    thirds = {"q": RopePermute(s.n_head), "k": RopePermute(s.n_head), "v": None}
    return (
        *(
            Rule(
                f"{BLK}.attn_{part}.weight",
                f"{LAYERS}.self_attn.W_pack.weight",
                (op,) if op else (),
                (s.n_embd, s.n_embd),
                gather=Regroup(1, ((i * s.n_embd, (i + 1) * s.n_embd),)),
            )
            for i, (part, op) in enumerate(thirds.items())
        ),
        Rule(f"{BLK}.attn_output.weight", f"{LAYERS}.self_attn.o_proj.weight", shape=(s.n_embd, s.n_embd)),
    )
