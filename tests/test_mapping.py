"""The mapping is total: what does not fit is named before a weight is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ggufpress.arch.config import Config
from ggufpress.arch.families.llama import describe
from ggufpress.arch.gather import Transpose
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.errors import MappingError, UnsupportedError
from ggufpress.mapping import TensorMap, map_tensors
from ggufpress.source.checkpoint import Checkpoint, TensorRef
from tests.tiny_checkpoints import LLAMA, MIXTRAL, TinyCase, shapes

CASE = TinyCase("a", LLAMA)
MOE = TinyCase("m", MIXTRAL)


def checkpoint(case: TinyCase, dtype: str = "BF16") -> Checkpoint:
    refs = {
        name: TensorRef(name, dtype, shape, Path("w.safetensors"), 0, 0) for name, shape in sorted(shapes(case).items())
    }
    return Checkpoint(Path("dir"), case.config, refs)


def mapped(case: TinyCase, source: Checkpoint) -> TensorMap:
    return map_tensors(source, describe(Config(case.config, "config.json"), case.config["architectures"][0]))


def changed(source: Checkpoint, **tensors: TensorRef | None) -> Checkpoint:
    named = {name.replace("__", "."): ref for name, ref in tensors.items()}
    return replace(source, tensors={k: v for k, v in {**source.tensors, **named}.items() if v is not None})


def test_every_tensor_is_made_once_and_in_the_order_of_the_checkpoint() -> None:
    found = mapped(CASE, checkpoint(CASE))
    assert len({t.name for t in found.tensors}) == len(found.tensors) == len(shapes(CASE))
    sources = [t.sources[0].name for t in found.tensors]
    assert sources == sorted(sources)


def test_experts_are_stacked_and_written_when_the_last_is_due() -> None:
    found = {t.name: t for t in mapped(MOE, checkpoint(MOE)).tensors}
    experts = found["blk.1.ffn_up_exps.weight"]
    assert experts.shape == (4, 256, 256)
    assert [ref.name.split(".")[5] for ref in experts.sources] == ["0", "1", "2", "3"]
    names = list(found)
    assert names[names.index("blk.0.ffn_gate_exps.weight") :][:3] == [
        f"blk.0.ffn_{p}_exps.weight" for p in ("gate", "down", "up")
    ]


def test_a_tensor_that_no_rule_takes_is_named_with_the_nearest() -> None:
    ref = TensorRef("model.layers.0.self_attn.q_projj.weight", "BF16", (256, 256), Path("w"), 0, 0)
    with pytest.raises(MappingError) as caught:
        mapped(CASE, changed(checkpoint(CASE), **{ref.name.replace(".", "__"): ref}))
    assert "model.layers.0.self_attn.q_projj.weight: no rule takes it" in str(caught.value)
    assert "nearest: model.layers.0.self_attn.q_proj.weight" in str(caught.value)


def test_a_layer_beyond_the_config_is_no_layer() -> None:
    ref = TensorRef("model.layers.2.mlp.up_proj.weight", "BF16", (512, 256), Path("w"), 0, 0)
    with pytest.raises(MappingError, match=r"layers\.2\.mlp.*no rule takes it"):
        mapped(CASE, changed(checkpoint(CASE), **{ref.name.replace(".", "__"): ref}))


@given(st.sampled_from(sorted(set(shapes(CASE)) - {"lm_head.weight"})))
def test_each_missing_tensor_is_named(name: str) -> None:
    source = checkpoint(CASE)
    with pytest.raises(MappingError) as caught:
        mapped(CASE, replace(source, tensors={k: v for k, v in source.tensors.items() if k != name}))
    assert f"{name} is missing" in str(caught.value)


def test_a_single_missing_expert_is_named() -> None:
    source = checkpoint(MOE)
    name = "model.layers.1.block_sparse_moe.experts.2.w3.weight"
    with pytest.raises(MappingError, match=name):
        mapped(MOE, replace(source, tensors={k: v for k, v in source.tensors.items() if k != name}))


@given(st.sampled_from(sorted(shapes(CASE))))
def test_each_wrong_shape_is_named(name: str) -> None:
    source = checkpoint(CASE)
    ref = source.tensors[name]
    wrong = replace(ref, shape=(*ref.shape[:-1], ref.shape[-1] + 64))
    with pytest.raises(MappingError) as caught:
        mapped(CASE, replace(source, tensors={**source.tensors, name: wrong}))
    assert name in str(caught.value)
    assert str(ref.shape[-1] + 64) in str(caught.value)


def test_an_empty_tensor_is_refused() -> None:
    arch = Arch("x", "X", 0, 0, None, "none", (), (Rule("a.weight", "a"),))
    ref = TensorRef("a", "F32", (0, 4), Path("w"), 0, 0)
    with pytest.raises(MappingError, match="a is empty"):
        map_tensors(Checkpoint(Path("d"), {}, {"a": ref}), arch)


def test_a_type_that_cannot_be_read_is_named() -> None:
    with pytest.raises(UnsupportedError, match=r"w\.safetensors: .* is stored as F8_E4M3"):
        mapped(CASE, checkpoint(CASE, "F8_E4M3"))


def test_dropped_tensors_keep_their_reason_whatever_their_type() -> None:
    arch = Arch("x", "X", 2, 0, None, "none", (), (Rule("a.weight", "a"),), (Drop("l.{i}.inv_freq", "not needed"),))
    refs = {n: TensorRef(n, "I64" if "inv" in n else "F32", (4,), Path("w"), 0, 0) for n in ("a", "l.1.inv_freq")}
    found = map_tensors(Checkpoint(Path("d"), {}, refs), arch)
    assert found.dropped == (("l.1.inv_freq", "not needed"),)
    assert [t.name for t in found.tensors] == ["a.weight"]


@pytest.mark.parametrize(("present", "what"), [([], "by none"), (["a", "b"], "more than once")])
def test_of_several_rules_for_a_target_exactly_one_must_find_its_source(present: list[str], what: str) -> None:
    rules = (Rule("t.weight", "a", required=False), Rule("t.weight", "b", required=False))
    arch = Arch("x", "X", 0, 0, None, "none", (), rules)
    refs = {name: TensorRef(name, "F32", (4,), Path("w"), 0, 0) for name in present}
    with pytest.raises(MappingError, match=f"t.weight is made {what} of a or b"):
        map_tensors(Checkpoint(Path("d"), {}, refs), arch)


def test_more_experts_than_any_model_has_are_refused_before_they_are_listed() -> None:
    with pytest.raises(MappingError, match="asks for 25,769,803,801 tensors"):
        mapped(TinyCase("m", MIXTRAL | {"num_local_experts": (1 << 32) - 1}), checkpoint(MOE))


def test_many_problems_are_listed_and_counted() -> None:
    source = checkpoint(CASE)
    with pytest.raises(MappingError) as caught:
        mapped(CASE, replace(source, tensors={}))
    lines = str(caught.value).splitlines()
    assert "20 tensors do not fit" in lines[0]
    assert (len(lines), lines[-1].strip()) == (10, "and 12 more")


def test_a_rule_may_be_for_some_layers_and_another_number_of_tensors() -> None:
    source = checkpoint(MOE)
    arch = describe(Config(MOE.config, "config.json"), "MixtralForCausalLM")
    one = tuple(replace(rule, layers=(1,), stack=2) if "{e}" in rule.source else rule for rule in arch.rules)
    with pytest.raises(MappingError) as caught:
        map_tensors(source, replace(arch, rules=one))
    assert "layers.0.block_sparse_moe.experts.0.w1.weight: no rule takes it" in str(caught.value)
    kept = {
        name: ref
        for name, ref in source.tensors.items()
        if "experts" not in name or ("layers.1" in name and ".0." in name)
    }
    kept |= {name: ref for name, ref in source.tensors.items() if "layers.1" in name and "experts.1." in name}
    found = {t.name: t.shape for t in map_tensors(replace(source, tensors=kept), _loose(arch, one)).tensors}
    assert found["blk.1.ffn_up_exps.weight"] == (2, 256, 256)
    assert "blk.0.ffn_up_exps.weight" not in found


def _loose(arch: Arch, rules: tuple[Rule, ...]) -> Arch:
    return replace(arch, rules=tuple(replace(rule, shape=None) if "{e}" in rule.source else rule for rule in rules))


def test_all_tensors_below_a_name_are_dropped_also_in_layers_that_the_model_does_not_have() -> None:
    extra = TensorRef("model.layers.7.mlp.up_proj.weight", "BF16", (2, 2), Path("w"), 0, 0)
    source = changed(checkpoint(CASE), model__layers__7__mlp__up_proj__weight=extra)
    arch = describe(Config(CASE.config, "config.json"), "LlamaForCausalLM")
    with pytest.raises(MappingError, match=r"layers\.7\.mlp\.up_proj\.weight: no rule takes it"):
        map_tensors(source, arch)
    found = map_tensors(source, replace(arch, drops=(Drop("model.layers.{i}.*", "it predicts", (7,)),)))
    assert found.dropped == ((extra.name, "it predicts"),)


def small(rules: tuple[Rule, ...], **stored: tuple[int, ...]) -> TensorMap:
    refs = {name: TensorRef(name, "F32", shape, Path("w.safetensors"), 0, 0) for name, shape in stored.items()}
    arch = Arch("llama", "X", 1, 0, None, "bpe", (), rules)
    return map_tensors(Checkpoint(Path("dir"), {}, refs), arch)


def test_a_rule_may_repeat_weights_that_another_uses() -> None:
    rules = (Rule("v", "a", gather=Transpose(), repeats=True), Rule("t", "a", gather=Transpose()))
    assert [tensor.name for tensor in small(rules, a=(2, 3)).tensors] == ["v", "t"]
    with pytest.raises(MappingError, match="exactly once"):
        small((replace(rules[0], repeats=False), rules[1]), a=(2, 3))


def test_a_stack_of_named_tensors_is_in_the_order_of_the_names() -> None:
    (tensor,) = small((Rule("t", "x_{e}", stack=("r", "k", "a")),), x_a=(1, 4), x_k=(1, 4), x_r=(1, 4)).tensors
    assert ([ref.name for ref in tensor.sources], tensor.shape) == (["x_r", "x_k", "x_a"], (3, 1, 4))
    with pytest.raises(MappingError, match="x_k is missing"):
        small((Rule("t", "x_{e}", stack=("r", "k")),), x_r=(1, 4))


@pytest.mark.parametrize(("order", "kept"), [("embed head", False), ("head embed", True)])
def test_an_output_with_the_weights_of_the_embedding_is_left_out(tmp_path: Path, order: str, kept: bool) -> None:
    path = tmp_path / "w"
    path.write_bytes(bytes(range(16)) * 2)
    refs = {name: TensorRef(name, "F32", (2, 2), path, 16 * i, 16) for i, name in enumerate(order.split())}
    rules = (Rule("token_embd", "embed"), Rule("output", "head", required=False, unless_equal=("embed",)))
    arch = Arch("llama", "X", 1, 0, None, "bpe", (), rules)
    found = map_tensors(Checkpoint(tmp_path, {}, refs), arch)
    # the converter compares only with what it has seen
    assert ("output" in [tensor.name for tensor in found.tensors]) == kept
    assert found.dropped == (() if kept else (("head", "its weights are those of embed"),))


def test_weights_that_are_stored_quantized_are_named_by_their_method() -> None:
    scale = TensorRef("model.layers.0.mlp.up_proj.weight_scale_inv", "F32", (1, 1), Path("w"), 0, 0)
    source = changed(checkpoint(CASE), model__layers__0__mlp__up_proj__weight_scale_inv=scale)
    source = replace(source, config={**source.config, "quantization_config": {"quant_method": "fp8"}})
    with pytest.raises(UnsupportedError, match=r"config\.json: the weights are stored as fp8") as caught:
        mapped(CASE, source)
    assert caught.value.hint
