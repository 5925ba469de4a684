"""A drawing: shapes and text that are collected and written as one SVG file.

What has a meaning has its own colour; all else has a class, whose colour follows the reader's light or dark ground.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Literal

STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #1f2328 }
text.title { font-size: 15px; font-weight: 600 } text.head { font-size: 13px; font-weight: 600 } text.faint { fill: #57606a }
.ground { fill: #ffffff } .empty { fill: #eaeef2 } .line { stroke: #afb8c1; fill: none }
.a { fill: #2f6fb4 } .b { fill: #cf6a1f }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } text.faint { fill: #9aa4af }
.ground { fill: #0d1117 } .empty { fill: #262c36 } .line { stroke: #57606a }
.a { fill: #5b9bdf } .b { fill: #e08b46 }
}
"""
CHAR = 6.7
"""About how wide a character of 12 px is."""

VIRIDIS = ((68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (253, 231, 37))
"""Points of matplotlib's viridis: rising in lightness, told apart by people who see fewer colours (CC0, Smith and Firing)."""

Anchor = Literal["start", "middle", "end"]


def colour(part: float) -> str:
    """The colour at `part` of the way, 0 to 1, from small to large. Exact: the same text on every machine."""
    at = min(max(part, 0.0), 1.0) * (len(VIRIDIS) - 1)
    low = min(int(at), len(VIRIDIS) - 2)
    mixed = [round(a + (b - a) * (at - low)) for a, b in zip(VIRIDIS[low], VIRIDIS[low + 1], strict=True)]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def text_width(text: str) -> float:
    """About how wide `text` is drawn, in px."""
    return CHAR * len(text)


@dataclass
class Drawing:
    """Shapes in the order in which they are drawn. Coordinates are px from the top left corner."""

    title: str
    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def rect(
        self, x: float, y: float, width: float, height: float, *, fill: str = "", kind: str = "", about: str = ""
    ) -> None:
        """A box in the colour `fill` or of the class `kind`; `about` is shown where a pointer rests on it."""
        look = f' fill="{fill}"' if fill else f' class="{kind}"'
        inside = f"><title>{escape(_clean(about))}</title></rect>" if about else "/>"
        self.parts.append(f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"{look}{inside}')

    def text(self, x: float, y: float, text: str, *, anchor: Anchor = "start", kind: str = "") -> None:
        """A line of text whose base line is at `y`."""
        look = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
        self.parts.append(f'<text x="{_n(x)}" y="{_n(y)}"{look}>{escape(_clean(text))}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A thin line."""
        self.parts.append(f'<path class="line" d="M{_n(x1)} {_n(y1)}L{_n(x2)} {_n(y2)}"/>')

    def dot(self, x: float, y: float, radius: float, *, kind: str, about: str = "") -> None:
        """A filled circle of the class `kind`; `about` is shown where a pointer rests on it."""
        inside = f"><title>{escape(_clean(about))}</title></circle>" if about else "/>"
        self.parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" class="{kind}"{inside}')

    def svg(self) -> str:
        """The whole file."""
        size = f'width="{_n(self.width)}" height="{_n(self.height)}" viewBox="0 0 {_n(self.width)} {_n(self.height)}"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
                f"<title>{escape(_clean(self.title))}</title>",
                f"<style>{STYLE}</style>",
                f'<rect class="ground" width="{_n(self.width)}" height="{_n(self.height)}"/>',
                *self.parts,
                "</svg>\n",
            ]
        )


def _n(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _clean(text: str) -> str:
    """Names come from files: XML has no control characters."""
    return "".join(char if char.isprintable() else "?" for char in text)
