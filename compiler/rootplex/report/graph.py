"""The picture in the languages of two drawing tools: Graphviz's dot and Mermaid."""

from __future__ import annotations

from collections.abc import Iterator
from colorsys import hls_to_rgb

from rootplex.jobs.result import Result
from rootplex.report.picture import Row, Tree, picture_of
from rootplex.report.svg import colour


def dot(result: Result) -> str:
    """A cluster for each segment; strings are quoted as dot's grammar has it."""
    return "\n".join(_dot(result)) + "\n"


def _dot(result: Result) -> Iterator[str]:
    yield f"digraph {_quoted(result.platform or result.file)} {{"
    yield '  rankdir=LR; node [shape=box, style="rounded,filled", fontname="monospace"];'
    for i, segment in enumerate(picture_of(result.machine)):
        yield f"  subgraph cluster_{i} {{"
        yield f"    label={_quoted(segment.title)};"
        for j, tree in enumerate(segment.trees):
            yield f"    b{i}_{j} [label={_quoted(tree.title)}, fillcolor={_quoted('#f2f4f8')}];"
            yield from (f"    {line}" for line in _dot_rows(tree, f"b{i}_{j}"))
        yield "  }"
    yield "}"


def _dot_rows(tree: Tree, bridge: str) -> Iterator[str]:
    for above, row in _edges(tree, bridge):
        fill, outline = (_quoted(_hex(each)) for each in colour(row.colour))
        label = "\\n".join(map(_escaped, _lines(row)))
        yield f'{_node(row)} [label="{label}", fillcolor={fill}, color={outline}];'
        yield f"{above} -> {_node(row)};"


def mermaid(result: Result) -> str:
    """A flow chart with a subgraph for each segment; what Mermaid would take for its own is an entity."""
    return "\n".join(_mermaid(result)) + "\n"


def _mermaid(result: Result) -> Iterator[str]:
    yield "flowchart LR"
    for i, segment in enumerate(picture_of(result.machine)):
        yield f'  subgraph s{i}["{_entities(segment.title)}"]'
        for j, tree in enumerate(segment.trees):
            yield f'    b{i}_{j}["{_entities(tree.title)}"]'
            for above, row in _edges(tree, f"b{i}_{j}"):
                fill, outline = colour(row.colour)
                text = "<br>".join(map(_entities, _lines(row)))
                yield f'    {above} --> {_node(row)}["{text}"]'
                yield f"    style {_node(row)} fill:{_hex(fill)},stroke:{_hex(outline)}"
        yield "  end"


def _edges(tree: Tree, bridge: str) -> Iterator[tuple[str, Row]]:
    """Each function with the node above it."""
    open_: list[tuple[str, Row]] = [(bridge, row) for row in reversed(tree.rows)]
    while open_:
        above, row = open_.pop()
        yield above, row
        open_ += [(_node(row), each) for each in reversed(row.below)]


def _node(row: Row) -> str:
    return "f" + row.sbdf.replace(":", "_").replace(".", "_")


def _lines(row: Row) -> Iterator[str]:
    yield row.label
    yield row.type_and_buses
    yield from (text for _, text in row.facts)


def _hex(hsl: str) -> str:
    """`hsl(h,s%,l%)` as `#rrggbb`, which both tools take."""
    if not hsl.startswith("hsl"):
        return hsl
    hue, saturation, light = (float(part.rstrip("%")) for part in hsl[4:-1].split(","))
    channels = hls_to_rgb(hue / 360, light / 100, saturation / 100)
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _entities(text: str) -> str:
    return "".join(char if char.isalnum() or char in " :.,-_/" else f"#{ord(char)};" for char in text)
