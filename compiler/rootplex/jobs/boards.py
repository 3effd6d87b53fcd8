"""Which of the named files and folders are one board: what `validate` takes together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from rootplex.capture.pasted.facts import Form
from rootplex.jobs.sources import ALONE, Kind, Trees, forms_in, kind_of, parts_of
from rootplex.readers.acpi.acpidump import signature_of
from rootplex.readers.archives import archive_of, is_archive
from rootplex.readers.files import beginning_of, bytes_of
from rootplex.source.finding import Unreadable, unreadable

_TABLES = (".aml", ".dat", ".dsl")
_PARTS = (".dtsi", ".dtbo", ".dtso")
"""What is no board by itself."""
_DOCUMENTS = (".md", ".rst", ".adoc", ".html", ".py", ".sh", ".c", ".h", ".patch", ".diff")
"""What shows a paste and is none."""

_NAMED_TABLE = re.compile(r"[A-Z0-9_]{4}[0-9]{0,3}")
_HEAD = 65536
FILES_LIMIT = 100_000
_SEVERAL = {"SSDT", "PSDT"}
_DT: tuple[Kind, ...] = ("dtb", "dts")


class Item(Struct, frozen=True):
    """One input: a file, or a folder of ACPI tables. `data` are the bytes where there is no file."""

    path: str
    kind: Kind | None
    data: bytes | None = None
    trees: Trees = ALONE
    """How it is put together, where it is a device tree."""

    @property
    def files(self) -> tuple[str, ...]:
        """Its file, and the overlays on it."""
        return (self.path, *(name for name, _ in self.trees.overlays))


class Board(Struct, frozen=True):
    """The inputs of one board: one of any kind, or a device tree, ACPI tables, what was pasted of it."""

    items: tuple[Item, ...]

    @property
    def name(self) -> str:
        """What to call it before it is read."""
        return " + ".join(item.path for item in self.items)


class Boards(Protocol):
    """Boards that can be counted and gone through more than once: a tuple, or what makes them anew each
    time."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Board]: ...


def boards_of(paths: Sequence[str], given: Mapping[str, bytes] | None = None) -> tuple[Board, ...]:
    """One device tree, one set of tables and what was pasted of one machine are one board; of more inputs
    those that share a name up to the first dot. A folder of tables is one input, with a device tree in it one
    board; of another folder every file that is a source counts. Unreadable for a folder without any. `given`
    are the bytes of inputs that are no files, such as standard input."""
    whole: list[Board] = []
    loose: list[Item] = []
    of_bytes = (_of_bytes(name, data) for name, data in (given or {}).items())
    for found in chain(*of_bytes, *map(_found, paths)):
        if len(found) == 1:
            loose += found
        else:
            whole.append(Board(found))
    loose = _tables_together(loose)
    if not whole and _are_one(loose):
        return (Board(_in_order(loose)),)
    return (*whole, *_by_name(loose))


def _tables_together(loose: Sequence[Item]) -> list[Item]:
    """The inputs, with the single tables of a folder as one: where each is there once, but those of which a
    machine has several, they are one machine's."""
    folders: dict[Path, list[Item]] = {}
    for item in loose:
        if item.kind == "acpi" and item.data is None and not Path(item.path).is_dir():
            folders.setdefault(Path(item.path).parent, []).append(item)
    found = list(loose)
    for folder, items in folders.items():
        signatures = Counter(signature_of(beginning_of(Path(item.path), _HEAD)) for item in items)
        once = all(count == 1 or signature in _SEVERAL for signature, count in signatures.items())
        if len(items) < 2 or None in signatures or not once or signatures.keys() <= _SEVERAL:
            continue
        files = ((Path(item.path).name, bytes_of(Path(item.path), item.path)) for item in items)
        found[found.index(items[0])] = Item(str(folder), "acpi", archive_of(files))
        found = [item for item in found if item not in items]
    return found


def with_trees(boards: tuple[Board, ...], trees: Trees) -> tuple[Board, ...]:
    """The boards with their device trees put together so. Unreadable for overlays where there is not one
    tree to apply them to."""
    if trees == ALONE:
        return boards
    bases = sum(_side(item) == "dt" for board in boards for item in board.items)
    if trees.overlays and bases != 1:
        raise unreadable(
            trees.overlays[0][0], f"overlays are applied to one device tree, and these are {bases}"
        )
    return tuple(
        Board(tuple(replace(item, trees=trees) if _side(item) == "dt" else item for item in board.items))
        for board in boards
    )


