"""The arrows of the picture: who may use whom, held by the imports that are really there."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOMS = {
    "source": set(),
    "formats": {"source"},
    "known": {"source", "formats"},
    "tools": {"known"},
    "model": {"source", "formats"},
    "readers": {"source", "formats", "tools"},
    "capture": {"source", "formats", "known", "model", "readers", "tools"},
    "frontends": {"source", "formats", "known", "model", "readers", "capture", "tools"},
    "backends": {"source", "formats", "known", "model", "tools"},
    "simulator": {"source", "formats", "known", "readers", "tools"},
    "checks": {
        "source", "formats", "known", "model", "readers", "simulator", "report.reasons", "report.causes",
    },
    "fuzz": {
        "source", "formats", "known", "tools", "model", "readers", "backends", "simulator", "jobs",
    },
    "campaign": {"source", "known", "tools", "model", "backends", "jobs"},
    "report": {"source", "jobs", "fuzz", "report.reasons", "report.causes"},
    "report.reasons": {"source", "simulator", "report.causes"},
    "report.causes": {"source", "formats", "simulator"},
    "jobs": {
        "source", "formats", "known", "tools", "model", "readers", "capture",
        "frontends", "backends", "simulator", "checks", "report.reasons", "report.causes",
    },
    "library": {
        "source", "formats", "known", "tools", "model", "readers", "capture",
        "frontends", "backends", "simulator", "checks", "report", "jobs",
    },
    "editor": {"source", "known", "tools", "checks", "jobs", "report"},
    "fleet": {"source", "tools", "readers", "jobs", "report"},
    "cli": {
        "source", "formats", "known", "tools", "model", "readers", "capture",
        "frontends", "backends", "simulator", "checks", "report", "jobs", "fuzz", "editor", "fleet",
        "campaign",
    },
}  # fmt: skip
"""`report.reasons` and `report.causes` are floors of their own: sentences that findings say too."""


SIMULATOR = {
    "inputs": set(),
    "function": set(),
    "hardware": {"inputs"},
    "firmware": {"function"},
    "linux": {"inputs", "function", "hardware", "firmware"},
    "xen": {"inputs", "hardware", "firmware", "linux"},
    "groups": {"inputs", "function", "firmware"},
    "boots": {"inputs", "function", "hardware", "firmware", "linux", "xen", "groups"},
}
"""The simulator's floors: what the firmware says knows no kernel, groups know no scan, and only a whole boot
knows all. Xen uses Linux's seam (`linux.hypervisor`), never the other way."""


def imported_names(file: Path) -> set[str]:
    """What a module imports, also inside functions and for typing: modules, and names in modules."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_rooms(file: Path) -> set[str]:
    """The rooms of ours that a module imports."""
    own = (name.removeprefix("rootplex.") for name in imported_names(file) if name.startswith("rootplex."))
    return {room for name in own if (room := room_of(name)) in ROOMS}


def room_of(module: str) -> str:
    """The room of a module without the package's name in front: the longest that is on the map."""
    found = [room for room in ROOMS if f"{module}.".startswith(f"{room}.")]
    return max(found, key=len, default="")


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_uses_only_those_below_it(room: str, checkout: Path) -> None:
    top = checkout / "compiler" / "rootplex"
    crossing = {
        f"{file.relative_to(top)} imports {other}"
        for file in top.rglob("*.py")
        if room_of(".".join(file.relative_to(top).with_suffix("").parts)) == room
        for other in imported_rooms(file) - ROOMS[room] - {room}
    }
    assert set() == crossing


@pytest.mark.parametrize("floor", sorted(SIMULATOR))
def test_a_floor_of_the_simulator_uses_only_those_below_it(floor: str, checkout: Path) -> None:
    folder = checkout / "compiler" / "rootplex" / "simulator"
    files = list((folder / floor).rglob("*.py")) or [folder / f"{floor}.py"]
    parts = [(file, name.split(".")) for file in files for name in imported_names(file)]
    used = {(file.name, part[2]) for file, part in parts if part[:2] == ["rootplex", "simulator"]}
    assert {each for each in used if each[1] not in SIMULATOR[floor] | {floor}} == set()


WORDED = {"hardware", "xen"}
"""Floors that say more than kinds: what is wrong with an image, and how Xen went down or cannot start."""


@pytest.mark.parametrize("floor", sorted(SIMULATOR.keys() - WORDED))
def test_the_simulator_has_facts_and_no_sentences(floor: str, checkout: Path) -> None:
    """They are made in `report`: here three words after each other stand in docstrings and errors alone."""
    folder = checkout / "compiler" / "rootplex" / "simulator"
    for file in list((folder / floor).rglob("*.py")) or [folder / f"{floor}.py"]:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        docstrings = (each for each in ast.walk(tree) if isinstance(each, ast.Expr))
        apart: list[ast.AST] = [each for each in docstrings if isinstance(each.value, ast.Constant)]
        apart += [each for each in ast.walk(tree) if isinstance(each, ast.Raise | ast.Assert)]
        left_out = {id(each) for part in apart for each in ast.walk(part)}
        texts = [each for each in ast.walk(tree) if isinstance(each, ast.Constant)]
        told = {str(each.value) for each in texts if id(each) not in left_out}
        assert {text for text in told if re.search("[a-z]{2,}( [a-z]{2,}){2}", text)} == set(), file.name


def test_every_room_is_on_the_map(checkout: Path) -> None:
    folders = {
        path.name
        for path in (checkout / "compiler" / "rootplex").iterdir()
        if path.is_dir() and any(path.rglob("*.py"))
    }
    assert folders <= set(ROOMS)


def test_no_circle_of_files(checkout: Path) -> None:
    """The files can be put in an order in which each imports only those before it."""
    top = checkout / "compiler"
    modules = {
        ".".join(file.relative_to(top).with_suffix("").parts).removesuffix(".__init__"): file
        for file in top.rglob("*.py")
    }
    imports = {
        module: {
            name if name in modules else name.rpartition(".")[0]
            for name in imported_names(file)
            if name.startswith("rootplex")
        }
        - {module}
        for module, file in modules.items()
    }
    TopologicalSorter(imports).prepare()  # CycleError names one


WITHOUT_A_ROOM = {"boot", "corpus", "cases", "docs", "extra", "hostile", "package", "topologies"}
"""Folders of tests that are about no room of the product, but machines, boards, inputs, or all of it."""


def test_the_folders_of_tests_are_those_of_the_product(checkout: Path) -> None:
    tests, product = checkout / "tests", checkout / "compiler" / "rootplex"
    folders = {file.parent.relative_to(tests) for file in tests.rglob("test_*.py")}
    rooms = {folder for folder in folders if folder.parts and folder.parts[0] not in WITHOUT_A_ROOM}
    assert {str(room) for room in rooms if not (product / room).is_dir()} == set()
