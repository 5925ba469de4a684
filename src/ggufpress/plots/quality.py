"""The picture of an evaluation: what each file costs in quality, against its size, and which files nothing beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from textwrap import wrap

from ggufpress.plots.scales import Scale, fitting
from ggufpress.plots.svg import CHAR, Anchor, Drawing, text_width
from ggufpress.quality.measure import Evaluation, Quality

WIDTH, HEIGHT = 760.0, 512.0
LEFT, RIGHT, TOP, BOTTOM = 84.0, 40.0, 78.0, 142.0
RADIUS = 5.0
LINE = 14.0
LINES = 3
"""In which the front is named, at most."""
WIDE = 8
"""From here on the largest figure is so many times the smallest that logarithms are drawn."""


Box = tuple[float, float, float, float]
"""Left, top, right and bottom in px."""


@dataclass(frozen=True, slots=True)
class Point:
    """A file in the picture: size in bytes, its figure (the less the better) and that figure's standard error."""

    name: str
    nbytes: int
    figure: float
    error: float


def quality_plot(found: Evaluation, reference: str | None) -> str:
    """The picture as SVG text: KL divergence, or perplexity where there is no reference, against size."""
    points = [_point(file, name) for file, name in zip(found.files, short_names(found.files), strict=True)]
    front = pareto_front(points)
    what = "KL divergence from the reference" if found.reference else "Perplexity"
    on = Drawing(f"{what} against size", WIDTH, HEIGHT)
    on.text(LEFT, 30, f"{what} against size", kind="title")
    chunks = max(file.n_chunks for file in found.files)
    beside = f", beside {reference}" if reference else ""
    on.text(LEFT, 50, _cut(f"{found.text}: {chunks} chunks of {found.n_ctx} tokens{beside}"), kind="faint")
    sizes = [point.nbytes for point in points]
    x = fitting(sizes, LEFT, WIDTH - RIGHT, logarithmic=max(sizes) >= WIDE / 2 * min(sizes))
    y = _figures(points)
    _axes(on, x, y, "nats per token, mean" if found.reference else "perplexity")
    taken = _steps(on, [points[number] for number in front], x, y)
    taken += [_around(x.at(point.nbytes), y.at(point.figure)) for point in points]
    for number, point in enumerate(points):
        best = number in front
        across, down = x.at(point.nbytes), y.at(point.figure)
        if point.error:
            low = max(point.figure - point.error, y.low)
            bar = y.at(min(point.figure + point.error, y.high)), y.at(low)
            on.line(across, bar[0], across, bar[1])
            taken.append((across - 1, bar[0], across + 1, bar[1]))
        about = f"{point.name}: {size_text(point.nbytes)}, {point.figure:.5g} ± {point.error:.2g}"
        on.dot(across, down, RADIUS, kind="a" if best else "b", about=about)
    for number, point in enumerate(points):
        best = number in front
        across, down = x.at(point.nbytes), y.at(point.figure)
        _label(on, point.name, across, down, taken, best=best)
    _legend(on, [points[number].name for number in front])
    return on.svg()


def _legend(on: Drawing, names: Sequence[str]) -> None:
    """What the colours mean, and who is in the front."""
    top = HEIGHT - 36 - (LINES - 1) * (LINE + 2)
    on.dot(LEFT + 4, top - 4, RADIUS, kind="a")
    on.text(LEFT + 16, top, "Pareto front: no file is both smaller and better")
    middle = LEFT + 16 + text_width("Pareto front: no file is both smaller and better") + 24
    on.dot(middle, top - 4, RADIUS, kind="b")
    on.text(middle + 12, top, "another file is", kind="faint")
    for number, line in enumerate(wrap(", ".join(names), _room())[:LINES]):
        on.text(LEFT + 16, top + 18 + number * (LINE + 2), line)


def pareto_front(points: Sequence[Point]) -> list[int]:
    """The numbers of the points that no other beats, smallest file first: none is at once as small and better."""
    order = sorted(range(len(points)), key=lambda number: (points[number].nbytes, points[number].figure))
    front: list[int] = []
    for number in order:
        if not front or points[number].figure < points[front[-1]].figure:
            front.append(number)
    return front


