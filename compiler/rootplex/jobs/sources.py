"""What a file is, by its content, and its facts read once: for `import` and `validate`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.capture.facts import Snapshot
from rootplex.capture.pasted.facts import Form, Paste
from rootplex.formats.acpi import TABLES
from rootplex.readers.acpi.header import Table
from rootplex.readers.archives import beginning_unpacked, is_archive, is_packed, members, unpacked
from rootplex.readers.encoding import as_utf8
from rootplex.readers.files import LIMIT, bytes_of
from rootplex.readers.tree import Tree
from rootplex.source.finding import unreadable

Kind: TypeAlias = Literal["dtb", "dts", "acpi", "snapshot", "paste", "archive"]

_DTB = b"\xd0\x0d\xfe\xed"
_DUMP = re.compile(rb"^[ -~]{1,8}? @ 0x[0-9A-Fa-f]+\s*$", re.MULTILINE)
_SNAPSHOT = b" rootplex-snapshot "
_NUMBERED = re.compile(rb"[0-9]{1,9}/[0-9]{1,9}\Z")
_TABLE = re.compile(rb"[A-Z0-9_]{4}")
_DTS = re.compile(rb"^[ \t]*+/(?:dts-v1/\s*+;|\s*+\{)", re.MULTILINE)
_DESCRIPTION = re.compile(rb"^rootplex:", re.MULTILINE)
_HEADER = 36
_BEGINNING = 65536
_LONGEST = 19  # of two numbers and the stroke between


AML = {"DSDT", "SSDT", "PSDT"}
TELLING = set(TABLES)


class Source(Struct, frozen=True, kw_only=True):
    """One input: its name for places, what it is, and what it holds. A snapshot has `snapshot` and
    the firmware that the kernel booted with."""

    file: str
    kind: Kind
    tree: Tree | None = None
    tables: tuple[Table, ...] = ()
    snapshot: Snapshot | None = None
    paste: Paste | None = None

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
    "log": "kernel log",
}


def read_source(path: Path, name: str) -> Source:
    """The file or folder at `path`; `name` stands in places.

    Unreadable for what is none of them, or is damaged; OSError where it cannot be opened.
    """
    if path.is_dir():
        from rootplex.readers.acpi.acpidump import read_tables

        return Source(file=name, kind="acpi", tables=read_tables(path, name).tables)
    return source_of_bytes(bytes_of(path, name), name)


def source_of_bytes(data: bytes, name: str, kind: Kind | None = None) -> Source:
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
            return source_of_bytes(parts[0].data, parts[0].name)
        kind = "acpi"
    if kind == "dtb":
        from rootplex.readers.dtb import read_dtb

        return Source(file=name, kind=kind, tree=read_dtb(data, name))
    if kind == "acpi":
        from rootplex.readers.acpi.acpidump import tables_of

        return Source(file=name, kind=kind, tables=tables_of(data, name).tables)
    text = data.decode("utf-8", "replace")
    if kind == "dts":
        from rootplex.readers.dtb import read_dtb
        from rootplex.readers.dts import compile_dts

        return Source(file=name, kind=kind, tree=read_dtb(compile_dts(text, name), name))
    if kind == "snapshot":
        return _snapshot(text, name)
    if kind == "paste":
        from rootplex.capture.pasted.reading import read_paste

        return Source(file=name, kind=kind, paste=read_paste(text, name))
    raise _unknown(data, name)


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
    fits = length <= len(data) or not whole
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
