"""How Xen can end: the crash as a value, the lines it leaves, and the stop inside the simulator."""

from __future__ import annotations

from typing import Literal

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


class Notice(Struct, frozen=True):
    """Something that Xen noticed. `slug` names the kind of thing for checks and tests; `printed`
    is false for what the real Xen does without a word (a scan that ends early)."""

    slug: str
    text: str
    at: Place | None = None
    printed: bool = True
