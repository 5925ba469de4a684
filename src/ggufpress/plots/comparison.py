"""The picture of a comparison: errors by layer and role, and how many bytes have which type."""

from __future__ import annotations

from math import inf, isnan
from pathlib import Path

from ggufpress.amounts import human_bytes
from ggufpress.comparison.errors import TensorDifference
from ggufpress.comparison.report import FileComparison
from ggufpress.comparison.sides import Side, tensor_bytes
from ggufpress.execute.partfile import PartFile
from ggufpress.plots.bars import Bars
from ggufpress.plots.heatmap import HeatMap, percent
from ggufpress.plots.svg import Drawing, text_width
from ggufpress.quant.types import QTYPES

EDGE = 24.0
MAX_NAME = 60


def comparison_plot(found: FileComparison) -> str:
    """The picture as SVG text: a heat map of the relative error of each tensor, and a histogram of types."""
    heat, bars = errors_map(found.tensors), type_bars(found.left, found.right)
    title = f"{_name(found.left)} and {_name(found.right)}"
    below = EDGE + 50 + heat.height + 40
    legend = 80 + sum(text_width(name) for name in bars.names)
    width = max(heat.width, bars.margin + max(bars.room + 200, legend), 1.3 * text_width(title)) + 2 * EDGE
    on = Drawing(title, width, below + bars.height + EDGE)
    on.text(EDGE, EDGE + 8, title, kind="title")
    on.text(EDGE, EDGE + 36, "Error of the second against the first, by role and layer (-: of no layer)", kind="head")
    heat.draw(on, EDGE, EDGE + 50, "RMSE / RMS")
    on.text(EDGE, below - 16, "Bytes by type", kind="head")
    bars.draw(on, EDGE, below)
    return on.svg()


def errors_map(tensors: tuple[TensorDifference, ...]) -> HeatMap:
    """The relative errors by role and layer; tensors of no layer stand in a column before the first."""
    roles = list(dict.fromkeys(tensor.role for tensor in tensors))
    # what has no layer first: the ends of the model
    outside = {tensor.role for tensor in tensors if tensor.layer is None}
    roles.sort(key=lambda role: role not in outside)
    layers = sorted({tensor.layer for tensor in tensors if tensor.layer is not None})
    columns = {None: 0} | {layer: number for number, layer in enumerate(layers, 1)}
    places = {(roles.index(tensor.role), columns[tensor.layer]): tensor for tensor in tensors}
    return HeatMap(
        rows=roles,
        columns=["-", *map(str, layers)],
        values={place: inf if isnan(t.relative) else t.relative for place, t in places.items()},
        about={place: _about(tensor) for place, tensor in places.items()},
    )


def type_bars(left: Side, right: Side) -> Bars:
    """How many bytes of each side have which type."""
    rows = []
    for qtype in QTYPES:
        values = []
        for side in (left, right):
            own = [tensor for tensor in side.tensors if tensor.dtype is qtype]
            nbytes = sum(map(tensor_bytes, own))
            values.append((float(nbytes), f"{human_bytes(nbytes)}, {len(own)} tensor{'s' if len(own) > 1 else ''}"))
        if any(size for size, _ in values):
            rows.append((qtype.name, values))
    return Bars([_name(left), _name(right)], rows)


def write_plot(path: Path, svg: str, *, force: bool = False) -> None:
    """Write the picture; it appears when it is complete. Raises OutputError where it exists and not `force`."""
    data = svg.encode()
    with PartFile(path, len(data), force=force) as part:
        part.write_at(0, data)
        part.sync()
        part.commit()


def _about(tensor: TensorDifference) -> str:
    types = f"{tensor.left} -> {tensor.right}" if tensor.left is not tensor.right else tensor.left.name
    return f"{tensor.name}: {types}, " + ("the same bytes" if tensor.same_bytes else percent(tensor.relative))


def _name(side: Side) -> str:
    name = side.name
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 3]}..."
