"""Tiny GGUF models for the recipe's rules: keys and tensors of an architecture, two rows each, any number of layers.

Each case is there to reach rows of the tables: query groups above and below 4, 4, 8 and 60 experts, tied and untied ends,
Falcon, the 80 layers of a 70B model, rows that 256 or 32 do not divide, fused qkv, MLA, names that are never quantized.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ggufpress.gguf.values import Metadata, array, f32, text, u32
from ggufpress.gguf.values import ValueType as T
from ggufpress.quant.types import BF16, F32, QType
from ggufpress.recipe.options import RecipeOptions
from tests.imatrix.files import gguf_of

Tensor = tuple[str, tuple[int, ...], QType]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Case:
    """A model: its architecture, the numbers of layers, heads and experts, other keys, and its tensors by layer."""

    name: str
    arch: str
    n_layer: int
    layer: Callable[[Case, int], Shapes]
    heads: tuple[int, int] = (8, 8)
    n_expert: int = 0
    cols: int = 256
    tied: bool = False
    keys: Metadata = field(default_factory=dict)
    ends: Shapes = field(default_factory=dict)

    @property
    def metadata(self) -> Metadata:
        """The keys that llama.cpp reads of any model, and this one's."""
        arch = self.arch
        found: Metadata = {
            "general.architecture": text(arch), f"{arch}.block_count": u32(self.n_layer), f"{arch}.context_length": u32(64),
            f"{arch}.embedding_length": u32(self.cols), f"{arch}.feed_forward_length": u32(self.cols),
            f"{arch}.attention.head_count": u32(self.heads[0]), f"{arch}.attention.head_count_kv": u32(self.heads[1]),
            f"{arch}.attention.layer_norm_rms_epsilon": f32(1e-5), f"{arch}.attention.layer_norm_epsilon": f32(1e-5),
            f"{arch}.vocab_size": u32(2), "tokenizer.ggml.model": text("none"),
        }  # fmt: skip
        if self.n_expert:
            found[f"{arch}.expert_count"] = u32(self.n_expert)
            found[f"{arch}.expert_used_count"] = u32(2)
        return found | {f"{arch}.{key}": value for key, value in self.keys.items()}

    @property
    def tensors(self) -> list[Tensor]:
        """Names, shapes and types, as the converter's `--outtype auto` would store them."""
        shapes: Shapes = {"token_embd.weight": (2, self.cols), "output_norm.weight": (self.cols,)}
        shapes |= {} if self.tied else {"output.weight": (2, self.cols)}
        shapes |= self.ends
        for i in range(self.n_layer):
            shapes |= {f"blk.{i}.{name}": shape for name, shape in self.layer(self, i).items()}
        return [
            (name, shape, F32 if len(shape) < 2 or "norm" in name or not name.endswith("weight") else BF16)
            for name, shape in shapes.items()
        ]


def attention(case: Case) -> Shapes:
    return {f"attn_{part}.weight": (2, case.cols) for part in ("q", "k", "v", "output")} | {
        "attn_norm.weight": (case.cols,)
    }


def dense(case: Case, i: int) -> Shapes:
    return attention(case) | {f"ffn_{part}.weight": (2, case.cols) for part in ("gate", "up", "down")}


def stacked(case: Case, i: int) -> Shapes:
    experts = {f"ffn_{part}_exps.weight": (case.n_expert, 2, case.cols) for part in ("gate", "up", "down")}
    return attention(case) | experts | {"ffn_gate_inp.weight": (case.n_expert, case.cols)}


def with_shared_expert(case: Case, i: int) -> Shapes:
    return stacked(case, i) | {f"ffn_{part}_shexp.weight": (2, case.cols) for part in ("gate", "up", "down")}


def single_experts(case: Case, i: int) -> Shapes:
    parts = {f"ffn_{part}.{e}.weight": (2, case.cols) for part in ("gate", "up", "down") for e in range(case.n_expert)}
    return attention(case) | parts


