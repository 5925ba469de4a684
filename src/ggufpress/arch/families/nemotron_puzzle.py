"""Nemotron 3 Puzzle: a Nemotron 3 whose layers of experts differ in size.

How the checkpoint differs from the GGUF layout, besides what nemotron_h.py says:

1. block_configs says what each layer is, how wide its experts are, and how many a token gets: both become lists.
2. The layers may stand under `model.` instead of `backbone.`.
3. The layers that predict further tokens are left out: llama.cpp has no place for them.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/nemotron.py (NemotronHPuzzleModel).
transformers 4.57.6 has no class for it: the config is read as it stands.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ggufpress.arch.config import Config
from ggufpress.arch.experts import in_layers
from ggufpress.arch.families.mamba import padded_vocab
from ggufpress.arch.families.nemotron_h import (
    HF,
    MIXER,
    expert_metadata,
    experts,
    hybrid_metadata,
    layer_kinds,
    mixer,
)
from ggufpress.arch.layers import BLK, attention, linear, sizes
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.arch.ssm import mamba2_mixer
from ggufpress.gguf.values import Value, ValueType, array

CLASSES = ("NemotronHPuzzleForCausalLM",)
NAME = "nemotron_h_moe"


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Puzzle model. Raises ConfigError for a config that does not make sense."""
    blocks = _blocks(raw)
    config = raw.replace(
        num_hidden_layers=len(blocks), layers_block_type=[block.find("block_type") for block in blocks]
    )
    kinds, _ = layer_kinds(config)
    head_dim = config.integer("head_dim", "attention_head_dim")
    s = replace(sizes(config.with_defaults({"intermediate_size": 1})), head_dim=head_dim)
    ssm, n_expert = mixer(config, s), config.positive("n_routed_experts")
    stated, n_vocab = padded_vocab(config.without("pad_vocab_size_multiple"), 8)
    keys = hybrid_metadata(config, s, ssm, NAME, kinds, 0, head_dim)
    widths = _list(blocks, "moe_intermediate_size")
    keys[f"{NAME}.feed_forward_length"] = keys[f"{NAME}.expert_feed_forward_length"] = widths
    keys[f"{NAME}.expert_used_count"] = _list(blocks, "num_experts_per_tok")
    keys |= expert_metadata(config, NAME)
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=n_vocab,
        vocab="bpe",
        metadata=tuple(keys.items()),
        rules=(
            Rule("token_embd.weight", "backbone.embeddings.weight", shape=(stated, s.n_embd)),
            *linear("output_norm", "backbone.norm_f", (s.n_embd,)),
            Rule("output.weight", "lm_head.weight", shape=(stated, s.n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{HF}.norm", (s.n_embd,)),
            *in_layers(kinds.mamba, *mamba2_mixer(ssm, MIXER)),
            *in_layers(kinds.attention, *attention(s, MIXER, permuted=True)),
            *(
                rule
                for i in kinds.sparse
                for rule in in_layers([i], *experts(_with_widths(config, blocks[i]), s, n_expert))
            ),
        ),
        drops=(Drop("mtp.*", "llama.cpp has no place for this model's layers that predict further tokens"),),
        prefixes=(("model.", "backbone."),),
    )


def _blocks(config: Config) -> list[Config]:
    """The sections of block_configs. Raises ConfigError where it is no list of objects."""
    blocks = config.find("block_configs")
    if not isinstance(blocks, list) or not blocks or not all(isinstance(block, dict) for block in blocks):
        raise config.wrong(("block_configs",), "a list with an object for each layer")
    return [Config(block, f"{config.path}: block_configs[{i}]") for i, block in enumerate(blocks)]


def _with_widths(config: Config, block: Config) -> Config:
    sizes_of_layer: dict[str, Any] = {"moe_intermediate_size": block.positive("moe_intermediate_size")}
    return config.replace(**sizes_of_layer)


def _list(blocks: list[Config], key: str) -> Value:
    """A size of each layer, 0 where it has none."""
    return array(ValueType.INT32, (block.optional_integer(key) or 0 for block in blocks))
