"""Nemotron-H and Nemotron 3: layers that are either Mamba 2, attention, a feed-forward, or experts.

How the checkpoint differs from the GGUF layout:

1. hybrid_override_pattern (a letter per layer: M, *, - or E) or layers_block_type says what a layer is; numbers of
   key/value heads and sizes of feed-forwards become lists with 0 for the layers that have none.
2. The inner size of a mixer is mamba_num_heads times mamba_head_dim. q and k are permuted head by head.
3. Experts have two matrices each, stacked; they may work in a smaller latent space.
4. The keys are those of hybrid Granite, with key and value lengths. The vocabulary is padded to a multiple of 8.
5. One layer that predicts further tokens stands under `mtp.` as two; GGUF has it as one behind those of the model.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/nemotron.py (NemotronHModel), conversion/granite.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import block_count
from ggufpress.arch.experts import in_layers, router, score_bias, stacks
from ggufpress.arch.families.granite import granite_metadata
from ggufpress.arch.families.mamba import CONTEXT, padded_vocab
from ggufpress.arch.layers import BLK, Sizes, attention, linear, plain_feed_forward, sizes
from ggufpress.arch.spec import LAYER, Arch, Rule
from ggufpress.arch.ssm import Ssm, mamba2_mixer
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, ValueType, array, f32, flag, u32

CLASSES = ("NemotronHForCausalLM",)
HF = "backbone.layers.{i}"
MIXER = f"{HF}.mixer"
LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
OTHER_NAMES = {"linear_attention": "mamba", "full_attention": "attention"}


@dataclass(frozen=True, slots=True)
class Kinds:
    """Which layers are what. The layers of `sparse` have experts."""

    mamba: tuple[int, ...]
    attention: tuple[int, ...]
    dense: tuple[int, ...]
    sparse: tuple[int, ...]


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Nemotron-H model. Raises ConfigError for a config that does not make sense."""
    kinds, n_layer = layer_kinds(raw)
    config = raw.replace(num_hidden_layers=n_layer)
    moe = "num_experts_per_tok" in config.values
    head_dim = config.integer("head_dim", "attention_head_dim")
    s = replace(sizes(config.with_defaults({"intermediate_size": 1})), head_dim=head_dim)
    if config.find("hidden_act") not in (None, "silu"):
        raise UnsupportedError(f"{config.path}: llama.cpp's hybrid models have no other hidden_act than silu")
    ssm = mixer(config, s)
    n_expert = config.positive("n_routed_experts") if moe else 0
    if kinds.sparse and not moe:
        raise config.wrong(
            ("num_experts_per_tok",), "the number of experts per token, as there are layers with experts"
        )
    n_mtp = predicting_layers(config) if moe else 0
    name = "nemotron_h_moe" if moe else "nemotron_h"
    stated, n_vocab = padded_vocab(config.without("pad_vocab_size_multiple"), 8)
    usual_attention = attention(s, MIXER, permuted=True)
    expert_rules = experts(config, s, n_expert) if moe else ()
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=n_vocab,
        vocab="bpe",
        metadata=tuple(_metadata(config, s, ssm, name, kinds, n_mtp, head_dim).items()),
        rules=(
            Rule("token_embd.weight", "backbone.embeddings.weight", shape=(stated, s.n_embd)),
            *linear("output_norm", "backbone.norm_f", (s.n_embd,)),
            Rule("output.weight", "lm_head.weight", shape=(stated, s.n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{HF}.norm", (s.n_embd,)),
            *in_layers(kinds.mamba, *mamba2_mixer(ssm, MIXER)),
            *in_layers(kinds.attention, *usual_attention),
            *in_layers(kinds.dense, *plain_feed_forward(s, MIXER, "up_proj", "down_proj")),
            *in_layers(kinds.sparse, *expert_rules),
            *(_predicting(s, usual_attention, expert_rules) if n_mtp else ()),
        ),
    )


def mixer(config: Config, s: Sizes) -> Ssm:
    """The sizes of the Mamba layers (2). Raises ConfigError where they do not fit together."""
    ssm = Ssm(
        n_embd=s.n_embd,
        inner=config.positive("mamba_num_heads") * config.positive("mamba_head_dim"),
        state=config.positive("ssm_state_size"),
        kernel=config.positive("conv_kernel"),
        rank=config.positive("mamba_num_heads"),
        groups=config.positive("n_groups"),
    )
    if ssm.inner % ssm.groups:
        raise config.wrong(("n_groups",), f"a divisor of the inner size {ssm.inner}")
    return ssm


def layer_kinds(config: Config) -> tuple[Kinds, int]:
    """Which layers are what, and how many there are (1). Raises ConfigError where the config does not say."""
    keys = ("hybrid_override_pattern", "layers_block_type")
    pattern = config.find(keys[0]) or config.find(keys[1])
    n_layer = len(config.find(keys[1])) if isinstance(config.find(keys[1]), list) else block_count(config)
    if isinstance(pattern, str):
        kinds: Sequence[object] = [LETTERS.get(letter) for letter in pattern]
    elif isinstance(pattern, list):
        kinds = [OTHER_NAMES.get(kind, kind) if isinstance(kind, str) else None for kind in pattern]
    else:
        raise config.wrong(keys, "what each layer is")
    if len(kinds) != n_layer or any(kind not in LETTERS.values() for kind in kinds):
        raise config.wrong(keys, f"{n_layer} layers, each one of {', '.join(LETTERS.values())}")
    mamba, attending, dense, sparse = (tuple(i for i, k in enumerate(kinds) if k == kind) for kind in LETTERS.values())
    return Kinds(mamba, attending, dense, sparse), n_layer


def predicting_layers(config: Config) -> int:
    """1 where the config speaks of a layer that predicts further tokens and the checkpoint has it (5)."""
    count = config.optional_integer("num_nextn_predict_layers") or 0
    if not count or not any(name.startswith("mtp.") for name in config.tensors):
        return 0
    if count > 1:
        raise config.wrong(("num_nextn_predict_layers",), "at most 1: llama.cpp's converter takes no more")
    return 1


def experts(config: Config, s: Sizes, n_expert: int) -> tuple[Rule, ...]:
    """Router, experts, shared experts, and the matrices into and out of a latent space (3)."""
    latent = config.optional_integer("moe_latent_size")
    n_inner, n_ff = latent or s.n_embd, config.positive("moe_intermediate_size")
    n_shared = config.positive("moe_shared_expert_intermediate_size")
    shared = f"{MIXER}.shared_experts"
    return (
        router(n_expert, s.n_embd, f"{MIXER}.gate"),
        score_bias(n_expert, f"{MIXER}.gate.e_score_correction_bias"),
        *stacks(n_expert, n_ff, n_inner, f"{MIXER}.experts", "down_proj up_proj"),
        *linear(f"{BLK}.ffn_up_shexp", f"{shared}.up_proj", (n_shared, s.n_embd)),
        *linear(f"{BLK}.ffn_down_shexp", f"{shared}.down_proj", (s.n_embd, n_shared)),
        *(linear(f"{BLK}.ffn_latent_down", f"{MIXER}.fc1_latent_proj", (n_inner, s.n_embd)) if latent else ()),
        *(linear(f"{BLK}.ffn_latent_up", f"{MIXER}.fc2_latent_proj", (s.n_embd, n_inner)) if latent else ()),
    )


def _predicting(s: Sizes, attending: tuple[Rule, ...], experts: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The layer behind those of the model: attention in the first half, experts in the second (5)."""
    blk = f"blk.{s.n_layer}"
    halves = [_moved(rule, blk, "mtp.layers.0") for rule in attending] + [
        _moved(rule, blk, "mtp.layers.1") for rule in experts
    ]
    return (
        *linear(f"{blk}.attn_norm", "mtp.layers.0.norm", (s.n_embd,)),
        *linear(f"{blk}.nextn.eh_proj", "mtp.layers.0.eh_proj", (s.n_embd, 2 * s.n_embd)),
        *linear(f"{blk}.nextn.enorm", "mtp.layers.0.enorm", (s.n_embd,)),
        *linear(f"{blk}.nextn.hnorm", "mtp.layers.0.hnorm", (s.n_embd,)),
        *linear(f"{blk}.post_attention_norm", "mtp.layers.1.norm", (s.n_embd,)),
        *linear(f"{blk}.nextn.shared_head_norm", "mtp.layers.1.final_layernorm", (s.n_embd,)),
        *halves,
    )


def _moved(rule: Rule, blk: str, hf: str) -> Rule:
    target = rule.target.replace(f"blk.{LAYER}", blk)
    batch = f"{rule.batch}-{blk}" if rule.batch else None
    # the converter knows a router by the layer in its source's name, which is another here
    as_f32 = False if target.endswith("ffn_gate_inp.weight") else None
    return replace(rule, target=target, source=rule.source.replace(HF, hf), batch=batch, as_f32=as_f32)


def _metadata(
    config: Config, s: Sizes, ssm: Ssm, name: str, kinds: Kinds, n_mtp: int, head_dim: int
) -> dict[str, Value]:
    """The keys in file order; those set twice keep their place (4)."""
    n_layer = s.n_layer + n_mtp
    moe = bool(n_mtp) or name == "nemotron_h_moe"
    behind = tuple(range(s.n_layer, n_layer))
    keys = hybrid_metadata(config, s, ssm, name, kinds, n_mtp, head_dim)
    if not moe:
        # the converter counts no dense layers where the pattern is a list
        dense = kinds.dense if config.find("hybrid_override_pattern") else ()
        keys[f"{name}.feed_forward_length"] = _per_layer(n_layer, dense, config.positive("intermediate_size"))
        return keys
    n_ff = config.positive("moe_intermediate_size")
    keys[f"{name}.feed_forward_length"] = _per_layer(n_layer, (*kinds.sparse, *behind), n_ff)
    keys[f"{name}.expert_used_count"] = u32(config.integer("num_experts_per_tok"))
    keys[f"{name}.expert_feed_forward_length"] = u32(n_ff)
    keys |= expert_metadata(config, name)
    if n_mtp:
        keys[f"{name}.nextn_predict_layers"] = u32(n_mtp)
    return keys


def hybrid_metadata(
    config: Config, s: Sizes, ssm: Ssm, name: str, kinds: Kinds, n_mtp: int, head_dim: int
) -> dict[str, Value]:
    """The keys about attention and Mamba."""
    n_layer = s.n_layer + n_mtp
    behind = tuple(range(s.n_layer, n_layer))
    keys = dict(granite_metadata(config, s, name))
    keys[f"{name}.block_count"] = u32(n_layer)
    keys[f"{name}.ssm.conv_kernel"] = u32(ssm.kernel)
    keys[f"{name}.ssm.state_size"] = u32(ssm.state)
    keys[f"{name}.ssm.group_count"] = u32(ssm.groups)
    keys[f"{name}.ssm.inner_size"] = u32(ssm.inner)
    keys[f"{name}.ssm.time_step_rank"] = u32(ssm.rank)
    if rotated := config.optional_integer("attn_rotary_emb"):
        keys[f"{name}.rope.dimension_count"] = u32(rotated)
    keys[f"{name}.attention.head_count_kv"] = _per_layer(n_layer, (*kinds.attention, *behind), s.n_head_kv)
    keys[f"{name}.rope.scaling.finetuned"] = flag(not kinds.mamba)
    if kinds.mamba:
        keys[f"{name}.context_length"] = u32(CONTEXT)
    keys[f"{name}.attention.key_length"] = keys[f"{name}.attention.value_length"] = u32(head_dim)
    return keys


def expert_metadata(config: Config, name: str) -> dict[str, Value]:
    """The keys about experts that hold for all layers."""
    keys: dict[str, Value] = {}
    n_shared = config.positive("moe_shared_expert_intermediate_size")
    keys[f"{name}.expert_shared_feed_forward_length"] = u32(n_shared)
    keys[f"{name}.expert_count"] = u32(config.positive("n_routed_experts"))
    keys[f"{name}.expert_shared_count"] = u32(config.integer("n_shared_experts"))
    keys[f"{name}.expert_weights_norm"] = flag(config.flag("norm_topk_prob", default=False))
    keys[f"{name}.expert_weights_scale"] = f32(config.number("routed_scaling_factor"))
    keys[f"{name}.expert_group_count"] = u32(config.integer("n_group"))
    if (latent := config.optional_integer("moe_latent_size")) is not None:
        keys[f"{name}.moe_latent_size"] = u32(latent)
    return keys


def _per_layer(n_layer: int, layers: Sequence[int], size: int) -> Value:
    return array(ValueType.INT32, (size if i in layers else 0 for i in range(n_layer)))
