"""What a file is, by its content, and its facts read once: for `import` and `validate`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from rootplex.capture.facts import Snapshot
from rootplex.capture.pasted.facts import Form, Paste
from rootplex.formats.acpi import TABLES
from rootplex.readers.acpi.asl import is_asl
from rootplex.readers.acpi.header import Table
from rootplex.readers.archives import beginning_unpacked, is_archive, is_packed, members, unpacked
from rootplex.readers.files import LIMIT, as_utf8, bytes_of
from rootplex.readers.overlays import Origins
from rootplex.readers.tree import Tree
from rootplex.source.finding import unreadable
from rootplex.source.place import DtPlace, Place

Kind: TypeAlias = Literal["dtb", "dts", "acpi", "snapshot", "paste", "archive"]

_DTB = b"\xd0\x0d\xfe\xed"
_DUMP = re.compile(rb"^[ -~]{1,8}? @ 0x[0-9A-Fa-f]+\s*$", re.MULTILINE)
_SNAPSHOT = b" rootplex-snapshot "
_NUMBERED = re.compile(rb"[0-9]{1,9}/[0-9]{1,9}\Z")
_TABLE = re.compile(rb"[A-Z0-9_]{4}")
_DTS = re.compile(
    rb"^[ \t]*+(?:/(?:dts-v1/\s*+;|\s*+\{)|(?:#[ \t]*+include|/include/)[ \t]*+[\"<][^\">\n]+\.dtsi?[\">])",
    re.MULTILINE,
)
"""What only a device tree source has; one may be no more than includes."""
_DESCRIPTION = re.compile(rb"^rootplex:", re.MULTILINE)
_HEADER = 36
_BEGINNING = 65536
_LONGEST = 19  # of two numbers and the stroke between


AML = {"DSDT", "SSDT", "PSDT"}
TELLING = set(TABLES)


class Trees(Struct, frozen=True):
    """How device trees are put together: the `folders` that a source may include from, and overlays (name and
    bytes, blob or source) that are applied in their order."""

    folders: tuple[str, ...] = ()
    overlays: tuple[tuple[str, bytes], ...] = ()


ALONE = Trees()
"""Nothing but the file itself."""


class Source(Struct, frozen=True, kw_only=True):
    """One input: its name for places, what it is, and what it holds. A snapshot has `snapshot` and
    the firmware that the kernel booted with."""

    file: str
    kind: Kind
    tree: Tree | None = None
    tables: tuple[Table, ...] = ()
    snapshot: Snapshot | None = None
    paste: Paste | None = None
    origins: Origins | None = None
    """Of a tree with overlays: what each of them has changed."""
    overlays: tuple[str, ...] = ()
    """Their files, in the order in which they were applied."""

    @property
    def stands_alone(self) -> bool:
        """Whether it is tables without AML, which say something all the same."""
        signatures = {table.signature for table in self.tables}
        return self.kind == "acpi" and not signatures & AML and bool(signatures & TELLING)

    @property
    def what(self) -> str:
        """In words."""
        if self.paste is not None:
            return " and ".join(dict.fromkeys(_FORMS[form] for form in sorted(self.paste.forms)))
        return _WORDS[self.kind]

    def told(self, place: Place) -> Place:
        """A place in the file that it comes from: an overlay's, where that has set it."""
        if not self.origins or not isinstance(place, DtPlace) or place.file != self.file:
            return place
        made = self.origins.get((place.node, None), place.file)
        return replace(place, file=self.origins.get((place.node, place.property), made))


_WORDS: dict[Kind, str] = {
    "dtb": "device tree",
    "dts": "device tree source",
    "acpi": "ACPI tables",
    "snapshot": "snapshot",
    "paste": "pasted text",
    "archive": "archive",
}

_FORMS: dict[Form, str] = {
    "names": "lspci text",
    "verbose": "lspci text",
    "records": "lspci text",
    "bytes": "lspci text",
    "tree": "lspci text",
    "groups": "list of IOMMU groups",
    "managed": "a list of Proxmox's or libvirt's",
    "log": "kernel log",
}