def fused(case: Case, i: int) -> Shapes:
    names = ("attn_qkv", "attn_output", "ffn_up", "ffn_down")
    return {f"{name}.weight": (2, case.cols) for name in names} | {
        "attn_qkv.bias": (2,),
        "attn_norm.bias": (case.cols,),
    }


def mla(case: Case, i: int) -> Shapes:
    own: Shapes = {f"attn_{part}.weight": (2, case.cols) for part in ("q_a", "q_b", "kv_a_mqa", "kv_b", "output")}
    own |= {"attn_k_b.weight": (4, 2, case.cols), "attn_v_b.weight": (4, 2, case.cols)}
    if i == 0:
        return own | {f"ffn_{part}.weight": (2, case.cols) for part in ("gate", "up", "down")}
    return own | {name: shape for name, shape in with_shared_expert(case, i).items() if "ffn" in name}


def gemma3n(case: Case, i: int) -> Shapes:
    odd = ("altup_router", "laurel_l", "inp_gate", "proj", "per_layer_model_proj")
    return dense(case, i) | {f"{name}.weight": (2, case.cols) for name in odd}


def mamba(case: Case, i: int) -> Shapes:
    found: Shapes = {f"ssm_{part}.weight": (2, case.cols) for part in ("in", "x", "dt", "out", "conv1d")}
    return found | {"ssm_a": (2, case.cols)}


def rwkv(case: Case, i: int) -> Shapes:
    parts = ("w1", "w2", "decay_w1", "lerp_fused", "key", "value", "output", "first")
    found: Shapes = {f"time_mix_{part}.weight": (2, case.cols) for part in parts}
    return found | {"channel_mix_key.weight": (2, case.cols)}


MLA_KEYS: Metadata = {"attention.q_lora_rank": u32(64), "attention.kv_lora_rank": u32(64), "expert_feed_forward_length": u32(256),
            "expert_shared_count": u32(1), "leading_dense_block_count": u32(1), "attention.key_length_mla": u32(64),
            "attention.value_length_mla": u32(64)}  # fmt: skip
KDA_KEYS: Metadata = MLA_KEYS | {"ssm.conv_kernel": u32(4), "kda.head_dim": u32(64), "kda.gate_lower_bound": f32(-5.0),
                       "expert_gating_func": u32(2)}  # fmt: skip
SSM_KEYS: Metadata = {
    "ssm.conv_kernel": u32(4),
    "ssm.inner_size": u32(256),
    "ssm.state_size": u32(16),
    "ssm.time_step_rank": u32(16),
}
GLM5_KEYS: Metadata = KDA_KEYS | {
    "attention.indexer.head_count": u32(4), "attention.indexer.key_length": u32(64), "attention.indexer.top_k": u32(8),
    "attention.indexer.block_size": u32(4), "hyper_connection.count": u32(4), "hyper_connection.sinkhorn_iterations": u32(2),
    "hyper_connection.epsilon": f32(1e-5), "attention.indexer.kpool": u32(4),
}  # fmt: skip

