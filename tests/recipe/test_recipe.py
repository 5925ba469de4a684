"""Recipes: what they refuse, what their rules do, what is told of each tensor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ggufpress.errors import ImatrixError, RecipeError, UsageError
from ggufpress.quant.types import BF16, IQ3_XXS, Q2_K, Q3_K, Q4_0, Q5_0, Q5_K, Q8_0, QTYPES, QType
from ggufpress.recipe import Decision, Override, Recipe, choose_types
from ggufpress.recipe.importance import NEEDY, UPGRADES, needs_importance, upgraded
from ggufpress.recipe.mixture import ModelFacts
from ggufpress.recipe.options import recipe_of
from ggufpress.recipe.presets import ALL, BY_NAME
from ggufpress.recipe.recipe import MADE, parse_override, parse_overrides

FACTS = ModelFacts("llama", 4, 0, 1, False, False)
NAMES = [f"blk.{i}.{part}.weight" for i in range(4) for part in ("attn_q", "attn_v", "ffn_down", "ffn_up")]
TENSORS: list[tuple[str, tuple[int, ...], QType]] = [
    (name, (4, 256), BF16) for name in ("token_embd.weight", "output.weight", *NAMES)
]
TENSORS.append(("blk.0.attn_norm.weight", (256,), BF16))
ENTRIES = dict.fromkeys(NAMES, 256)


def chosen(recipe: Recipe, entries: dict[str, int] | None = None, cols: int = 256) -> dict[str, Decision]:
    tensors = [(name, (*shape[:-1], cols), qtype) for name, shape, qtype in TENSORS]
    return choose_types(tensors, recipe, FACTS, entries)


def preset(name: str, *rules: str) -> Recipe:
    return Recipe(BY_NAME[name], tuple(parse_override(rule) for rule in rules))


def test_the_first_rule_that_matches_decides_and_patterns_are_lower_cased() -> None:
    got = chosen(preset("Q4_K_M", r"BLK\.0\.=Q8_0", "ffn_=q5_k", "ffn_down=q2_k"))
    assert got["blk.0.ffn_down.weight"].qtype is Q8_0
    assert got["blk.1.ffn_down.weight"].qtype is Q5_K
    # \D becomes \d, as in llama-quantize
    assert chosen(preset("Q4_K_M", r"blk\.\D=q8_0"))["blk.0.attn_q.weight"].qtype is Q8_0


def test_a_rule_that_matches_nothing_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="ffn_dwn=Q8_0 matches no tensor") as caught:
        chosen(preset("Q4_K_M", "attn_q=q8_0", "ffn_dwn=q8_0"))
    assert (caught.value.hint or "").startswith("near to it: blk.0.ffn_down.weight")


def test_a_rule_for_tensors_that_never_change_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"never changes, such as blk\.0.attn_norm.weight"):
        chosen(preset("Q4_K_M", "norm=q8_0"))
    with pytest.raises(UsageError, match=r"never changes, such as output\.weight"):
        chosen(replace(preset("Q4_K_M", "^output=q8_0"), leave_output_tensor=True))


def test_rules_in_files_of_floats_are_refused() -> None:
    with pytest.raises(UsageError, match="no effect in F16 files"):
        preset("F16", "ffn=q8_0")


@pytest.mark.parametrize("text", ["ffn_down", "=q8_0", "ffn_down=", "ffn=q9", "ffn=q8_k", "ffn=i32", "a(?=b)=q8_0"])
def test_what_is_no_override(text: str) -> None:
    with pytest.raises(UsageError):
        parse_override(text)


def test_overrides_in_a_file_stand_between_spaces_and_lines(tmp_path: Path) -> None:
    assert [str(rule) for rule in parse_overrides("a=q8_0  b=f16\n\n\tc=Q4_K\n")] == ["a=Q8_0", "b=F16", "c=Q4_K"]
    path = tmp_path / "types.txt"
    path.write_text("ffn=q6_k attn=q5_k")
    recipe = recipe_of(tensor_types=["x=f16"], tensor_type_files=[path])
    assert [rule.pattern for rule in recipe.overrides] == ["x", "ffn", "attn"]
    path.write_bytes(b"\xff")
    with pytest.raises(RecipeError, match="is no text"):
        recipe_of(tensor_type_files=[path])
    with pytest.raises(RecipeError, match="is missing"):
        recipe_of(tensor_type_files=[tmp_path / "none"])


def test_no_fallback_refuses_what_does_not_fit() -> None:
    recipe = Recipe(BY_NAME["Q4_K_M"])
    assert chosen(recipe, cols=96)["blk.1.attn_q.weight"].qtype is Q5_0
    with pytest.raises(UsageError, match=r"17 tensors would get another type.*Q4_K does not fit: rows of 96") as caught:
        chosen(replace(recipe, no_fallback=True), cols=96)
    assert "gets Q5_0" in (caught.value.hint or "")
    assert chosen(replace(recipe, no_fallback=True))


def test_the_ends_are_given_a_type_without_a_look_at_the_shape() -> None:
    with pytest.raises(UsageError, match=r"token_embd\.weight cannot be Q4_K: rows of 96") as caught:
        chosen(recipe_of(token_embedding_type="q4_k"), cols=96)
    assert "--token-embedding-type" in (caught.value.hint or "")


def test_what_needs_importance_is_listed_with_three_ways_out() -> None:
    with pytest.raises(ImatrixError, match=r"is needed for \d+ tensors: blk\.0\.attn_q\.weight \(IQ2_XS\)") as caught:
        chosen(preset("IQ2_XS"))
    assert all(
        way in (caught.value.hint or "") for way in ("--imatrix", "--on-missing upgrade", "--on-missing unweighted")
    )
    some = {name: 256 for name in NAMES if "ffn_up" not in name}
    with pytest.raises(ImatrixError, match=r"the importance matrix has none for 4 tensors: blk\.0\.ffn_up"):
        chosen(preset("IQ2_XS"), some)
    assert chosen(preset("IQ2_XS"), ENTRIES)["blk.0.ffn_up.weight"].importance == "entry"


def test_ways_out() -> None:
    some = {name: 256 for name in NAMES if "ffn_up" not in name}
    better = chosen(replace(preset("IQ2_XS"), on_missing="upgrade"), some)
    assert (better["blk.0.ffn_up.weight"].qtype, better["blk.0.ffn_up.weight"].upgrade) == (
        Q2_K,
        BY_NAME["IQ2_XS"].qtype,
    )
    assert better["blk.0.attn_q.weight"].upgrade is None
    plain = chosen(replace(preset("IQ2_XS"), on_missing="unweighted"), some)
    assert plain["blk.0.ffn_up.weight"].importance == "ones"
    assert plain["blk.0.attn_v.weight"].importance == "entry"
    assert chosen(replace(preset("IQ3_XXS"), on_missing="unweighted"))["blk.0.ffn_up.weight"].importance == "none"


def test_upgrades_are_never_smaller_and_end() -> None:
    assert all(better.bpw >= wanted.bpw and better.block == wanted.block for wanted, better in UPGRADES.items())
    for recipe in ALL:
        for qtype in QTYPES:
            assert not needs_importance("blk.0.x.weight", upgraded("blk.0.x.weight", qtype, recipe), recipe)
    assert upgraded("blk.0.x.weight", Q2_K, BY_NAME["Q2_K_S"]) is Q3_K
    assert upgraded("blk.0.x.weight", Q2_K, BY_NAME["Q2_K"]) is Q2_K
    assert not needs_importance("output.weight", IQ3_XXS, BY_NAME["IQ3_XXS"])
    assert set(NEEDY) < set(UPGRADES)


def test_an_entry_of_another_size_is_refused_but_for_the_embedding() -> None:
    with pytest.raises(
        ImatrixError, match=r"has 128 numbers for blk.0.attn_q.weight, whose shape \[4, 256\] needs 256"
    ):
        chosen(preset("Q4_K_M"), {"blk.0.attn_q.weight": 128})
    got = chosen(preset("Q4_K_M"), {"token_embd.weight": 128, "output.weight": 256})
    assert (got["token_embd.weight"].importance, got["output.weight"].importance) == ("none", "entry")


def test_types_that_are_the_same_with_importance_do_not_read_it() -> None:
    assert {d.importance for d in chosen(preset("Q8_0"), ENTRIES).values()} == {"none"}


def test_steps_tell_the_order_of_decision() -> None:
    recipe = replace(preset("Q4_0", "attn_q=q8_0"), token_embedding_type=Q4_0)
    got = chosen(recipe, ENTRIES)
    asked = ["may change", "--token-embedding-type", "--output-tensor-type", "--tensor-type"]
    assert [step.rule for step in got["blk.0.attn_q.weight"].steps] == [*asked, "shape", "importance"]
    assert [step.rule for step in got["blk.0.attn_v.weight"].steps] == [
        *asked,
        "the mix of Q4_0",
        "shape",
        "importance",
    ]
    assert [step.rule for step in got["token_embd.weight"].steps][:3] == [
        "may change",
        "--token-embedding-type",
        "importance",
    ]
    assert got["blk.0.attn_norm.weight"].steps[0].answer == "no: it has one dimension"


def test_include_and_exclude_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="not both"):
        recipe_of(include_weights=["a"], exclude_weights=["b"])
    with pytest.raises(UsageError, match="on-missing 'guess' is unknown"):
        recipe_of(on_missing="guess")  # type: ignore[arg-type]


def test_every_made_type_can_be_made() -> None:
    import numpy as np

    from ggufpress import quantize_rows

    for qtype in MADE:
        assert quantize_rows(np.ones((1, 256), np.float32), qtype, np.ones(256, np.float32)).size
    assert isinstance(Override("x", Q8_0).pattern, str)
