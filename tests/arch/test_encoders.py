from __future__ import annotations

from typing import Any

import pytest

from ggufpress.arch.config import Config
from ggufpress.arch.encoders import are_dummies, output_labels, positions_behind_padding
from ggufpress.errors import ConfigError


def test_a_known_class_has_two_labels_where_the_config_has_none() -> None:
    assert output_labels(Config({}, "c"), known=True) == ("LABEL_0", "LABEL_1")
    assert output_labels(Config({"num_labels": 1}, "c"), known=True) == ("LABEL_0",)
    assert output_labels(Config({"num_labels": 1}, "c"), known=False) == ()


def test_labels_are_sorted_as_the_reference_has_their_numbers() -> None:
    config = Config({"id2label": {str(i): f"L{i}" for i in range(11)}}, "c")
    assert output_labels(config, known=True)[2] == "L2"
    assert output_labels(config, known=False)[2] == "L10"


@pytest.mark.parametrize("labels", [[], {"0": 1}, {"x": "a"}, 3])
def test_broken_labels(labels: Any) -> None:
    with pytest.raises(ConfigError, match=r"^c: id2label is .* an object of names by number was expected"):
        output_labels(Config({"id2label": labels}, "c"), known=True)


def test_more_labels_than_any_model_has() -> None:
    with pytest.raises(ConfigError, match="num_labels is 1073741824, at most"):
        output_labels(Config({"num_labels": 1 << 30}, "c"), known=True)


def test_dummies() -> None:
    assert are_dummies(("LABEL_0", "LABEL_1"))
    assert not are_dummies(("LABEL_0",))
    assert not are_dummies(("NEGATIVE", "POSITIVE"))


def test_positions_of_padding_are_no_context() -> None:
    config, skipped = positions_behind_padding(Config({"pad_token_id": 1, "max_position_embeddings": 514}, "c"))
    assert (config.integer("max_position_embeddings"), skipped) == (512, 2)
    assert positions_behind_padding(Config({"max_position_embeddings": 514}, "c"))[1] == 0
    with pytest.raises(
        ConfigError, match=r"max_position_embeddings is 2, more than pad_token_id \+ 1 = 2 was expected"
    ):
        positions_behind_padding(Config({"pad_token_id": 1, "max_position_embeddings": 2}, "c"))