CASES = [
    Case("llama", "llama", 18, dense),
    Case("llama-gqa-4", "llama", 18, dense, heads=(8, 2)),
    Case("llama-tied", "llama", 5, dense, heads=(8, 4), tied=True),
    Case("llama-70b", "llama", 80, dense, heads=(64, 8)),
    Case("llama-65b", "llama", 80, dense, heads=(64, 64)),
    Case("qwen2-72b", "qwen2", 80, dense, heads=(64, 32)),
    Case("moe-8", "llama", 17, stacked, heads=(8, 2), n_expert=8),
    Case("moe-8-mha-tied", "llama", 9, stacked, n_expert=8, tied=True),
    Case("moe-4", "llama", 8, stacked, n_expert=4),
    Case("moe-8-in-single-tensors", "llama", 8, single_experts, heads=(8, 4), n_expert=8),
    Case("moe-60-shared", "qwen2moe", 10, with_shared_expert, n_expert=60),
    Case("falcon", "falcon", 32, fused),
    Case("falcon-40b-tied", "falcon", 60, fused, heads=(8, 2), tied=True),
    Case("gpt2", "gpt2", 12, fused, ends={"position_embd.weight": (64, 256)}),
    Case("mla", "deepseek2", 12, mla, n_expert=16, heads=(8, 1), keys=MLA_KEYS),
    Case("rows-of-320", "llama", 4, dense, cols=320),
    Case("rows-of-96", "llama", 4, dense, cols=96, heads=(8, 2)),
    # IQ3_XXS without importance: only where no row fits does llama-quantize make it
    Case("rows-of-96-deep", "llama", 16, dense, cols=96, heads=(8, 4)),
    Case("rows-of-40", "llama", 3, dense, cols=40, tied=True),
    Case("experts-in-rows-of-96", "llama", 4, stacked, cols=96, n_expert=8),
    Case("gemma3n", "gemma3n", 10, gemma3n, heads=(8, 4), tied=True,
         keys={"attention.sliding_window": u32(16), "altup.num_inputs": u32(2), "laurel.rank": u32(2)},
         ends={"per_layer_token_embd.weight": (2, 512), "altup_proj.weight": (2, 2, 256)}),
    Case("mamba", "mamba", 6, mamba, heads=(0, 0), keys=SSM_KEYS),
    Case("rwkv6", "rwkv6", 6, rwkv, heads=(0, 0),
         keys={"wkv.head_size": u32(64), "time_mix_extra_dim": u32(32), "time_decay_extra_dim": u32(64)}),
    Case("layers-of-different-heads", "openelm", 8, fused, heads=(8, 8),
         keys={"attention.head_count": array(T.UINT32, [8, 4, 4, 4, 4, 8, 8, 8]),
               "attention.head_count_kv": array(T.UINT32, [2, 2, 2, 2, 2, 2, 2, 2]),
               "feed_forward_length": array(T.UINT32, [256] * 8)}),
    Case("bailingmoe3", "bailingmoe3", 6, mla, n_expert=4, heads=(8, 1), keys=KDA_KEYS),
    Case("glm5-next", "glm5-next", 6, mla, n_expert=8, heads=(8, 1), keys=GLM5_KEYS,
         ends={"blk.5.nextn.eh_proj.weight": (2, 256), "blk.5.hc_head.weight": (2, 256)}),
]  # fmt: skip

OPTIONS: dict[str, RecipeOptions] = {
    "plain": {},
    "pure": {"pure": True},
    "keep": {"leave_output_tensor": True},
    "embedding": {"token_embedding_type": "q8_0"},
    "output": {"output_tensor_type": "iq4_nl"},
    "rules": {"tensor_types": [
        "attn_v=q8_0", r"BLK\.(0|1)\.FFN_.*=q5_k", "ffn_down=f16", "token_embd=q3_k", r"\.1\..*_k\.=iq2_s", "q(kv)?[.]=mxfp4"]},
    "rules and ends": {"tensor_types": ["embd=tq2_0", r"ffn_\w+_(exps|shexp)=iq1_m", "output=bf16"],
                       "token_embedding_type": "q6_k", "output_tensor_type": "f16"},
    "pure with rules": {"pure": True, "tensor_types": ["down=tq1_0", "up=q1_0", "^blk=q2_0", "t=q4_1"]},
}  # fmt: skip
"""Options of llama-quantize, by a name, in our words."""

OPTION_PRESETS = ("Q4_K_M", "IQ3_XXS", "IQ2_S", "Q2_K_S", "Q3_K_L", "Q8_0", "MXFP4_MOE", "F16")
"""The presets that all options are tried with."""


def arguments(options: RecipeOptions) -> list[str]:
    """The same options on llama-quantize's command line."""
    found: list[str] = []
    for key, value in options.items():
        flag = "--tensor-type" if key == "tensor_types" else f"--{key.replace('_', '-')}"
        for item in value if isinstance(value, list) else [value]:
            found += [flag] if item is True else [flag, str(item)]
    return found


def file_of(case: Case) -> bytes:
    """The GGUF file that llama-quantize is given. All weights are 0: types do not depend on them."""
    return gguf_of(case.metadata, {name: (np.zeros(shape, np.float32), qtype) for name, shape, qtype in case.tensors})
