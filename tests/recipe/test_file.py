"""Recipe files: what is read, what is written, what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ggufpress.errors import RecipeError, UsageError
from ggufpress.quant.types import F16, Q6_K, Q8_0
from ggufpress.recipe import Override, Recipe
from ggufpress.recipe.file import read_recipe, recipe_text
from ggufpress.recipe.options import recipe_of
from ggufpress.recipe.presets import ALL, BY_NAME
from ggufpress.recipe.recipe import MADE, ON_MISSING

FULL = r"""# a comment
preset = "q3_k"
token_embedding_type = "q8_0"
output_tensor_type = "F16"
pure = true
leave_output_tensor = true
no_fallback = true

[[rule]]
match = '^blk\.[0-3]\.ffn_(up|down)'
type = "Q6_K"

[[rule]]
match = "attn's"
type = "q8_0"

[imatrix]
exclude = ["attn_k", "blk.0."]
on_missing = "upgrade"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def test_every_key_is_read(tmp_path: Path) -> None:
    assert read_recipe(written(tmp_path, FULL)) == Recipe(
        BY_NAME["Q3_K_M"], (Override(r"^blk\.[0-3]\.ffn_(up|down)", Q6_K), Override("attn's", Q8_0)), Q8_0, F16,
        True, True, True, (), ("attn_k", "blk.0."), "upgrade",
    )  # fmt: skip
    assert read_recipe(written(tmp_path, 'preset = "IQ2_M"')) == Recipe(BY_NAME["IQ2_M"])


patterns = st.text(min_size=1, max_size=20).map(
    lambda text: "".join(f"[{c}]" if c not in "[]^\\-" else "x" for c in text)
)
recipes = st.builds(
    Recipe,
    preset=st.sampled_from([preset for preset in ALL if preset.qtype.quantized]),
    overrides=st.lists(st.builds(Override, patterns, st.sampled_from(MADE)), max_size=3).map(tuple),
    token_embedding_type=st.none() | st.sampled_from(MADE),
    output_tensor_type=st.none() | st.sampled_from(MADE),
    pure=st.booleans(),
    leave_output_tensor=st.booleans(),
    no_fallback=st.booleans(),
    include=st.lists(st.text(min_size=1), max_size=2).map(tuple),
    on_missing=st.sampled_from(ON_MISSING),
)


@given(recipes, st.text(max_size=30))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe, comment: str) -> None:
    path = tmp_path_factory.getbasetemp() / "round.toml"
    path.write_text(recipe_text(recipe, comment), newline="")
    assert read_recipe(path) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("preset = ", "is no TOML"),
        ("", "preset is missing"),
        ("preset = 4", "preset is 4, not a string"),
        ('preset = "Q9"', "no preset is called 'Q9'"),
        ('preset = "Q4_K_M"\npurr = true', "the key 'purr' is unknown"),
        ('preset = "Q4_K_M"\npure = "yes"', "pure is 'yes', not true or false"),
        ('preset = "Q4_K_M"\noutput_tensor_type = "Q9"', "no tensor type is called 'Q9'"),
        ('preset = "Q4_K_M"\nrule = 3', "rule is 3, not a list of tables"),
        ('preset = "Q4_K_M"\nrule = [3]', "rule 1: it is no table"),
        ('preset = "Q4_K_M"\n[[rule]]\nmatch = "a"', "rule 1: it needs match and type"),
        ('preset = "Q4_K_M"\n[[rule]]\nmatch = "("\ntype = "q8_0"', "rule 1: the pattern '(' is wrong at character"),
        ('preset = "Q4_K_M"\n[[rule]]\nmatch = "a"\ntype = "i8"', "rule 1: I8 is no type"),
        ('preset = "Q4_K_M"\n[[rule]]\nmatch = "a"\ntype = "q8_0"\nwhy = 1', "rule 1: the key 'why' is unknown"),
        ('preset = "F16"\n[[rule]]\nmatch = "a"\ntype = "q8_0"', "no effect in F16 files"),
        ('preset = "Q4_K_M"\nimatrix = true', "imatrix is True, not a table"),
        ('preset = "Q4_K_M"\n[imatrix]\nfile = "x"', "imatrix.the key 'file' is unknown"),
        ('preset = "Q4_K_M"\n[imatrix]\ninclude = "x"', "imatrix.include is 'x', not a list"),
        ('preset = "Q4_K_M"\n[imatrix]\non_missing = "guess"', "on-missing 'guess' is unknown"),
        ('preset = "Q4_K_M"\n[imatrix]\ninclude = ["a"]\nexclude = ["b"]', "not both"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=r"recipe\.toml") as caught:
        read_recipe(written(tmp_path, text))
    assert message in str(caught.value)


def test_files_that_are_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="is no TOML"):
        read_recipe(tmp_path / "a.toml")
    (tmp_path / "deep.toml").write_text("x = " + "[" * 20_000)
    with pytest.raises(RecipeError, match="is no TOML"):
        read_recipe(tmp_path / "deep.toml")
    with (tmp_path / "big.toml").open("wb") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(RecipeError, match="has 1,073,741,824 bytes"):
        read_recipe(tmp_path / "big.toml")


def test_options_add_to_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, FULL.replace("pure = true\n", ""))
    recipe = recipe_of(recipe=path, tensor_types=["x=f16"], output_tensor_type="q5_0", include_weights=["y"])
    assert [rule.pattern for rule in recipe.overrides] == ["x", r"^blk\.[0-3]\.ffn_(up|down)", "attn's"]
    assert (recipe.output_tensor_type, recipe.token_embedding_type) == (BY_NAME["Q5_0"].qtype, Q8_0)
    assert (recipe.include, recipe.exclude, recipe.on_missing) == (("y",), (), "upgrade")
    assert (recipe.pure, recipe.no_fallback, recipe.preset.name) == (False, True, "Q3_K_M")
    assert recipe_of(recipe=recipe, pure=True, preset="IQ4_XS", on_missing="fail").preset.name == "IQ4_XS"
    with pytest.raises(UsageError, match="no effect in F16"):
        recipe_of(recipe=path, preset="F16")
