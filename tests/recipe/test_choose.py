"""Rules that the recorded files do not show on their own; parity itself is tests/test_parity.py."""

from __future__ import annotations

import json
import lzma
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from ggufpress.errors import ImatrixError, UnsupportedError, UsageError
from ggufpress.planning.facts import facts_of
from ggufpress.quant.types import BF16, F16, F32, Q4_K, Q5_0, Q5_K, Q6_K, Q8_0, QType
from ggufpress.recipe import (
    FALLBACKS,
    Recipe,
    choose_types,
    converter_type,
    quantizable,
    quantizer_order,
    role,
    stripped,
)
from ggufpress.recipe.mixture import HIGH, MIXTURE, RAISES, Choice, ModelFacts, Raise, Spot, mixed
from ggufpress.recipe.options import recipe_of
from ggufpress.recipe.presets import BY_NAME, preset_named
from tests.imatrix.files import entries_for
from tests.recipe.models import CASES, OPTIONS, Case
from tests.tiny_checkpoints import DATA

PLAIN = ModelFacts(arch="llama", n_layer=16, n_expert=0, n_gqa=1, is_70b=False, tied=False)


def types(
    names: list[str], preset: str, model: ModelFacts = PLAIN, cols: int = 256, source: QType = BF16
) -> dict[str, QType]:
    chosen = choose_types([(name, (256, cols), source) for name in names], Recipe(BY_NAME[preset]), model)
    return {name: decision.qtype for name, decision in chosen.items()}


def layers(part: str, n: int = 16) -> list[str]:
    return [f"blk.{i}.{part}.weight" for i in range(n)]


def test_more_bits_go_to_the_ends_and_every_third_between() -> None:
    got = types(layers("attn_v"), "Q4_K_M")
    assert [i for i in range(16) if got[f"blk.{i}.attn_v.weight"] is Q6_K] == [0, 1, 4, 7, 10, 13, 14, 15]


def test_a_70b_model_gets_better_values() -> None:
    model = ModelFacts("llama", 80, 0, 8, True, False)
    assert set(types(layers("attn_v", 80), "Q4_K_S", model).values()) == {Q5_K}


def test_falcon_has_its_own_ffn_down() -> None:
    falcon = ModelFacts("falcon", 32, 0, 1, False, False)
    got = types(layers("ffn_down", 32), "Q4_K_M", falcon)
    assert [got[f"blk.{i}.ffn_down.weight"].name for i in (0, 1, 2, 4, 6)] == ["Q6_K", "Q6_K", "Q5_K", "Q4_K", "Q5_K"]
    assert types(["output.weight"], "Q4_K_M", falcon) == {"output.weight": Q8_0}


@cache
def recorded() -> dict[str, dict[str, list[str] | None]]:
    data: dict[str, Any] = json.loads(lzma.decompress((DATA / "expected" / "types.json.xz").read_bytes()))
    return data


def recipe_for(case: Case, options: str, preset: str) -> Recipe:
    """The recipe of a recorded run, without rules that match nothing: llama-quantize overlooks those."""
    recipe = recipe_of(**OPTIONS[options])
    names = [name for name, shape, _ in case.tensors if quantizable(name, shape, case.arch)]
    known = tuple(rule for rule in recipe.overrides if any(rule.matches(name) for name in names))
    return replace(recipe, preset=BY_NAME[preset], overrides=known)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_types_equal_llama_quantizes(case: Case) -> None:
    """Every preset with and without an importance matrix, and options: recorded by tools/record_types.py."""
    tensors = case.tensors
    facts = facts_of(case.metadata, [name for name, _, _ in tensors])
    entries = {
        name: entry.sums.size for name, entry in entries_for((name, shape) for name, shape, _ in tensors).items()
    }
    for key, expected in recorded()[case.name].items():
        options, matrix, preset = key.split("/")
        if "tensor_types" in OPTIONS[options] and not BY_NAME[preset].qtype.quantized:
            # refused here, without effect there
            continue
        recipe = recipe_for(case, options, preset)
        if expected is None:
            with pytest.raises((UnsupportedError, UsageError, ImatrixError)):
                choose_types(tensors, recipe, facts, entries if matrix == "imatrix" else {})
            continue
        chosen = choose_types(tensors, recipe, facts, entries if matrix == "imatrix" else {})
        assert [decision.qtype.name for decision in chosen.values()] == expected, key


def test_every_row_of_the_table_is_used_by_a_recorded_case() -> None:
    used: set[Choice | Raise] = set()
    for case in CASES:
        facts = facts_of(case.metadata, [name for name, _, _ in case.tensors])
        for key, expected in recorded()[case.name].items():
            options, matrix, preset = key.split("/")
            if options == "plain" and expected:
                used |= rows_used(case, replace(facts, imatrix=matrix == "imatrix"), preset)
    assert [row.why for row in MIXTURE if row not in used] == []
    assert [row.why for row in RAISES if row not in used] == []


def rows_used(case: Case, facts: ModelFacts, preset: str) -> set[Choice | Raise]:
    """The rows that decide about a tensor of `case`."""
    found: set[Choice | Raise] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ggufpress.recipe.choose.mixed", lambda spot: deciding(spot, found))
        choose_types(case.tensors, Recipe(BY_NAME[preset], on_missing="unweighted"), facts)
    return found


