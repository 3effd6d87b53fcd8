"""The bundled descriptions, by name."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from rootplex.source.shipped import shipped_folder
from rootplex.source.yaml12 import load_yaml

MODELINE = "# yaml-language-server: $schema=../schemas/platform.schema.json\n"
"""By its first line an editor finds a bundled description's schema, which lies beside it."""


class Board(Struct, frozen=True, kw_only=True):
    """A bundled description: its name, architecture, title, and where it lies."""

    name: str
    arch: str
    title: str
    path: Path


def boards() -> tuple[Board, ...]:
    """All of them, by name."""
    return tuple(_board(path) for path in sorted(shipped_folder("topologies").glob("*.yaml")))


def _board(path: Path) -> Board:
    platform = load_yaml(path.read_bytes(), path.name).get("platform")
    assert platform is not None
    return Board(name=path.stem, arch=platform.text("arch"), title=platform.text("title"), path=path)
