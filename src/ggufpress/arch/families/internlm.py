"""InternLM2 and InternLM3.

How the checkpoint differs from the GGUF layout:

1. The rows of InternLM2's wqkv are grouped: the queries that share a key, that key, its value. GGUF has three matrices.
2. The rows of q and k are permuted per head, as Llama's are. Both classes have the tensors of Llama under other names.
3. InternLM3 is a Llama for llama.cpp; it has biases where the config says so.
4. <|im_end|> ends a text where the tokenizer has it.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/internlm.py. transformers 4.57.6 has a class for neither.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.gather import Regroup
from ggufpress.arch.layers import BLK, Sizes, attention, ends, feed_forward, linear, norms, sizes
from ggufpress.arch.ops import RopePermute
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import u32

NAMES = {"InternLM2ForCausalLM": "internlm2", "InternLM3ForCausalLM": "llama"}
CLASSES = tuple(NAMES)
LAYER = "model.layers.{i}"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of an InternLM model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    name = NAMES[hf_class]
    metadata = decoder_metadata(config, name)
    if name == "llama":
        metadata += [("llama.vocab_size", u32(s.n_vocab)), ("llama.rope.dimension_count", u32(s.head_dim))]
        rules = (*ends(s), *norms(s), *attention(s, permuted=True), *feed_forward(s.n_embd, s.n_ff))
    else:
        rules = _internlm2(s)
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="internlm3" if name == "llama" else "internlm2",
        metadata=tuple(metadata),
        rules=rules,
    )


def _internlm2(s: Sizes) -> tuple[Rule, ...]:
    size = s.n_embd // s.n_head
    queries = s.n_head // s.n_head_kv
    edges = {"q": (0, queries), "k": (queries, queries + 1), "v": (queries + 1, queries + 2)}
    heads = {"q": s.n_head, "k": s.n_head_kv}
    return (
        Rule("token_embd.weight", "model.tok_embeddings.weight", shape=(s.n_vocab, s.n_embd)),
        *linear("output_norm", "model.norm", (s.n_embd,)),
        *linear("output", "output", (s.n_vocab, s.n_embd), required=False),
        *linear(f"{BLK}.attn_norm", f"{LAYER}.attention_norm", (s.n_embd,)),
        *linear(f"{BLK}.ffn_norm", f"{LAYER}.ffn_norm", (s.n_embd,)),
        *(
            Rule(
                f"{BLK}.attn_{part}.weight",
                f"{LAYER}.attention.wqkv.weight",
                (RopePermute(heads[part]),) if part in heads else (),
                ((s.n_head if part == "q" else s.n_head_kv) * size, s.n_embd),
                gather=Regroup(s.n_head_kv, ((first * size, last * size),)),
            )
            for part, (first, last) in edges.items()
        ),
        *linear(f"{BLK}.attn_output", f"{LAYER}.attention.wo", (s.n_embd, s.n_embd)),
        *linear(f"{BLK}.ffn_gate", f"{LAYER}.feed_forward.w1", (s.n_ff, s.n_embd)),
        *linear(f"{BLK}.ffn_down", f"{LAYER}.feed_forward.w2", (s.n_embd, s.n_ff)),
        *linear(f"{BLK}.ffn_up", f"{LAYER}.feed_forward.w3", (s.n_ff, s.n_embd)),
    )
