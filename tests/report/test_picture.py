"""The picture in each of its forms; Graphviz and an XML parser read what we write."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.report.pictured import HOSTILE, bridge, large, small
from tests.topologies.bundled import rootplex

from rootplex.jobs.result import Machine
from rootplex.report import graph, svg, terminal_tree
from rootplex.report.address_map import address_maps
from rootplex.report.picture import picture_of

SVG = "{http://www.w3.org/2000/svg}"


def test_the_tree_for_a_terminal() -> None:
    lines = list(terminal_tree.lines(small().machine))
    assert [
        "segment 0000",
        "  first, buses 00-ff",
        "  └─ 0000:00:01.0 port, root-port, to 01-01, group 0, does not isolate",
        "     ├─ 0000:01:00.0 disk, endpoint, group 0, guest router, boot",
    ] == lines[:4]
    assert ["  second, buses 00-ff", "  └─ 0001:00:00.0 nic, endpoint, group 1"] == lines[-2:]


def test_functions_of_no_described_bridge_are_shown_too() -> None:
    machine = Machine(bridges=(bridge("first", 3),), devices=small().machine.devices)
    titles = [tree.title for segment in picture_of(machine) for tree in segment.trees]
    assert ["other functions", "other functions", "first, buses 00-ff"] == titles


def test_a_colour_is_for_groups_of_several() -> None:
    rows = {
        row.sbdf: row for each in picture_of(small().machine) for tree in each.trees for row in tree.walk()
    }
    assert 0 == rows["0000:01:00.0"].colour
    assert rows["0001:00:00.0"].colour is None


def test_nothing_overlaps_or_is_cut_in_the_svg() -> None:
    """By the widths of a monospaced face: each text begins behind the one before, inside its box, and all is
    inside of the drawing."""
    root = ElementTree.fromstring(svg.render(small()))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes = 0
    for group in root.iter(f"{SVG}g"):
        box = group.find(f"{SVG}rect")
        assert box is not None
        left, right = float(box.attrib["x"]), float(box.attrib["x"]) + float(box.attrib["width"])
        spans = [
            (float(each.attrib["x"]), float(each.attrib["x"]) + svg.CHARACTER * len(each.text or ""))
            for each in group.iter(f"{SVG}text")
        ]
        assert left < spans[0][0]
        assert spans[-1][1] <= right <= width
        assert all(one[1] < other[0] for one, other in itertools.pairwise(spans))
        assert float(box.attrib["y"]) + float(box.attrib["height"]) <= height
        boxes += 1
    assert len(small().machine.devices) == boxes


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_the_dot() -> None:
    done = subprocess.run(
        ["dot", "-Tplain"], input=graph.dot(small()), capture_output=True, text=True, check=True
    )
    nodes = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("node ")]
    assert 4 + 2 == len(nodes)
    assert "" == done.stderr


def test_what_a_vendor_writes_stays_text() -> None:
    assert HOSTILE not in graph.mermaid(small())
    assert "<img" not in svg.render(small())
    assert all(line.count('"') % 2 == 0 for line in graph.mermaid(small()).splitlines())


def test_addresses_that_two_claim_are_red() -> None:
    first, second = address_maps(small())
    clashing = {bar.area.owner for each in (first, second) for bar in each.bars if bar.clashes}
    assert {"first", "second"} == clashing
    window = next(bar for bar in first.bars if bar.area.kind == "window")
    assert ["second"] == [each.owner for each in window.clashes]


def test_the_scale_keeps_the_order_of_addresses() -> None:
    for each in address_maps(large(64)):
        bars = sorted(each.bars, key=lambda bar: bar.area.base)
        assert all(one.x + one.width <= other.x + 0.01 for one, other in itertools.pairwise(bars))
        assert bars[0].x >= 0
        assert bars[-1].x + bars[-1].width <= 1000.01


def test_the_picture_in_the_readme_is_what_is_drawn(checkout: Path) -> None:
    """`rootplex report topologies/qemu-switches.yaml --format svg -o FILE` renews it."""
    done = rootplex("report", "topologies/qemu-switches.yaml", "--format", "svg", cwd=checkout)
    assert (checkout / "docs" / "pictures" / "switches.svg").read_text(encoding="utf-8") == done.stdout