def read_source(path: Path, name: str, trees: Trees = ALONE) -> Source:
    """The file or folder at `path`; `name` stands in places, `trees` says how a device tree is put together.

    Unreadable for what is none of them, or is damaged; OSError where it cannot be opened.
    """
    if path.is_dir():
        from rootplex.readers.acpi.acpidump import read_tables

        _refuse_overlays(trees, name, "acpi")
        return Source(file=name, kind="acpi", tables=read_tables(path, name).tables)
    return source_of_bytes(bytes_of(path, name), name, trees=trees)


def source_of_bytes(data: bytes, name: str, kind: Kind | None = None, trees: Trees = ALONE) -> Source:
    """The same for bytes, which may be packed, an archive with one source in it, and text in UTF-16; `kind`
    where it is known: then an archive is one of tables."""
    data = as_utf8(unpacked(data, name))
    kind = kind or kind_of(data)
    if kind == "archive":
        parts = parts_of(data, name)
        if len(parts) > 1:
            held = ", ".join(dict.fromkeys(_WORDS[part.kind] for part in parts))
            raise unreadable(
                name, f"an archive with several sources: {held}", help="unpack it, and name one of them"
            )
        if parts and parts[0].name != name:
            return source_of_bytes(parts[0].data, parts[0].name, trees=trees)
        kind = "acpi"
    if kind in ("dtb", "dts"):
        return _tree(data, name, kind, trees)
    _refuse_overlays(trees, name, kind)
    if kind == "acpi":
        from rootplex.readers.acpi.acpidump import tables_of

        return Source(file=name, kind=kind, tables=tables_of(data, name).tables)
    text = data.decode("utf-8", "replace")
    if kind == "snapshot":
        return _snapshot(text, name)
    if kind == "paste":
        from rootplex.capture.pasted.reading import read_paste

        return Source(file=name, kind=kind, paste=read_paste(text, name))
    raise _unknown(data, name)


def _tree(data: bytes, name: str, kind: Kind, trees: Trees) -> Source:
    from rootplex.readers.dtb import read_dtb
    from rootplex.readers.overlays import is_overlay, with_overlays

    data, trees = put_together(data, name, trees)
    if trees.overlays:
        tree, origins = with_overlays(data, name, trees.overlays)
    else:
        tree, origins = read_dtb(data, name), None
    if is_overlay(tree):
        raise unreadable(
            name,
            "a device tree overlay is no board by itself",
            help=f"name its base, with `--overlay {name}`",
        )
    applied = tuple(each for each, _ in trees.overlays)
    return Source(file=name, kind=kind, tree=tree, origins=origins, overlays=applied)


def put_together(data: bytes, name: str, trees: Trees) -> tuple[bytes, Trees]:
    """A device tree and its overlays as blobs, which need no other file. Errors as of `compile_dts`."""

    def blob(data: bytes, name: str, *, labels: bool) -> bytes:
        from rootplex.readers.dts import compile_dts

        data = as_utf8(unpacked(data, name))
        if data.startswith(_DTB):
            return data
        if not _DTS.search(data):
            raise unreadable(name, "not a device tree, neither blob nor source")
        return compile_dts(data.decode("utf-8", "replace"), name, trees.folders, symbols=labels)

    base = blob(data, name, labels=bool(trees.overlays))
    later = range(len(trees.overlays) - 1, -1, -1)  # overlays behind each, which may refer to its labels
    overlays = (
        (each, blob(held, each, labels=bool(behind)))
        for (each, held), behind in zip(trees.overlays, later, strict=True)
    )
    return base, Trees(overlays=tuple(overlays))


def files_of(path: str, trees: Trees) -> tuple[str, ...]:
    """The files that a device tree source and its overlays are put together of, beside itself."""
    from rootplex.readers.dts import included_by

    if not trees.folders or not Path(path).is_file():
        return tuple(name for name, _ in trees.overlays)
    included: list[str] = []
    for name, data in ((path, bytes_of(Path(path), path)), *trees.overlays):
        if kind_of(data) == "dts":
            text = as_utf8(data).decode("utf-8", "replace")
            included += map(str, included_by(text, name, trees.folders))
    return (*(name for name, _ in trees.overlays), *included)


def _refuse_overlays(trees: Trees, name: str, kind: Kind | None) -> None:
    if trees.overlays and kind is not None:
        raise unreadable(name, f"overlays are applied to a device tree, and this is: {_WORDS[kind]}")


