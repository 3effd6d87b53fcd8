"""Segment ("domain") numbers of device tree bridges, by Linux's new and old scheme (linux.md §1.2).

New: `pci.c:of_pci_bus_find_domain_nr` since 6.2. Old: kernels 4.x to 6.1, where the first bridge
decides whether numbers come from the property or from a counter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from msgspec import Struct

from rootplex.formats.errno import Errno
from rootplex.readers.tree import Tree

WIDTH = 0xFFFF
"""Linux cuts `linux,pci-domain` to 16 bits."""


class Refused(Struct, frozen=True):
    """No number: why, with a negative errno, and the one that was asked for."""

    kind: Literal["domain-taken", "domain-inconsistent"]
    errno: int
    number: int = 0


class DomainNumbers(Protocol):
    """Gives a registering bridge its number. `domain` is the property's first cell or None."""

    def number(self, domain: int | None) -> int | Refused: ...

    def release(self, number: int, domain: int | None) -> None:
        """Take back the number of a bridge that failed after it got one."""
        ...


class NewScheme:
    """The lowest free number for a bridge without the property; properties of every node of
    `device_type = "pci"` are reserved first, disabled ones and those below bridges too."""

    def __init__(self, reserved: Iterable[int]) -> None:
        self._dynamic = {number & WIDTH for number in reserved}
        self._static: set[int] = set()

    def number(self, domain: int | None) -> int | Refused:
        if domain is not None:
            number = domain & WIDTH
            if number in self._static:
                return Refused("domain-taken", -Errno.ENOSPC, number)
            self._static.add(number)
            return number
        number = next(number for number in range(len(self._dynamic) + 1) if number not in self._dynamic)
        self._dynamic.add(number)
        return number

    def release(self, number: int, domain: int | None) -> None:
        (self._dynamic if domain is None else self._static).discard(number)


class OldScheme:
    """All bridges have the property, or none has; a mix is an error for the odd ones."""

    def __init__(self) -> None:
        self._mode: Literal["property", "counter"] | None = None
        self._counter = -1

    def number(self, domain: int | None) -> int | Refused:
        wanted: Literal["property", "counter"] = "counter" if domain is None else "property"
        if self._mode is None:
            self._mode = wanted
        if self._mode != wanted:
            return Refused("domain-inconsistent", -Errno.EINVAL)
        if domain is not None:
            return domain & WIDTH
        self._counter += 1
        return self._counter

    def release(self, number: int, domain: int | None) -> None:
        pass


def reserved_domains(tree: Tree) -> list[int]:
    """`linux,pci-domain` of every node with `device_type = "pci"`, whatever its status."""
    return [
        domain
        for node in tree.walk()
        if node.string("device_type") == "pci" and (domain := node.u32("linux,pci-domain")) is not None
    ]
