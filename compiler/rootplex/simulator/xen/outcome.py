"""How Xen can end: the crash as a value, the lines it leaves, and the stop inside the simulator."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.source.place import Place

CrashKind = Literal[
    "panic",
    "BUG",
    "assertion",
    "data abort",
    "page fault",
    "general protection fault",
    "jump to address 0",
    "endless loop",
]
"""How Xen ends; in an `endless loop` it holds its locks and answers nobody any more."""


class Crash(Struct, frozen=True):
    """The end of the hypervisor. `cause` is lower case, without full stop; `at` is the artifact's
    place that led there, where there is one; `clause` the reference's section or rule."""

    kind: CrashKind
    cause: str
    clause: str
    at: Place | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.cause}"


class Stopped(Exception):  # noqa: N818 - it says what happened to the machine
    """Xen went down in the middle of something that Dom0 asked for: nothing returns to Dom0.

    Raised through Dom0's code and caught where the machine is run; `Xen.crash` is the value.
    """

    def __init__(self, crash: Crash) -> None:
        super().__init__(str(crash))
        self.crash = crash


def stop(kind: CrashKind, cause: str, clause: str, at: Place | None = None) -> Stopped:
    """The exception for a crash, to be raised."""
    return Stopped(Crash(kind, cause, clause, at))


NoticeKind: TypeAlias = Literal[
    "window",  # a bridge's configuration window, and where it has one its child window
    "child-window",
    "no-bus-range",  # 0x00-0xff are taken
    "no-window",  # a bridge whose probe fails for it, without a word, as for the next
    "window-untranslatable",
    "no-child-window",
    "scan-ended",  # after such a bridge, without a word
    "acpi-pci-unsupported",  # on Arm
    "mcfg-empty",
    "mcfg-above-4g",  # the whole table is ignored
    "mcfg-base-zero",  # likewise
    "mcfg-not-reserved",
    "mcfg-shrunk",
    "mcfg-no-room",  # to map it
    "area-not-trapped",  # it overlaps another
    "unknown-type",
    "no-bridge-for",
    "added",
    "added-phantom",
    "vf-without-pf",
    "freed-while-listed",  # without a word
    "pf-linked-as-vf",  # a PF that has VFs, without a word
    "vf-without-extended",  # configuration space
    "pf-with-vfs",  # is not removed
    "vfs-already-enabled",
    "vf-io-bar",
    "vf-bar-last-slot",  # a 64-bit one
    "test-assign",  # assigned already, or not there
    "emulation-lost",  # of a device that stays with Dom0, without a word
    "msix-hidden",  # it does not fit its BARs
    "bar-offset",  # a guest's BAR is not at the host's place in its page
    "mapping-denied",  # nothing can be mapped there: memory decoding is off
    "invalid-bar",  # in no window
    "mapped-bar-write",  # ignored
    "rebar-mapped",  # not resized
    "rebar-size",  # not offered
]


class Notice(Struct, frozen=True):
    """Something that Xen noticed: of a host bridge (by its node's path) or a function (by its address), or at
    a place of the firmware."""

    kind: NoticeKind
    about: str = ""
    at: Place | None = None