class Part(Struct, frozen=True):
    """A source in an archive: its name for places, what it is, its bytes."""

    name: str
    kind: Kind
    data: bytes


def parts_of(data: bytes, name: str) -> tuple[Part, ...]:
    """The sources in an archive: the archive itself where it has ACPI tables, then each member that is
    something else. What is no source is passed over. Errors as of `members`."""
    found = [
        Part(f"{name}/{member}" if member else name, kind, body)
        for member, body in members(data, name)
        if not is_archive(body) and (kind := kind_of(body)) is not None
    ]
    tables = [Part(name, "acpi", data)] if any(part.kind == "acpi" for part in found) else []
    return (*tables, *(part for part in found if part.kind != "acpi"))


def kind_of(data: bytes, *, whole: bool = True) -> Kind | None:
    """What bytes are, by their first ones or by the lines that only such a file has; of what is packed, by
    what is in it. With `whole` False they are a file's beginning only."""
    if is_packed(data):
        data = beginning_unpacked(data, LIMIT if whole else len(data))
        if not data:
            return "archive"  # damaged: reading it says how
    data = as_utf8(data)
    if data.startswith(_DTB):
        return "dtb"
    if _is_snapshot(data):
        return "snapshot"
    if is_archive(data):
        return "archive"
    if _DUMP.search(data[:4096]) or _is_table(data, whole=whole):
        return "acpi"
    if b"\0" in data[:4096]:
        return None
    if is_asl(data):
        return "acpi"
    if _DTS.search(data):
        return "dts"
    return "paste" if forms_in(data) else None


def forms_in(data: bytes) -> frozenset[Form]:
    """What people paste that a text begins with; none where it is a description."""
    from rootplex.capture.pasted.reading import forms_of

    if _DESCRIPTION.search(data):
        return frozenset()
    return forms_of(as_utf8(data[:_BEGINNING]).decode("utf-8", "replace"))


def _is_snapshot(data: bytes) -> bool:
    """Whether a line of it is numbered as the capture script's first one."""
    at = data.find(_SNAPSHOT)
    while at >= 0 and not _NUMBERED.search(data, max(0, at - _LONGEST), at):
        at = data.find(_SNAPSHOT, at + 1)
    return at >= 0


def refuse_firmware(data: bytes, name: str) -> None:
    """Unreadable where the text of a description was expected and a firmware's file came: what it is,
    and what to do with it. Silent for everything else, faulty descriptions among it."""
    kind = None if _DESCRIPTION.search(data) else kind_of(data)
    if kind is not None:
        raise unreadable(
            name,
            f"expected a platform description, found: {_WORDS[kind]}",
            help="make one of it with `rootplex import`, or check it as it is with `rootplex validate`",
        )


def _is_table(data: bytes, *, whole: bool) -> bool:
    length = int.from_bytes(data[4:8], "little")
    fits = length <= (len(data) if whole else LIMIT)  # words such as `IOMMU Group` are longer by far
    return _TABLE.match(data) is not None and len(data) >= _HEADER and length >= _HEADER and fits


def _snapshot(text: str, name: str) -> Source:
    from rootplex.capture.snapshot import parse_snapshot
    from rootplex.frontends.snapshot import snapshot_tables
    from rootplex.readers.dtb import read_dtb

    snapshot = parse_snapshot(text, name)
    tree = None
    if snapshot.dtb is not None and snapshot.firmware != "acpi":
        tree = read_dtb(snapshot.dtb.data, name)
    tables: Sequence[Table] = () if tree is not None else snapshot_tables(snapshot)
    return Source(file=name, kind="snapshot", tree=tree, tables=tuple(tables), snapshot=snapshot)


def _unknown(data: bytes, name: str) -> Exception:
    if _DESCRIPTION.search(data):
        return unreadable(
            name,
            "this is a platform description already",
            help="check it with `rootplex check`, or name it with --against",
        )
    return unreadable(
        name,
        "empty"
        if not data
        else "neither a device tree, ACPI tables, a snapshot, nor what lspci or a kernel's log tells",
        help="give a .dtb or .dts, acpidump text, tables, a snapshot, `lspci -nnvvv` text, a list of IOMMU "
        "groups or a kernel's log",
    )
