"""WavTokenizer's decoder, which makes sound of tokens: convolutions, a little attention, and no vocabulary of texts.

How the checkpoint differs from the GGUF layout: not at all but in names. Its config is that of llama.cpp's own script, which
makes such checkpoints. What the codebook was trained with is left out.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/wavtokenizer.py. transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import MAX_LAYERS, block_count, decoder_metadata, needed
from ggufpress.arch.layers import linear
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.gguf.values import Value, f32, flag

CLASSES = ("WavTokenizerDec",)
NAME = "wavtokenizer-dec"
POSNET = {"norm1": "norm1", "conv1": "conv1", "norm2": "norm2", "conv2": "conv2", "attn_norm": "norm", "attn_q": "q",
          "attn_k": "k", "attn_v": "v", "attn_output": "proj_out"}  # fmt: skip
CONVNEXT = {"dw": "dwconv", "norm": "norm", "pw1": "pwconv1", "pw2": "pwconv2"}
CODEBOOK = ("cluster_size", "embed_avg", "inited")


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a WavTokenizer decoder. Raises ConfigError for a config that does not make sense."""
    n_layer = block_count(config)
    parts = {name: config.section(name) or config for name in ("posnet", "convnext")}
    counts = {name: part.positive("n_layer") for name, part in parts.items()}
    for name, count in counts.items():
        if count > MAX_LAYERS:
            raise parts[name].wrong(("n_layer",), f"at most {MAX_LAYERS}")
    books = {name.rpartition(".")[0] for name in config.tensors if name.endswith(CODEBOOK) and "codebook." in name}
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=config.positive("vocab_size"),
        vocab="none",
        metadata=tuple(_metadata(config, parts).items()),
        rules=(
            Rule("token_embd.weight", "token_embd.weight", copies=("model.embed_tokens.weight", "embed_tokens.weight")),
            *_in("conv1d", "backbone.embed"),
            *_in("token_embd_norm", "backbone.norm"),
            *(rule for i in range(counts["posnet"]) for target, source in POSNET.items()
              for rule in _in(f"posnet.{i}.{target}", f"backbone.posnet.{i}.{source}", required=False)),
            *(rule for i in range(counts["convnext"]) for target, source in CONVNEXT.items()
              for rule in _in(f"convnext.{i}.{target}", f"backbone.convnext.{i}.{source}")),
            *(Rule(f"convnext.{i}.gamma.weight", f"backbone.convnext.{i}.gamma.weight") for i in range(counts["convnext"])),
            *_in("output_norm", "backbone.final_layer_norm"),
            *_in("output", "head.out"),
        ),
        drops=tuple(Drop(f"{book}.{part}", "training needs it alone") for book in sorted(books) for part in CODEBOOK),
    )  # fmt: skip


def _in(target: str, source: str, required: bool = True) -> tuple[Rule, ...]:
    """Weight and bias, of any shape. What keeps positions stays F32."""
    weight, bias = linear(target, source, (), required=required)
    exact = True if target.endswith(("norm1", "norm2")) else None
    return (
        Rule(weight.target, weight.source, required=required, as_f32=exact),
        Rule(bias.target, bias.source, required=False),
    )


def _metadata(config: Config, parts: dict[str, Config]) -> dict[str, Value]:
    keys = dict(decoder_metadata(config, NAME))
    keys |= needed(config, NAME, ("vocab_size", "vocab_size"), ("features_length", "n_embd_features"),
                   ("feed_forward_length", "n_ff"))  # fmt: skip
    keys[f"{NAME}.attention.group_norm_epsilon"] = f32(config.number("group_norm_epsilon"))
    keys |= needed(config, NAME, ("attention.group_norm_groups", "group_norm_groups"))
    for name, part in parts.items():
        keys |= needed(part, f"{NAME}.{name}", ("embedding_length", "n_embd"), ("block_count", "n_layer"))
    keys[f"{NAME}.attention.causal"] = flag(False)
    return keys
