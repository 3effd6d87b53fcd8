"""What Dom0, its toolstack and guests do to a running Xen, as data that a file can hold."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct


class Switches(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the machine is run; None: as its description says. `masked`: the IOMMU maps look at the low
    bits of a requester id alone, so that functions come to share a stream."""

    firmware: Literal["dt", "acpi"] | None = None
    discovery: Literal["dom0", "xen"] = "dom0"
    xen: str = "xen-unstable"
    vpci: bool = False
    iommu: bool | None = None
    passthrough: bool = True
    quarantine: bool = True
    numbered: bool = True
    masked: int = 0


class Hypercall(Struct, frozen=True, tag=True, omit_defaults=True):
    """A call of domain `caller`; `args` None is a bad pointer."""

    op: str
    args: dict[str, int] | None
    caller: int = 0


class Register(Struct, frozen=True, tag=True):
    """The 2017 protocol's registration of a host bridge."""

    segment: int
    start_bus: int
    end_bus: int
    kind: str
    base: int
    size: int


class Guest(Struct, frozen=True, tag=True):
    """A domain is made."""

    iommu: bool = True


class Access(Struct, frozen=True, tag=True, omit_defaults=True):
    """A memory access of `size` bytes at `address`, a write where there is a `value`; a guest's (`domain` not
    0) is to its virtual configuration space, `address` counted from its beginning."""

    address: int
    size: int
    value: int | None = None
    domain: int = 0


class Port(Struct, frozen=True, tag=True, omit_defaults=True):
    """An access of Dom0's to an x86 port."""

    port: int
    size: int
    value: int | None = None


Step: TypeAlias = Hypercall | Register | Guest | Access | Port


class Play(Struct, frozen=True):
    """A machine, how it is run, and what happens on it."""

    board: str
    switches: Switches
    steps: tuple[Step, ...]


def read_play(text: bytes | str) -> Play:
    """A play from its JSON form; msgspec.ValidationError for what is none."""
    return msgspec.json.decode(text, type=Play)


def text_of(play: Play) -> str:
    """Its JSON form: a line for the machine, then one for each step."""
    head = msgspec.json.encode({"board": play.board, "switches": play.switches}).decode()
    steps = ",\n  ".join(msgspec.json.encode(step).decode() for step in play.steps)
    return f'{head[:-1]},\n "steps": [\n  {steps}\n]}}\n'
