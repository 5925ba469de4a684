from __future__ import annotations

import pytest

from ggufpress.errors import LlamaError
from ggufpress.llama.library import library
from ggufpress.llama.parameters import LAYOUTS, ROOM, Layout, Parameters, layout_of


def defaults(layout: Layout) -> tuple[Parameters, Parameters]:
    """What a library with this layout returns, with rubbish behind the last field, as there is."""
    made = []
    for fields in (layout.model, layout.context):
        parameters = Parameters()
        memoryview(parameters.raw).cast("B")[:] = b"\xa5" * ROOM
        for field in fields.values():
            parameters.put(field, field.default)
        made.append(parameters)
    return made[0], made[1]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.versions)
def test_a_layout_is_known_by_its_defaults(layout: Layout) -> None:
    assert layout_of(*defaults(layout), "here") is layout


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.versions)
def test_any_other_default_is_refused(layout: Layout) -> None:
    for name in ("n_ubatch", "type_v", "swa_full"):
        model, context = defaults(layout)
        context.put(layout.context[name], not layout.context[name].default)
        with pytest.raises(LlamaError, match="here is a version") as caught:
            layout_of(model, context, "here")
        assert "xllamacpp" in (caught.value.hint or "")


def test_fields_are_aligned_as_in_c() -> None:
    for layout in LAYOUTS:
        assert layout.model["tensor_split"].offset == 40
        assert layout.context["cb_eval"].offset == 88
        assert max(field.offset for field in layout.context.values()) + 8 <= ROOM
    assert [layout.context["embeddings"].offset for layout in LAYOUTS] == [128, 136]


def test_the_installed_library_has_a_known_layout() -> None:
    assert library().layout in LAYOUTS
