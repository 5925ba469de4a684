"""Qwen3-Next and Qwen3.5, dense and with experts: linear attention (gated delta nets) in three layers of four.

How the checkpoint differs from the GGUF layout:

1. Norms are stored as the difference from 1, but for that of linear attention.
2. Decay rates become minus exponentials; kernels of convolutions lose their middle axis.
3. Qwen3-Next has q, k, v and z of linear attention in one matrix, key head by key head; GGUF sorts them, and keeps z apart.
4. Qwen3.5 has them apart, with the value heads of one key head together; GGUF has the first value heads of all key heads
   together, then the second ones, in every tensor that has to do with value heads.
5. Queries are twice as wide: half of them are gates. Experts may be stored stacked.
6. Layers that predict further tokens stand under `mtp.`; GGUF has them behind those of the model. Where the checkpoint has
   none, the file is as with `--no-mtp`.
7. Qwen3.5 always has sections of the rotary embedding: 11, 11, 10 and 0 where the config has none.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/qwen.py (Qwen3NextModel, _LinearAttentionVReorderBase).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import MAX_LAYERS, block_count, decoder_metadata
from ggufpress.arch.delta_net import DeltaNet, delta_net
from ggufpress.arch.experts import in_layers
from ggufpress.arch.families.qwen_moe import experts, shared_experts
from ggufpress.arch.layers import BLK, LAYERS, Sizes, feed_forward, linear, sizes
from ggufpress.arch.ops import Add
from ggufpress.arch.rope import rope_parameters, rotary_share
from ggufpress.arch.spec import LAYER, Arch, Drop, Rule
from ggufpress.gguf.values import Value, ValueType, array, u32

NAMES = {
    "Qwen3NextForCausalLM": "qwen3next",
    "Qwen3_5ForCausalLM": "qwen35",
    "Qwen3_5ForConditionalGeneration": "qwen35",
    "Qwen3_5MoeForCausalLM": "qwen35moe",
    "Qwen3_5MoeForConditionalGeneration": "qwen35moe",
    "MiniCPMV4_6ForConditionalGeneration": "qwen35",
}
CLASSES = tuple(NAMES)
MINICPM_PARTS = (
    Drop("model.merger.*", "it belongs to the vision part, which is a file of its own in llama.cpp"),
    Drop("mtp.*", "llama.cpp does not use MiniCPM-V's layers that predict further tokens"),
)
SECTIONS = (11, 11, 10, 0)
MTP = re.compile(r"(?:model\.)?mtp\.layers\.(\d+)\.")
ONE = (Add(1),)


def _derived(config: Config) -> Config:
    if config.find("layer_types") is not None:
        return config
    period = config.with_defaults({"full_attention_interval": 4}).positive("full_attention_interval")
    kinds = ["linear_attention" if (i + 1) % period else "full_attention" for i in range(block_count(config))]
    return config.replace(layer_types=kinds)


# transformers 4.57.6, models/qwen3_next/configuration_qwen3_next.py; it has no class for Qwen3.5
CONFIG_CLASSES = {
    "qwen3_next": ConfigClass(MODERN | {
        "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 48,
        "num_attention_heads": 16, "num_key_value_heads": 2, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
        "partial_rotary_factor": 0.25, "head_dim": 256, "layer_types": None, "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_num_key_heads": 16,
        "linear_num_value_heads": 32, "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512,
        "num_experts_per_tok": 10, "num_experts": 512,
    }, renames_type=False, fills_kv_heads=False, derives=_derived),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a model with gated delta nets. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    name = NAMES[hf_class]
    s = sizes(config.with_defaults({"intermediate_size": config.find("moe_intermediate_size")}))
    net = DeltaNet.of(config, s.n_embd)
    n_expert = 0 if name == "qwen35" else config.positive("num_local_experts", "num_experts")
    kinds = layer_kinds(config, s.n_layer)
    full = [i for i, kind in enumerate(kinds) if kind != "linear_attention"]
    vision = hf_class == "MiniCPMV4_6ForConditionalGeneration"
    n_mtp = 0 if vision else predicting_layers(config)
    prefix = "model.mtp" if any(tensor.startswith("model.mtp.") for tensor in config.tensors) else "mtp"
    feed = (
        (*experts(s, n_expert, config.positive("moe_intermediate_size"), stacked=True), *shared_experts(config, s))
        if n_expert
        else feed_forward(s.n_embd, s.n_ff)
    )
    usual = (*_norms(s), *feed)
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(_metadata(config, s, net, name, n_mtp).items()),
        rules=(
            Rule("token_embd.weight", "model.embed_tokens.weight", shape=(s.n_vocab, s.n_embd)),
            Rule("output_norm.weight", "model.norm.weight", ONE, (s.n_embd,)),
            Rule("output.weight", "lm_head.weight", shape=(s.n_vocab, s.n_embd), required=False),
            *usual,
            *in_layers(full, *_attention(config, s)),
            *in_layers(
                [i for i in range(s.n_layer) if i not in full], *delta_net(net, sorted_heads=name != "qwen3next")
            ),
            *_predicting(s, (*usual, *_attention(config, s)), n_mtp, prefix),
        ),
        drops=MINICPM_PARTS if vision else (),
    )


def layer_kinds(config: Config, n_layer: int) -> list[str]:
    """The kind of attention of each layer: as layer_types says, else full attention at intervals."""
    kinds = config.find("layer_types")
    if kinds is None:
        period = config.with_defaults({"full_attention_interval": 4}).positive("full_attention_interval")
        return ["linear_attention" if (i + 1) % period else "full_attention" for i in range(n_layer)]
    if not isinstance(kinds, list) or len(kinds) != n_layer:
        raise config.wrong(("layer_types",), f"a list of {n_layer} kinds of attention")
    return kinds


def predicting_layers(config: Config) -> int:
    """How many layers predict further tokens: as the config says, else as there are; none without tensors (6)."""
    found = [int(match[1]) + 1 for tensor in config.tensors if (match := MTP.match(tensor))]
    count = (config.optional_integer("mtp_num_hidden_layers") or max(found)) if found else 0
    if count > MAX_LAYERS:
        raise config.wrong(("mtp_num_hidden_layers",), f"at most {MAX_LAYERS}")
    return count


def _norms(s: Sizes) -> tuple[Rule, ...]:
    return (
        Rule(f"{BLK}.attn_norm.weight", f"{LAYERS}.input_layernorm.weight", ONE, (s.n_embd,)),
        Rule(f"{BLK}.post_attention_norm.weight", f"{LAYERS}.post_attention_layernorm.weight", ONE, (s.n_embd,)),
    )


def _attention(config: Config, s: Sizes) -> tuple[Rule, ...]:
    """Ordinary attention whose queries hold a gate too (5)."""
    hf = f"{LAYERS}.self_attn"
    rows = s.rows_q * (2 if config.flag("attn_output_gate", default=True) else 1)
    return (
        *linear(f"{BLK}.attn_q", f"{hf}.q_proj", (rows, s.n_embd)),
        *linear(f"{BLK}.attn_k", f"{hf}.k_proj", (s.rows_kv, s.n_embd)),
        *linear(f"{BLK}.attn_v", f"{hf}.v_proj", (s.rows_kv, s.n_embd)),
        *linear(f"{BLK}.attn_output", f"{hf}.o_proj", (s.n_embd, s.rows_q)),
        Rule(f"{BLK}.attn_q_norm.weight", f"{hf}.q_norm.weight", ONE, (s.head_dim,)),
        Rule(f"{BLK}.attn_k_norm.weight", f"{hf}.k_norm.weight", ONE, (s.head_dim,)),
    )


def _predicting(s: Sizes, usual: tuple[Rule, ...], n_mtp: int, prefix: str) -> Iterator[Rule]:
    """The layers behind those of the model: usual ones, and what leads into the first of them (6)."""
    for i in range(n_mtp):
        target = str(s.n_layer + i)
        for rule in usual:
            yield replace(
                rule,
                target=rule.target.replace(LAYER, target),
                source=rule.source.replace(LAYERS, f"{prefix}.layers.{i}"),
                batch=f"{rule.batch}-{target}" if rule.batch else None,
            )
    if n_mtp:
        nextn = f"blk.{s.n_layer}.nextn"
        yield Rule(f"{nextn}.eh_proj.weight", f"{prefix}.fc.weight", shape=(s.n_embd, 2 * s.n_embd))
        for end, source in (
            ("enorm", "pre_fc_norm_embedding"),
            ("hnorm", "pre_fc_norm_hidden"),
            ("shared_head_norm", "norm"),
        ):
            yield Rule(f"{nextn}.{end}.weight", f"{prefix}.{source}.weight", ONE, (s.n_embd,))


def _metadata(config: Config, s: Sizes, net: DeltaNet, name: str, n_mtp: int) -> dict[str, Value]:
    keys = dict(decoder_metadata(config, name))
    keys[f"{name}.block_count"] = u32(s.n_layer + n_mtp)
    for key, source in (
        ("expert_feed_forward_length", "moe_intermediate_size"),
        ("expert_shared_feed_forward_length", "shared_expert_intermediate_size"),
    ):
        if (size := config.optional_integer(source)) is not None:
            keys[f"{name}.{key}"] = u32(size)
    if n_mtp:
        keys[f"{name}.nextn_predict_layers"] = u32(n_mtp)
    keys[f"{name}.ssm.conv_kernel"] = u32(net.kernel)
    keys[f"{name}.ssm.state_size"] = u32(net.key_dim)
    keys[f"{name}.ssm.group_count"] = u32(net.n_key)
    keys[f"{name}.ssm.time_step_rank"] = u32(net.n_value)
    keys[f"{name}.ssm.inner_size"] = u32(net.inner)
    if config.find("layer_types") is not None:
        recurrent = [kind == "linear_attention" for kind in layer_kinds(config, s.n_layer)]
        keys[f"{name}.attention.recurrent_layers"] = array(ValueType.BOOL, [*recurrent, *[False] * n_mtp])
    period = config.with_defaults({"full_attention_interval": 4}).integer("full_attention_interval")
    keys[f"{name}.full_attention_interval"] = u32(period)
    share = rotary_share(config)
    keys[f"{name}.rope.dimension_count"] = u32(int(s.head_dim * (0.25 if share is None else share)))
    if name != "qwen3next" and "mrope_section" not in rope_parameters(config).values:
        keys[f"{name}.rope.dimension_sections"] = array(ValueType.INT32, SECTIONS)
    return keys
