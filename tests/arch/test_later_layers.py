"""Layers that predict further tokens, and layers found by what the checkpoint has."""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.experts import layers_with, named
from ggufpress.arch.later_layers import later_layers, n_later


def config(*names: str, **values: int) -> Config:
    return Config(values, "config.json", names)


def test_layers_behind_those_of_the_model_are_found_by_name() -> None:
    names = (
        "model.layers.0.a",
        "model.layers.10.a",
        "model.language_model.layers.3.a",
        "mtp.layers.9.a",
        "x.layers.8.a",
    )
    assert later_layers(config(*names), 3) == (3, 10)
    assert later_layers(config(*names), 11) == ()


def test_a_config_counts_only_where_the_checkpoint_has_such_layers() -> None:
    name = "num_nextn_predict_layers"
    assert n_later(config("model.layers.2.a", **{name: 1}), 2) == 1
    assert n_later(config("model.layers.1.a", **{name: 1}), 2) is None
    assert n_later(config("model.layers.1.a", **{name: 0}), 2) == 0
    assert n_later(config("model.layers.2.a"), 2) is None


def test_names_and_layers_are_looked_up_without_the_prefix_of_a_language_model() -> None:
    found = config("language_model.model.layers.1.moe.gate.weight", "model.layers.0.mlp.router.weight")
    assert layers_with(found, 3, "model.layers.{i}.moe.gate.weight") == (1,)
    assert (
        named(found, "model.layers.{i}.x.weight", "model.layers.{i}.moe.gate.weight")
        == "model.layers.{i}.moe.gate.weight"
    )
    assert named(found, "model.layers.{i}.x.weight", "model.layers.{i}.y.weight") == "model.layers.{i}.x.weight"