def short_names(files: Sequence[Quality]) -> list[str]:
    """What tells the files apart: their names without what all begin with, cut at a `-`."""
    names = [file.path.name.removesuffix(".gguf") for file in files]
    # a single name is cut at its last `-`
    columns = zip(*names, strict=False)
    shared = "".join(chars[0] for chars in takewhile(lambda chars: len(set(chars)) == 1, columns))
    cut = shared.rfind("-") + 1
    return [name[cut:] or name for name in names]


def size_text(nbytes: float) -> str:
    """A size as axes have it: 2.5 MB, 1.2 GB."""
    return f"{nbytes / 1e9:.4g} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.4g} MB"


def _point(file: Quality, name: str) -> Point:
    figure = file.divergence.kld if file.divergence else file.ppl
    return Point(name, file.nbytes, figure.value, figure.error)


def _figures(points: Sequence[Point]) -> Scale:
    """The upright scale. Logarithms where figures differ much; those that are none for their errors stand at its foot."""
    low = [point.figure - point.error for point in points]
    high = [point.figure + point.error for point in points]
    start, end = HEIGHT - BOTTOM, TOP
    clear = [point.figure for point in points if point.figure > point.error]
    if clear and max(high) / min(clear) >= WIDE:
        return fitting([min(clear), max(high)], start, end, logarithmic=True)
    return fitting([*low, *high], start, end)


def _axes(on: Drawing, x: Scale, y: Scale, what: str) -> None:
    on.line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM)
    on.line(LEFT, TOP, LEFT, HEIGHT - BOTTOM)
    for tick in x.ticks():
        on.line(x.at(tick), HEIGHT - BOTTOM, x.at(tick), HEIGHT - BOTTOM + 5)
        on.text(x.at(tick), HEIGHT - BOTTOM + 20, size_text(tick), anchor="middle", kind="faint")
    for tick in y.ticks():
        on.line(LEFT - 5, y.at(tick), LEFT, y.at(tick))
        on.text(LEFT - 9, y.at(tick) + 4, f"{tick:.4g}", anchor="end", kind="faint")
    on.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 40, "size of the file", anchor="middle", kind="faint")
    on.text(LEFT, TOP - 6, what, kind="faint")


def _steps(on: Drawing, front: Sequence[Point], x: Scale, y: Scale) -> list[Box]:
    """Draw the border of what the front's files beat, along each figure up to the next size, then down; where it lies."""
    boxes: list[Box] = []
    for here, there in pairwise(front):
        left, right, top, down = x.at(here.nbytes), x.at(there.nbytes), y.at(here.figure), y.at(there.figure)
        on.line(left, top, right, top)
        on.line(right, top, right, down)
        boxes += [(left, top - 1, right, top + 1), (right - 1, top, right + 1, down)]
    return boxes


def _around(x: float, y: float) -> Box:
    return x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS


def _label(on: Drawing, name: str, x: float, y: float, taken: list[Box], *, best: bool) -> None:
    """Write a name beside its point where there is room, of the front's files below the border; else nowhere."""
    width = text_width(name)
    near = RADIUS + 4
    ways = (1.0, -1.0) if best else (-1.0, 1.0)
    left_place: tuple[float, float, Anchor] = (x - near, y + 4, "end")
    right_place: tuple[float, float, Anchor] = (x + near, y + 4, "start")
    places = [left_place, right_place] if best else [right_place, left_place]
    for way in ways:
        for away in (LINE + 3, 2 * LINE, 3 * LINE):
            down = y + 4 + way * away
            places += [(x, down, "middle"), (x - way * near, down, "end"), (x + near, down, "start")]
    for across, down, anchor in places:
        left = across - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        box = left, down - LINE + 3, left + width, down + 3
        inside = left > LEFT and box[2] < WIDTH and box[1] > TOP - LINE and box[3] < HEIGHT - BOTTOM
        if inside and not any(_overlap(box, other) for other in taken):
            taken.append(box)
            if abs(down - y) > LINE + 8 or (anchor != "middle" and down != y + 4):
                # a name further off gets a line to its point
                on.line(x, y, min(max(x, left), box[2]), box[1] if down > y else box[3])
            on.text(across, down, name, anchor=anchor, kind="" if best else "faint")
            return


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _room() -> int:
    """Characters in a line."""
    return int((WIDTH - LEFT - 20) / CHAR)


def _cut(text: str) -> str:
    room = _room()
    return text if len(text) <= room else f"{text[: room - 3]}..."