def deciding(spot: Spot, found: set[Choice | Raise]) -> tuple[QType, str]:
    if row := next((row for row in MIXTURE if row.takes(spot)), None):
        found.add(row)
    qtype = row.qtype if row else spot.preset.qtype
    if spot.preset.name in HIGH.split() and spot.preset.name != "MXFP4_MOE":
        found |= {r for r in RAISES if spot.role in r.roles and (r.types is None or qtype in r.types) and r.when(spot)}
    return mixed(spot)


def test_experts_count_by_the_layer_in_the_name() -> None:
    model = ModelFacts("llama", 16, 4, 4, False, False)
    assert types(["blk.15.ffn_down_exps.weight"], "Q4_K_M", model) == {"blk.15.ffn_down_exps.weight": Q6_K}
    assert types(["blk.3.ffn_down_exps.weight"], "Q4_K_M", model) == {"blk.3.ffn_down_exps.weight": Q4_K}


@pytest.mark.parametrize(("cols", "expected"), [(256, Q4_K), (96, Q5_0), (40, F16)])
def test_rows_that_do_not_fit_get_a_smaller_block_and_then_f16(cols: int, expected: QType) -> None:
    chosen = choose_types([("blk.3.attn_q.weight", (8, cols), BF16)], Recipe(BY_NAME["Q4_K_M"]), PLAIN)
    decision = chosen["blk.3.attn_q.weight"]
    assert decision.qtype is expected
    assert (decision.fallback is None) == (cols == 256)
    if decision.fallback:
        assert f"rows of {cols} are no multiple of 256" in decision.fallback


def test_every_fallback_has_a_smaller_block() -> None:
    assert all(fallback.block < wanted.block for wanted, fallback in FALLBACKS.items())


def test_the_output_matrix_and_a_tied_embedding_get_more() -> None:
    tied = ModelFacts("llama", 16, 0, 1, False, True)
    assert types(["token_embd.weight"], "Q4_K_M", tied) == {"token_embd.weight": Q6_K}
    assert types(["token_embd.weight", "output.weight"], "Q4_K_M") == {"output.weight": Q6_K, "token_embd.weight": Q4_K}
    assert types(["output.weight"], "Q8_0") == {"output.weight": Q8_0}
    assert types(["output.weight"], "Q4_0", cols=96) == {"output.weight": Q8_0}


@pytest.mark.parametrize(
    ("name", "shape", "changes"),
    [
        ("blk.0.attn_q.weight", (8, 8), True),
        ("blk.0.attn_q.bias", (8,), False),
        ("blk.0.attn_q.bias", (8, 8), False),
        ("blk.0.attn_norm.weight", (8, 8), False),
        ("blk.0.ffn_gate_inp.weight", (8, 8), False),
        ("blk.0.attn_q.weight", (1, 8), False),
        ("blk.0.ffn_up_exps.weight", (2, 8, 8), True),
        ("position_embd.weight", (8, 8), False),
    ],
)
def test_what_llama_quantize_leaves_alone(name: str, shape: tuple[int, ...], changes: bool) -> None:
    assert quantizable(name, shape) == changes
    kept = choose_types([(name, shape, F32)], Recipe(BY_NAME["F16"]), PLAIN)[name]
    assert (kept.qtype is F16) == changes


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("blk.0.attn_q.weight", (64, 64), Q8_0),
        ("blk.0.attn_q.weight", (64, 40), F16),
        ("blk.0.attn_norm.weight", (64,), F32),
        ("blk.12.ffn_gate_inp.weight", (4, 64), F32),
        ("rope_freqs.weight", (64,), F32),
        ("blk.0.something.scale", (64, 64), F32),
    ],
)
def test_the_converters_types(name: str, shape: tuple[int, ...], expected: QType) -> None:
    assert converter_type(name, shape, BY_NAME["Q8_0"]).qtype is expected


def test_order_is_by_layer_and_then_by_name() -> None:
    names = ["blk.10.a", "blk.2.b", "output.weight", "blk.2.a", "a"]
    assert quantizer_order(names) == ["a", "output.weight", "blk.2.a", "blk.2.b", "blk.10.a"]


def test_names_of_presets() -> None:
    assert preset_named("q4_k") is BY_NAME["Q4_K_M"]
    with pytest.raises(UsageError) as caught:
        preset_named("Q9")
    assert "Q4_K_M" in (caught.value.hint or "")


def test_roles_and_leading_ones() -> None:
    assert [role(n) for n in ("output.weight", "blk.0.attn_kv_b.weight", "blk.0.ffn_gate.weight", "x")] == [
        "output", "attn_kv_b", "ffn_gate", "other",
    ]  # fmt: skip
    assert [stripped(s) for s in ((1, 1, 4), (1,), (2, 1))] == [(4,), (1,), (2, 1)]


def test_a_class_of_models_may_decide_what_the_converter_keeps_as_f32() -> None:
    router, other = "blk.0.ffn_gate_inp.weight", "blk.0.indexer.proj.weight"
    assert converter_type(router, (4, 64), BY_NAME["Q8_0"], as_f32=False).qtype is Q8_0
    assert converter_type(other, (4, 64), BY_NAME["Q8_0"], as_f32=True).qtype is F32
    assert converter_type(other, (4,), BY_NAME["Q8_0"], as_f32=False).qtype is F32
