"""Which of the named files and folders are one board: what `validate` takes together."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, groupby, islice
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rootplex.capture.pasted.facts import Form
from rootplex.jobs.sources import (
    ALONE,
    Kind,
    Source,
    Trees,
    forms_in,
    kind_of,
    parts_of,
    read_source,
    source_of_bytes,
)
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
FILES_LIMIT = 1_000_000
"""Of one folder; their names are held while it is gone through."""
MACHINE_FILES = 1_024
"""A folder with more files than that does not hold one machine's tables."""
_ONE_BOARD = 16
"""More inputs than that are not what was pasted of one machine."""
_SEVERAL = {"SSDT", "PSDT"}
_DT: tuple[Kind, ...] = ("dtb", "dts")
_ORDER: tuple[str, ...] = ("dt", "acpi", "snapshot", "paste")
"""What a board is made of: firmware or a snapshot, and then what was pasted."""


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


def boards_of(paths: Sequence[str], given: Mapping[str, bytes] | None = None) -> tuple[Board, ...]:
    """One device tree, one set of tables and what was pasted of one machine are one board; of more inputs
    those that share a name up to the first dot. A folder of tables is one input, with a device tree in it one
    board; of another folder every file that is a source counts. Unreadable for a folder without any. `given`
    are the bytes of inputs that are no files, such as standard input."""
    return tuple(BoardsAt(paths, given))


class BoardsAt:
    """The same boards, with their device trees put together so, each found when it is asked for: of what lies
    in folders only the names of one folder are held."""

    def __init__(
        self, paths: Sequence[str], given: Mapping[str, bytes] | None = None, trees: Trees = ALONE
    ) -> None:
        self._paths = paths
        self._given = given or {}
        self._trees = trees
        self._named = self._files = 0
        self._passed = self._sources = self._taken = self._boards = 0

    def __iter__(self) -> Iterator[Board]:
        found = self._found()
        if self._trees.overlays:  # they are for one board
            return iter(with_trees(tuple(found), self._trees))
        return (_put_together(board, self._trees) for board in found)

    def _found(self) -> Iterator[Board]:
        folders = [path for path in self._paths if _is_walked(path)]
        self._files = sum(map(_count, folders))
        named = [path for path in self._paths if path not in folders]
        of_bytes = (_of_bytes(name, data) for name, data in self._given.items())
        found = list(chain(*of_bytes, *map(_found, named)))
        whole = [Board(items) for items in found if len(items) > 1]
        loose = _tables_together([items[0] for items in found if len(items) == 1])
        walked = chain.from_iterable(map(self._walked, folders))
        ahead = list(islice(walked, _ONE_BOARD + 1))
        if not whole and len(ahead) <= _ONE_BOARD and _are_one([*loose, *ahead]):
            yield Board(_in_order([*loose, *ahead]))
            return
        self._named = len(whole) + len(loose)
        yield from whole
        yield from _by_name(loose)
        for _, items in groupby(chain(ahead, walked), key=_group):
            together = tuple(items)
            self._taken += len(together)
            for board in _one_name(together):
                self._boards += 1
                yield board

    def __length_hint__(self) -> int:
        """As many boards of the files as there were of those that were looked at."""
        if not self._taken:
            return self._named
        return self._named + round(self._files * self._sources / self._passed * self._boards / self._taken)

    def _walked(self, path: str) -> Iterator[Item]:
        """The sources in a folder and those below it, each folder's in the order of what `_group` says of
        them; Unreadable where there is none."""
        found = False
        for folder, names in _folders(path):
            items = self._items(folder, names)
            for item in _tables_together(list(items)) if len(names) <= MACHINE_FILES else items:
                found = True
                self._sources += 1
                yield item
        if not found:
            raise unreadable(path, "no device tree, ACPI tables or snapshot in this folder")

    def _items(self, folder: str, names: Sequence[str]) -> Iterator[Item]:
        for name in names:
            self._passed += 1
            path = Path(folder, name)
            if kind := _of_file(path):
                yield Item(str(path), kind)


def _folders(path: str) -> Iterator[tuple[str, list[str]]]:
    """A folder and those below it, with the names of their files in order. Links to folders are not followed;
    a folder below that is closed to us has none."""
    left = [path]
    while left:
        folder = left.pop()
        names, below = [], []
        try:
            with os.scandir(folder) as entries:
                for entry in islice(entries, FILES_LIMIT + 1):
                    if entry.is_dir(follow_symlinks=False):
                        below.append(entry.path)
                    elif _is_file(entry):
                        names.append(entry.name)
        except PermissionError:
            if folder == path:
                raise
        if len(names) + len(below) > FILES_LIMIT:
            raise unreadable(folder, f"more than {FILES_LIMIT:,} files in this folder")
        left += sorted(below, reverse=True)
        names.sort(key=lambda name: name.replace(".", "\0"))  # what shares a stem stands together
        yield folder, names


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Also behind links; one that leads round in a circle leads to none."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _count(path: str) -> int:
    return sum(len(names) for _, names in _folders(path))


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
    return tuple(_put_together(board, trees) for board in boards)


