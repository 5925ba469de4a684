"""Mixtures of experts: configs that make no sense are refused with the key's name; what no recorded file shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ggufpress import quantize
from ggufpress.arch.config import Config
from ggufpress.arch.registry import all_described
from ggufpress.errors import ConfigError, GgufpressError, MappingError, TokenizerError, UnsupportedError
from tests.tiny import experts, newer_experts
from tests.tiny_checkpoints import TinyCase, make, shapes, without

CASES = {case.name: case for case in experts.CASES + newer_experts.CASES}


def describe(name: str, **values: Any) -> Any:
    case = CASES[name]
    config = Config(case.config | values, "dir/config.json", shapes(case))
    return all_described()[case.config["architectures"][0]](config, case.config["architectures"][0])


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("deepseek-moe", "n_routed_experts", 0),
        ("deepseek3-head-dim", "kv_lora_rank", "x"),
        ("glm-dsa", "indexer_types", "full"),
        ("dbrx", "attn_config", 3),
        ("llama4-interleaved", "no_rope_layers", 3),
        ("hy3-mtp", "num_experts", None),
        ("exaone-moe-layer-types", "layer_types", ["full_attention"]),
        ("mimo2-mtp", "hybrid_layer_pattern", [0, 2]),
        ("mimo2-mtp", "topk_method", "greedy"),
        ("mimo2-mtp", "swa_v_head_dim", 4),
        ("step35-mtp", "partial_rotary_factors", [1.0]),
        ("step35-mtp", "rope_theta", ["a"]),
        ("step35-mtp", "moe_layers_enum", "a,b"),
        ("step35-mtp", "swiglu_limits", [1.0, "a"]),
        ("minimax-m3", "sparse_attention_config", None),
        ("minimax-m3", "moe_layer_freq", 1),
        ("laguna", "num_attention_heads_per_layer", [4]),
        ("laguna", "gating", "per-row"),
        ("laguna", "mlp_layer_types", None),
        ("maple", "norm_topk_prob", False),
        ("maple", "hidden_act", "gelu"),
        ("mellum", "layer_types", None),
        ("cohere2-moe-mtp", "layer_types", ["full_attention"]),
        ("cohere2-moe-mtp", "mlp_layer_types", "dense"),
        ("cohere2-moe-mtp", "shared_expert_combination_strategy", "sum"),
        ("smallthinker", "sliding_window_layout", 1),
        ("granite-moe-swa", "no_rope_layers", 1),
        ("granite-moe-swa", "layer_types", ["full_attention"]),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(name: str, key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=key) as caught:
        describe(name, **{key: value})
    assert str(caught.value).startswith("dir/config.json")


def test_gates_of_two_kinds_are_refused_where_the_config_does_not_say_so() -> None:
    describe("laguna", gating="per-head", gating_types=["per-head", "per_head"])
    with pytest.raises(ConfigError, match="gating"):
        describe("laguna", gating=True, gating_types=["per-head", "per-element"])


def test_granite_needs_experts() -> None:
    with pytest.raises(UnsupportedError, match="without experts"):
        describe("granite-moe-shared-few-keys", num_local_experts=0)


def a13b(**values: Any) -> dict[str, Any]:
    return CASES["hy3-mtp"].config | {
        "architectures": ["HunYuanMoEV1ForCausalLM"], "model_type": "hunyuan_v1_moe", "moe_intermediate_size": [32, 32],
        "moe_topk": [2, 2], "num_shared_expert": [1, 1], "intermediate_size": 32} | values  # fmt: skip


def a13b_keys(**values: Any) -> dict[str, Any]:
    arch = all_described()["HunYuanMoEV1ForCausalLM"](Config(a13b(**values), "config.json"), "HunYuanMoEV1ForCausalLM")
    return {key: value.data for key, value in arch.metadata}


def test_hunyuan_has_the_same_in_all_layers() -> None:
    assert a13b_keys()["hunyuan-moe.expert_used_count"] == 2
    with pytest.raises(ConfigError, match="moe_topk"):
        a13b_keys(moe_topk=[2, 1])


def test_hunyuan_scales_rope_in_one_way_alone() -> None:
    known = {"rope_scaling": {"type": "dynamic", "alpha": 1000.0}, "hidden_size": 512, "max_position_embeddings": 32768}
    keys = a13b_keys(**known)
    assert keys["hunyuan-moe.rope.freq_base"] == pytest.approx(11158839.9251)
    assert keys["hunyuan-moe.context_length"] == keys["hunyuan-moe.rope.scaling.original_context_length"] == 262144
    with pytest.raises(UnsupportedError, match="alpha 1000"):
        a13b_keys(**known | {"rope_scaling": {"type": "dynamic", "alpha": 50.0}})


def test_hunyuan_without_a_tokenizer_json_says_what_is_missing(tmp_path: Path) -> None:
    case = TinyCase("a13b", a13b(tie_word_embeddings=True), "gpt-2", tensors=hunyuan())
    folder = make(case, tmp_path)
    report = quantize(folder, output=tmp_path / "out", types=["F16"], threads=1)
    assert report.files[0].path.stat().st_size > 1 << 20
    (folder / "tokenizer.json").unlink()
    with pytest.raises(TokenizerError, match=r"looked for .*tokenizer\.json"):
        quantize(folder, output=tmp_path / "out", types=["F16"], threads=1)


def hunyuan() -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (50304, 32), "model.norm.weight": (32,),
                                         "lm_head.weight": (50304, 32)}  # fmt: skip
    for i in (0, 1):
        hf = f"model.layers.{i}"
        found |= {f"{hf}.self_attn.{part}_proj.weight": shape for part, shape in {
            "q": (64, 32), "k": (32, 32), "v": (32, 32), "o": (32, 64)}.items()}  # fmt: skip
        found |= {f"{hf}.{name}.weight": (32,) for name in ("input_layernorm", "post_attention_layernorm")}
        found[f"{hf}.mlp.gate.wg.weight"] = (4, 32)
        for part in ("shared_mlp", *(f"experts.{e}" for e in range(4))):
            found |= {f"{hf}.mlp.{part}.{name}_proj.weight": (32, 32) for name in ("gate", "up", "down")}
    return found


def test_experts_of_another_width_than_the_config_says_are_named(tmp_path: Path) -> None:
    case = CASES["dots1"]
    folder = make(
        TinyCase("wide", case.config | {"moe_intermediate_size": 64}, "gpt-2", tensors=case.tensors), tmp_path
    )
    with pytest.raises(
        MappingError, match=r"ffn_down_exps.weight of shape \[4, 32, 32\], the config asks for \[4, 32, 64\]"
    ):
        quantize(folder, output=tmp_path / "out", types=["F16"], threads=1)


@pytest.mark.parametrize(
    ("name", "removed", "message"),
    [
        ("grok2", "tokenizer.model", r"tokenizer.json is missing"),
        ("arctic", "tokenizer.model", r"tokenizer.model is missing"),
        ("glm4-moe-no-mtp", "tokenizer_config.json", r"has no added token \[gMASK\]"),
    ],
)
def test_tokenizer_files_that_are_missing_are_named(tmp_path: Path, name: str, removed: str, message: str) -> None:
    folder = make(CASES[name], tmp_path)
    (folder / removed).unlink()
    with pytest.raises(GgufpressError, match=message):
        quantize(folder, output=tmp_path / "out", types=["F16"], threads=1)


def test_a_model_without_its_layers_for_further_tokens_is_that_of_no_mtp() -> None:
    keys = {key: value.data for key, value in describe("glm4-moe-no-mtp").metadata}
    assert keys["glm4moe.block_count"] == 2
    assert "glm4moe.nextn_predict_layers" not in keys
    assert describe("glm4-moe-mtp").n_layer == 3


def test_missing_keys_of_rope_sections_are_named() -> None:
    with pytest.raises(ConfigError, match="rope_parameters"):
        describe("laguna", rope_parameters={"rope_theta": 1e4})
    case = CASES["dbrx"]
    with pytest.raises(ConfigError, match="clip_qkv"):
        describe("dbrx", attn_config=without(case.config["attn_config"], "clip_qkv"))
