"""The table of supported classes is what the families and the tests' cases say."""

from __future__ import annotations

from ggufpress.arch.registry import all_described, all_families
from ggufpress.arch.supported import supported
from tests.tiny.families import FAMILY_CASES
from tests.tiny_checkpoints import CASES

AGAIN = "run tools/record_supported.py"


def test_every_class_is_listed_once_with_its_cases() -> None:
    cases: dict[str, list[str]] = {name: [] for name in all_described()}
    for case in [*CASES, *FAMILY_CASES.values()]:
        cases.setdefault(case.config["architectures"][0], []).append(case.name)
    listed = [row.hf_class for row in supported()]
    assert sorted(listed) == sorted(cases), AGAIN
    assert {row.hf_class: list(row.cases) for row in supported()} == {k: sorted(v) for k, v in cases.items()}, AGAIN


def test_every_row_says_what_the_class_becomes() -> None:
    families = {family.__name__.rsplit(".", 1)[1] for family in all_families()}
    for row in supported():
        assert row.architectures, row
        assert row.tokenizers, row
        assert row.family in families, AGAIN
