"""The picture as SVG: a panel for each segment, a line for each function, groups by colour and number.

Text is set in a monospaced face, whose width is known: nothing overlaps and nothing is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from rootplex.jobs.result import Result
from rootplex.report.picture import COLOURS, Fact, Row, Segment, Tree, picture_of

LINE, INDENT, CHARACTER, PAD = 26, 24, 7.3, 16
"""Height of a line, indent of a level, width of a character at 12 px, space around: in pixels."""

STYLE = (
    "text{font:12px ui-monospace,'DejaVu Sans Mono',monospace;fill:#1b2330}.t{font-weight:600}"
    ".q{fill:#526070}.p{fill:#fff;stroke:#c6ccd6}.b{fill:#f2f4f8;stroke:#8793a6}.w{stroke:#9aa5b5;fill:none}"
    ".a{fill:#b3261e;font-weight:600}.u{fill:#0a5c2f;font-weight:600}"
)

_STYLES: dict[Fact, str] = {"group": "t", "guest": "u", "boot": "u", "leak": "a"}


def colour(index: int | None) -> tuple[str, str]:
    """Fill and outline of a group's colour; grey for a function that is alone."""
    if index is None:
        return "#f6f7f9", "#a9b3c1"
    hue = index * 360 // COLOURS * 5 % 360
    return f"hsl({hue},75%,90%)", f"hsl({hue},65%,38%)"


def render(result: Result) -> str:
    """The whole picture of one result."""
    segments = picture_of(result.machine)
    width = max((_width(segment) for segment in segments), default=200.0) + 2 * PAD
    body: list[str] = []
    y = float(PAD)
    for segment in segments:
        height = _height(segment)
        body += _segment(segment, y, width - 2 * PAD, height)
        y += height + PAD
    name = escape(result.platform or result.file)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{y:.0f}" '
        f'viewBox="0 0 {width:.0f} {y:.0f}" role="img" aria-label="{name}">'
        f"<title>{name}</title><style>{STYLE}</style>"
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(body)}</svg>\n'
    )


def _height(segment: Segment) -> float:
    rows = sum(1 + sum(1 for _ in tree.walk()) for tree in segment.trees)
    return LINE * (rows + 1) + PAD


def _width(segment: Segment) -> float:
    widths = [len(segment.title) * CHARACTER]
    for tree in segment.trees:
        widths.append(INDENT + len(tree.title) * CHARACTER)
        widths += [INDENT * (row.depth + 2) + _length(row) for row in tree.walk()]
    return max(widths) + 2 * PAD


def _length(row: Row) -> float:
    return CHARACTER * (sum(len(text) + 2 for text, _ in _texts(row)) + 2)


def _texts(row: Row) -> Iterator[tuple[str, str]]:
    """What stands in a function's line, and how."""
    yield row.label, "t"
    yield row.type_and_buses, "q"
    yield from ((text, _STYLES[fact]) for fact, text in row.facts)


def _segment(segment: Segment, y: float, width: float, height: float) -> list[str]:
    parts = [
        f'<rect class="p" x="{PAD}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="8"/>',
        f'<text class="t" x="{2 * PAD}" y="{y + 20:.0f}">{escape(segment.title)}</text>',
    ]
    y += LINE
    for tree in segment.trees:
        parts += _tree(tree, y)
        y += LINE * (1 + sum(1 for _ in tree.walk()))
    return parts


def _tree(tree: Tree, y: float) -> list[str]:
    width = len(tree.title) * CHARACTER + PAD
    x = 2.0 * PAD
    parts = [
        f'<rect class="b" x="{x:.0f}" y="{y + 3:.0f}" width="{width:.0f}" height="{LINE - 6}" rx="4"/>',
        f'<text class="t" x="{x + 8:.0f}" y="{y + 17:.0f}">{escape(tree.title)}</text>',
    ]
    _draw(tree.rows, x + INDENT, y, y + LINE, parts)
    return parts


def _draw(rows: Sequence[Row], x: float, parent: float, y: float, parts: list[str]) -> float:
    """Draws rows from `y` on, joined to the line of their parent; the next free line."""
    for row in rows:
        stem, middle = x - INDENT / 2, y + LINE / 2
        parts.append(f'<path class="w" d="M{stem:.0f} {parent + LINE - 3:.0f}V{middle:.0f}H{x:.0f}"/>')
        parts += _row(row, x, y)
        y = _draw(row.below, x + INDENT, y, y + LINE, parts)
    return y


def _row(row: Row, x: float, y: float) -> Iterator[str]:
    fill, outline = colour(row.colour)
    yield (
        f"<g><title>{escape('; '.join((row.label, row.id, *row.missing)))}</title>"
        f'<rect x="{x:.0f}" y="{y + 3:.0f}" width="{_length(row):.0f}" height="{LINE - 6}" rx="4" '
        f'fill="{fill}" stroke="{outline}" stroke-width="{1 if row.colour is None else 2}"/>'
    )
    at = x + 8
    for text, style in _texts(row):
        yield f'<text class="{style}" x="{at:.1f}" y="{y + 17:.0f}">{escape(text)}</text>'
        at += CHARACTER * (len(text) + 2)
    yield "</g>"
