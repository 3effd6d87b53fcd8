"""What Linux makes of devices that it knows by id (`linux.yaml`), by kernel version.

The kernel's own tables and fix-ups: `drivers/pci/quirks.c`, mostly. A row is taken as the kernel takes it:
the first that answers wins where it asks (`acs`), every one where it changes something."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias, cast

from msgspec import Struct

from rootplex.source.yaml12 import load_yaml

Kind: TypeAlias = Literal["acs", "alias", "bridge", "ats", "class", "registers"]
KINDS: tuple[Kind, ...] = ("acs", "alias", "bridge", "ats", "class", "registers")
Version: TypeAlias = tuple[int, int]
ANY = (0, 0xFFFF)


class Row(Struct, frozen=True, kw_only=True):
    """One function of the kernel's about some ids: `devices` by vendor, ranges with both ends. `effect` is
    what it says, `source` the kernel's file and function. An empty condition always holds; `below` is a
    revision."""

    kind: Kind
    effect: str | int | tuple[int, ...]
    source: str
    devices: Mapping[int, tuple[tuple[int, int], ...]]
    types: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    subsystems: tuple[tuple[int, int], ...] = ()
    revision: int | None = None
    below: int = 0x100
    since: Version = (0, 0)
    until: Version = (1 << 16, 0)

    def names(self, vendor: int, device: int) -> bool:
        """Whether an id is among its ids."""
        return any(first <= device <= last for first, last in self.devices.get(vendor, ()))

    def in_kernel(self, version: Version) -> bool:
        """Whether a kernel of this version has it."""
        return self.since <= version < self.until

    def aliases(self, devfn: int) -> tuple[int, ...]:
        """The devfns that a function at a devfn uses beside its own id, in order (`pci_add_dma_alias`)."""
        match self.effect:
            case "function-0" | "function-1":
                alias = devfn & ~7 | int(self.effect[-1])
                return () if alias == devfn else (alias,)
            case "five-of-each-device":
                return tuple(devfn for devfn in range(256) if devfn & 7 < 5)
            case "every-devfn":
                return tuple(range(256))
            case tuple(devfns):
                return devfns
        return ()


class Identity(Struct, frozen=True, kw_only=True):
    """What a kernel asks of a function. `type` is its PCIe type in the language, None for a conventional
    one."""

    vendor: int
    device: int
    type: str | None
    class_code: int
    revision: int
    subsystem: tuple[int, int] | None = None


def rows_of(vendor: int, device: int) -> tuple[Row, ...]:
    """Every row that names an id, whatever else it asks for, in the kernel's order."""
    return tuple(row for row in _by_vendor().get(vendor, ()) if row.names(vendor, device))


def known(identity: Identity, version: Version) -> tuple[Row, ...]:
    """The rows that hold for a function under a kernel, in the kernel's order."""
    rows = rows_of(identity.vendor, identity.device)
    return tuple(row for row in rows if row.in_kernel(version) and _holds(row, identity))


def _holds(row: Row, identity: Identity) -> bool:
    digits = f"{identity.class_code:06x}"
    return (
        (not row.types or identity.type in row.types)
        and (not row.classes or digits.startswith(row.classes))
        and (not row.subsystems or identity.subsystem in row.subsystems)
        and (row.revision is None or row.revision == identity.revision)
        and identity.revision < row.below
    )


@cache
def rows() -> tuple[Row, ...]:
    """All rows, in the order of the file."""
    path = Path(__file__).with_name("linux.yaml")
    document = load_yaml(path.read_bytes(), path.name).plain()
    return tuple(_row(each) for each in cast("list[dict[str, object]]", document))


@cache
def _by_vendor() -> Mapping[int, tuple[Row, ...]]:
    vendors = {vendor for row in rows() for vendor in row.devices}
    return {vendor: tuple(row for row in rows() if vendor in row.devices) for vendor in vendors}


def _row(plain: dict[str, object]) -> Row:
    kind = next(kind for kind in KINDS if kind in plain)
    effect = plain[kind]
    return Row(
        kind=kind,
        effect=tuple(effect) if isinstance(effect, list) else cast("str | int", effect),
        source=str(plain["source"]),
        devices={
            int(vendor, 16): tuple(_ranges(text))
            for vendor, text in cast("dict[str, str]", plain["ids"]).items()
        },
        types=tuple(cast("list[str]", plain.get("types", []))),
        classes=tuple(cast("list[str]", plain.get("classes", []))),
        subsystems=tuple(_pair(each) for each in cast("list[str]", plain.get("subsystems", []))),
        revision=cast("int | None", plain.get("revision")),
        below=cast("int", plain.get("revisions", 0x100)),
        since=_version(plain.get("since"), (0, 0)),
        until=_version(plain.get("until"), (1 << 16, 0)),
    )


def _ranges(text: str) -> Iterator[tuple[int, int]]:
    if text == "*":
        yield ANY
        return
    for word in text.split():
        first, _, last = word.partition("-")
        yield int(first, 16), int(last or first, 16)


def _pair(text: str) -> tuple[int, int]:
    vendor, _, device = text.partition(":")
    return int(vendor, 16), int(device, 16)


def _version(value: object, default: Version) -> Version:
    if value is None:
        return default
    match = re.fullmatch(r"(\d+)\.(\d+)", str(value))
    assert match is not None, f"{value}: a version is written as in 6.12"
    return int(match[1]), int(match[2])
