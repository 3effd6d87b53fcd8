"""Device trees as `dtc` reads them: the oracle of these tests."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from rootplex.backends.devicetree import DeviceTree
from rootplex.tools.runner import Outcome, run

Value: TypeAlias = tuple[int | str, ...] | bytes
Properties: TypeAlias = dict[str, Value]
"""Cells, strings, or bytes (`b""`: an empty property)."""


def dtc(data: bytes, form: str, out: str, *options: str) -> Outcome:
    """Run `dtc -I form -O out` on the data; its output is the outcome's `stdout`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tree")
        path.write_bytes(data)
        return run(["dtc", *options, "-I", form, "-O", out, "tree"], cwd=Path(folder))


def sorted_text(data: bytes, form: str) -> str:
    """The whole tree as dtc prints it, sorted; a text goes to a blob and back first."""
    if form == "dts":
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "tree").write_bytes(data)
            outcome = run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", "blob", "tree"], cwd=Path(folder))
            assert outcome.status == 0, outcome.stderr
            data = Path(folder, "blob").read_bytes()
    outcome = dtc(data, "dtb", "dts", "-q", "-s")
    assert outcome.status == 0, outcome.stderr
    return outcome.stdout


def read(data: bytes) -> dict[str, Properties]:
    """Path → properties of a blob."""
    nodes: dict[str, Properties] = {}
    path: list[str] = []
    text = dtc(data, "dtb", "dts", "-q").stdout
    for line in (line.strip() for line in text.splitlines()):
        if line.endswith("{"):
            path.append(line.removesuffix("{").strip().strip("/"))
            nodes["/".join(path) or "/"] = {}
        elif line == "};":
            path.pop()
        elif path and (match := re.fullmatch(r"([^ =]+)(?: = (.*))?;", line)):
            nodes["/".join(path) or "/"][match[1]] = _value(match[2])
    return nodes


def _value(text: str | None) -> Value:
    if text is None:
        return b""
    if text.startswith("<"):
        return tuple(int(cell, 16) for cell in text.strip("<>").split())
    if text.startswith('"'):
        return tuple(text.strip('"').replace('", "', "\\0").split("\\0"))
    return bytes.fromhex(text.strip("[]"))


def rows(value: Value, width: int) -> list[tuple[int, ...]]:
    """Cells in rows of `width`."""
    numbers = tuple(cell for cell in value if isinstance(cell, int))
    assert len(numbers) % width == 0
    return [numbers[start : start + width] for start in range(0, len(numbers), width)]


def phandles(nodes: Mapping[str, Properties]) -> dict[int, str]:
    """Phandle → path."""
    return {int(node["phandle"][0]): path for path, node in nodes.items() if "phandle" in node}


def checked(tree: DeviceTree) -> dict[str, Properties]:
    """The nodes of a tree, after dtc has found text and blob equal and nothing to warn of."""
    text, blob = tree.dts().data, tree.dtb().data
    outcome = dtc(text, "dts", "dtb")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert dtc(blob, "dtb", "dtb").stderr == ""
    assert sorted_text(text, "dts") == sorted_text(blob, "dtb")
    return read(blob)