def _side(item: Item) -> str:
    return "dt" if item.kind in _DT else item.kind if item.kind in ("acpi", "paste") else "other"


def _are_one(items: Sequence[Item]) -> bool:
    """Whether several inputs are of one board: at most one of each firmware, and of each form of what is
    pasted. Lists of names stand in other forms, too."""
    sides = Counter(map(_side, items))
    if len(items) < 2 or sides["other"] or sides["dt"] > 1 or sides["acpi"] > 1:
        return False
    pasted = [item for item in items if item.kind == "paste"]
    told = Counter(form for item in pasted for form in _forms(item) if form != "names")
    return all(count == 1 for count in told.values())


def _forms(item: Item) -> frozenset[Form]:
    return forms_in(beginning_of(Path(item.path), _HEAD) if item.data is None else item.data)


def _in_order(items: Sequence[Item]) -> tuple[Item, ...]:
    """The device tree, the tables, and then what was pasted."""
    return tuple(sorted(items, key=lambda item: ("dt", "acpi", "paste").index(_side(item))))


def _by_name(loose: Sequence[Item]) -> Iterator[Board]:
    groups: dict[str, list[Item]] = {}
    for item in loose:
        groups.setdefault(str(Path(item.path).with_name(_stem(item))), []).append(item)
    for items in groups.values():
        if _are_one(items):
            yield Board(_in_order(items))
        else:
            yield from (Board((item,)) for item in items)


def _stem(item: Item) -> str:
    return Path(item.path).name.partition(".")[0] or "-"


def _found(path: str) -> Iterator[tuple[Item, ...]]:
    """The inputs at a path, each alone or the two of a folder together."""
    place = Path(path)
    if place.is_file() and not is_archive(beginning_of(place, _HEAD)):
        yield (Item(path, _kind(place)),)
        return
    if not place.is_dir():  # a pipe can be read once only
        yield from _of_bytes(path, bytes_of(place, path))
        return
    files = sorted(each for each in islice(place.iterdir(), FILES_LIMIT) if each.is_file())
    if any(each.suffix in _TABLES or _is_named_table(each) for each in files):
        trees = [Item(str(each), "dtb") for each in files if each.suffix == ".dtb"]
        tables = Item(path, "acpi")
        yield (*trees, tables) if len(trees) == 1 else (tables,)
        return
    below = list(islice(place.rglob("*"), FILES_LIMIT + 1))
    if len(below) > FILES_LIMIT:
        raise unreadable(path, f"more than {FILES_LIMIT:,} files in this folder")
    sources = [Item(str(each), kind) for each in sorted(below) if (kind := _of_file(each))]
    if not sources:
        raise unreadable(path, "no device tree, ACPI tables or snapshot in this folder")
    for source in sources:
        yield (source,)


def _of_bytes(path: str, data: bytes) -> Iterator[tuple[Item, ...]]:
    """The same of bytes, which may be an archive's."""
    items: tuple[Item, ...] = ()
    with suppress(Unreadable):  # reading it says so
        parts = parts_of(data, path) if is_archive(data) else ()
        items = tuple(Item(part.name, part.kind, part.data) for part in parts)
    items = items or (Item(path, kind_of(data), data),)
    if _are_one(items):
        yield _in_order(items)
        return
    for item in items:
        yield (item,)


def _is_named_table(path: Path) -> bool:
    """Whether a file is a table with its signature for a name, as in `/sys/firmware/acpi/tables`."""
    if not _NAMED_TABLE.fullmatch(path.name):
        return False
    with path.open("rb") as file:
        return file.read(4) == path.name[:4].encode()


def _of_file(path: Path) -> Kind | None:
    if path.suffix in _PARTS:
        return None
    kind = _kind(path) if path.is_file() else None
    return None if kind == "paste" and path.suffix in _DOCUMENTS else kind


def _kind(path: Path) -> Kind | None:
    """By the file's first bytes; what cannot be opened is found out when it is read."""
    return kind_of(beginning_of(path, _HEAD), whole=False)
