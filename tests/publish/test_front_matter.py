from __future__ import annotations

import pytest
import yaml

from ggufpress.errors import OutputError
from ggufpress.publish.front_matter import BEGIN, END, updated_card

KEYS = {"base_model": "org/base", "license": "mit", "language": ["no", "en"], "tags": ["gguf", "chat"], "empty": []}


def head(card: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(card.split("---\n")[1])
    return found


def test_a_new_card_has_everything() -> None:
    card = updated_card(None, "# Title", KEYS)
    assert head(card) == {
        "base_model": "org/base",
        "license": "mit",
        "language": ["no", "en"],
        "tags": ["gguf", "chat"],
    }
    assert card.endswith(f"---\n\n{BEGIN}\n# Title\n{END}\n")


def test_an_update_replaces_what_is_ours_and_nothing_else() -> None:
    first = updated_card("before\n", "old", KEYS)
    edited = first + "\nafter\n"
    again = updated_card(edited, "new", {**KEYS, "license": "other"})
    assert again == edited.replace("\nold\n", "\nnew\n")
    assert updated_card(again, "new", KEYS) == again


OWNED = """---
# my own
license: apache-2.0 # not mit
tags:
  - mine   # kept
  - text
widget: [1, 2]
---
# My card

Text.
"""


def test_keys_and_comments_of_the_owner_stay() -> None:
    card = updated_card(OWNED, "ours", KEYS)
    assert card.startswith(
        "---\n# my own\nlicense: apache-2.0 # not mit\ntags:\n  - gguf\n  - mine   # kept\n  - text\n"
    )
    assert head(card)["license"] == "apache-2.0"
    assert head(card)["base_model"] == "org/base"
    assert "# My card\n\nText.\n\n" + BEGIN in card


@pytest.mark.parametrize(
    ("stated", "tags"),
    [
        ("tags: [a, b]", ["a", "b", "gguf"]),
        ("tags: []", ["gguf"]),
        ("tags:\n- a", ["gguf", "a"]),
        ("tags:", ["gguf"]),
        ("tags: [a, gguf]", ["a", "gguf"]),
        ("tags: one", "one"),
    ],
)
def test_a_list_of_tags_is_completed(stated: str, tags: object) -> None:
    assert head(updated_card(f"---\n{stated}\nx: 1\n---\n", "ours", KEYS))["tags"] == tags


@pytest.mark.parametrize(
    "existing",
    ["---\n: [\n---\n", "---\n- a\n- b\n---\n", f"text\n{END}\n", f"{BEGIN}\ntext\n", f"{END}\n{BEGIN}\n"],
)
def test_a_card_that_cannot_be_updated_safely_is_refused(existing: str) -> None:
    with pytest.raises(OutputError) as caught:
        updated_card(existing, "ours", KEYS)
    assert "README.md" in str(caught.value)
    assert caught.value.hint


def test_a_card_without_an_end_of_its_front_matter_is_text() -> None:
    assert "---\nno end\n" in updated_card("---\nno end\n", "ours", KEYS)[10:]


def test_lines_of_windows_are_read() -> None:
    card = updated_card(OWNED.replace("\n", "\r\n"), "ours", KEYS)
    assert head(card)["license"] == "apache-2.0"
