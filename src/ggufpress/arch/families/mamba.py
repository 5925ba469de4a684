"""Mamba, FalconMamba and Mamba 2.

How the checkpoint differs from the GGUF layout:

1. Decay rates are stored as logarithms; GGUF has minus their exponentials, of Mamba 2 as a column.
2. Kernels of convolutions lose their middle axis; the norm in Mamba 2's mixer is one row per group.
3. An output matrix whose weights are those of the embedding is left out (Mamba, not Mamba 2).
4. The vocabulary is padded to a multiple of pad_vocab_size_multiple, by default 8 (Mamba) or 16 (Mamba 2).
5. The original checkpoints name no class in config.json, call the embedding backbone.embedding and the sizes d_model,
   n_layer, ...; Codestral's tensors begin with `model.`.
6. config.json is read as it stands: transformers' classes do not count here.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/mamba.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, block_count
from ggufpress.arch.layers import linear
from ggufpress.arch.spec import Arch, Rule
from ggufpress.arch.ssm import Ssm, mamba2_mixer, mamba_mixer, ssm_metadata
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import f32, flag, u32

CLASSES = ("MambaForCausalLM", "MambaLMHeadModel", "FalconMambaForCausalLM", "Mamba2ForCausalLM")
CONTEXT = 1 << 20
"""What the reference writes for models whose context has no end."""


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a model of Mamba layers alone. Raises ConfigError for a config that does not make sense."""
    second = hf_class == "Mamba2ForCausalLM"
    name = "mamba2" if second else "mamba"
    ssm = mamba2_sizes(config) if second else mamba_sizes(config)
    n_layer = block_count(config)
    stated, n_vocab = padded_vocab(config, 16 if second else 8)
    metadata = [
        (f"{name}.context_length", u32(CONTEXT)),
        (f"{name}.embedding_length", u32(ssm.n_embd)),
        (f"{name}.feed_forward_length", u32(0)),
        (f"{name}.attention.head_count", u32(0)),
        (f"{name}.block_count", u32(n_layer)),
        *ssm_metadata(ssm, name),
        *(((f"{name}.ssm.group_count", u32(ssm.groups)),) if second else ()),
        (f"{name}.attention.layer_norm_rms_epsilon",
         f32(config.optional_number("layer_norm_epsilon", "rms_norm_eps") or 1e-5)),
        *(((f"{name}.ssm.dt_b_c_rms", flag(config.find("model_type") == "falcon_mamba")),) if not second else ()),
        (FILE_TYPE, u32(0)),
    ]  # fmt: skip
    prefix = "model." if second and "model.backbone.norm_f.weight" in config.tensors else ""
    hf = f"{prefix}backbone.layers.{{i}}"
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="spm-or-bpe" if second else "bpe-or-spm",
        metadata=tuple(metadata),
        rules=(
            *_ends(prefix, ssm.n_embd, stated, n_vocab, second),
            *linear("blk.{i}.attn_norm", f"{hf}.norm", (ssm.n_embd,)),
            *(mamba2_mixer(ssm, f"{hf}.mixer") if second else mamba_mixer(ssm, f"{hf}.mixer")),
        ),
    )


def original_class(config: Config) -> list[str] | None:
    """The class of an original checkpoint, whose config names none but has an `ssm_cfg`; None for all others."""
    layer = config.find("ssm_cfg")
    if not isinstance(layer, dict):
        return None
    name = Config(layer, f"{config.path}: ssm_cfg").optional_text("layer") or "Mamba"
    return [f"{name}ForCausalLM"]


def _ends(prefix: str, n_embd: int, stated: int, n_vocab: int, second: bool) -> tuple[Rule, ...]:
    """Embedding, output matrix and last norm (3, 5)."""
    embedding = f"{prefix}backbone.embeddings.weight"
    original = f"{prefix}backbone.embedding.weight"
    rules = [
        Rule("token_embd.weight", embedding, shape=(stated, n_embd), required=False),
        Rule("token_embd.weight", original, shape=(n_vocab, n_embd), required=False),
        *linear("output_norm", f"{prefix}backbone.norm_f", (n_embd,)),
    ]
    if second:
        rules.append(Rule("output.weight", f"{prefix}lm_head.weight", required=False))
    else:
        rules.append(Rule("output.weight", "lm_head.weight", required=False, unless_equal=(embedding, original)))
    return tuple(rules)


def padded_vocab(config: Config, multiple: int) -> tuple[int, int]:
    """The vocab_size that config.json states, and the one that llama.cpp gets (4)."""
    stated = config.positive("vocab_size")
    multiple = config.with_defaults({"pad_vocab_size_multiple": multiple}).positive("pad_vocab_size_multiple")
    return stated, -(stated // -multiple) * multiple


def mamba_sizes(config: Config) -> Ssm:
    """The sizes of Mamba's mixer. llama.cpp takes only models that are twice as wide inside."""
    n_embd = config.positive("hidden_size", "d_model")
    inner = config.optional_integer("intermediate_size", "d_inner") or 2 * n_embd
    if inner != 2 * n_embd:
        raise UnsupportedError(
            f"{config.path}: {config.key('intermediate_size', 'd_inner')} is {inner}, but llama.cpp's Mamba is twice as "
            f"wide as its embedding: {2 * n_embd}"
        )
    return Ssm(
        n_embd=n_embd,
        inner=inner,
        state=config.optional_integer("state_size", "d_state") or 16,
        kernel=config.optional_integer("conv_kernel", "d_conv") or 4,
        rank=config.optional_integer("time_step_rank", "dt_rank") or -(n_embd // -16),
    )


def mamba2_sizes(config: Config) -> Ssm:
    """The sizes of Mamba 2's mixer."""
    n_embd = config.positive("hidden_size", "d_model", "dim")
    expand = config.optional_integer("mamba_expand", "expand") or 2
    inner = config.optional_integer("mamba_d_ssm", "intermediate_size", "d_inner") or expand * n_embd
    head_dim = config.optional_integer("mamba_d_head", "head_dim") or 64
    groups = config.optional_integer("n_groups") or 1
    if inner != expand * n_embd or inner % head_dim or inner % groups:
        raise UnsupportedError(
            f"{config.path}: Mamba 2's inner size of {inner} must be {expand} x {n_embd}, and divide into heads of "
            f"{head_dim} and into {groups} groups"
        )
    return Ssm(
        n_embd=n_embd,
        inner=inner,
        state=config.optional_integer("state_size", "d_state") or 128,
        kernel=config.optional_integer("conv_kernel", "d_conv") or 4,
        rank=inner // head_dim,
        groups=groups,
    )