def _put_together(board: Board, trees: Trees) -> Board:
    return Board(tuple(replace(item, trees=trees) if _side(item) == "dt" else item for item in board.items))


def _side(item: Item) -> str:
    return "dt" if item.kind in _DT else item.kind if item.kind in _ORDER else "other"


def _are_one(items: Sequence[Item]) -> bool:
    """Whether several inputs are of one board: at most one of each firmware, or one snapshot, which holds
    firmware, and one of each form of what is pasted. Lists of names stand in other forms, too."""
    sides = Counter(map(_side, items))
    firmware = sides["dt"] + sides["acpi"]
    if len(items) < 2 or sides["other"] or sides["dt"] > 1 or sides["acpi"] > 1:
        return False
    if sides["snapshot"] > (0 if firmware else 1):
        return False
    pasted = [item for item in items if item.kind == "paste"]
    told = Counter(form for item in pasted for form in _forms(item) if form != "names")
    return all(count == 1 for count in told.values())


def _forms(item: Item) -> frozenset[Form]:
    return forms_in(beginning_of(Path(item.path), _HEAD) if item.data is None else item.data)


def _in_order(items: Sequence[Item]) -> tuple[Item, ...]:
    return tuple(sorted(items, key=lambda item: _ORDER.index(_side(item))))


def _by_name(loose: Sequence[Item]) -> Iterator[Board]:
    groups: dict[str, list[Item]] = {}
    for item in loose:
        groups.setdefault(_group(item), []).append(item)
    for items in groups.values():
        yield from _one_name(items)


def _one_name(items: Sequence[Item]) -> Iterator[Board]:
    if _are_one(items):
        yield Board(_in_order(items))
    else:
        yield from (Board((item,)) for item in items)


def _group(item: Item) -> str:
    """What inputs of one board share: the folder, and the name up to the first dot."""
    path = Path(item.path)
    return str(path.parent / _stem(path.name))


def _stem(name: str) -> str:
    return name.partition(".")[0] or "-"


def _is_walked(path: str) -> bool:
    """Whether it is a folder of boards: no tables lie in it as files."""
    return Path(path).is_dir() and not any(map(_is_table_file, _files_in(path)))


def _files_in(path: str) -> Iterator[Path]:
    folder, names = next(_folders(path))
    return (Path(folder, name) for name in names)


def _is_table_file(path: Path) -> bool:
    return path.suffix in _TABLES or _is_named_table(path)


def _found(path: str) -> Iterator[tuple[Item, ...]]:
    """The inputs at a path that is no folder of boards, each alone or the two of a folder together."""
    place = Path(path)
    if place.is_file() and not is_archive(beginning_of(place, _HEAD)):
        yield (Item(path, _kind(place)),)
        return
    if not place.is_dir():  # a pipe can be read once only
        yield from _of_bytes(path, bytes_of(place, path))
        return
    trees = [Item(str(each), "dtb") for each in _files_in(path) if each.suffix == ".dtb"]
    tables = Item(path, "acpi")
    board = (*trees, tables) if len(trees) == 1 else (tables,)
    files = islice(_files_in(path), MACHINE_FILES)
    pasted = [Item(str(each), "paste") for each in files if _of_file(each) == "paste"]
    yield (*board, *pasted) if _are_one((*board, *pasted)) else board


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


def read_together(paths: Sequence[str], given: Mapping[str, bytes], trees: Trees) -> list[Source]:
    """The inputs at paths, or `given` in bytes, where they are one machine's; else one for each path, as it
    is."""
    with suppress(Unreadable):  # reading each says it at its place
        boards = with_trees(boards_of([path for path in paths if path not in given], given), trees)
        if len(boards) == 1 and (len(boards[0].items) > 1 or boards[0].items[0].data is not None):
            return [read_item(item) for item in boards[0].items]
    return [
        source_of_bytes(given[path], path, trees=trees)
        if path in given
        else read_source(Path(path), path, trees)
        for path in paths
    ]


def read_item(item: Item) -> Source:
    """An input read. Errors as of `read_source`."""
    if item.data is not None:
        return source_of_bytes(item.data, item.path, item.kind, item.trees)
    return read_source(Path(item.path), item.path, item.trees)
