"""How Xen on Arm numbers segments: all nodes carry `linux,pci-domain`, or none does (§1.4).

`pci_bus_find_domain_nr` and `dt_get_pci_domain_nr`. There is no uniqueness check.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Numbering(Struct, frozen=True):
    """The state: who chooses, and the last number that the counter gave out (-1: none)."""

    mode: Literal["undecided", "fixed", "automatic"] = "undecided"
    counter: int = -1


def number_bridge(state: Numbering, domain: int | None) -> tuple[int, Numbering] | None:
    """The segment of the next bridge, whose `linux,pci-domain` is `domain` (32 bits; None: absent),
    and the state after it. None: the bridge does not go with the ones before, which is a BUG.

    The value is cut to 16 bits before anything else is looked at.
    """
    if domain is not None:
        return None if state.mode == "automatic" else (domain & 0xFFFF, Numbering("fixed", state.counter))
    return None if state.mode == "fixed" else (state.counter + 1, Numbering("automatic", state.counter + 1))


def number_other(state: Numbering) -> tuple[int, Numbering] | None:
    """The number written into Dom0's tree for a bridge that Xen does not drive (§1.6): from the
    counter, which refuses (None) in every mode but `automatic`."""
    if state.mode != "automatic":
        return None
    return state.counter + 1, Numbering("automatic", state.counter + 1)
