"""Which Linux: what differs between kernel versions, as data (linux.md §10)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from rootplex.readers.ridmap import MapCells


class Profile(Struct, frozen=True, kw_only=True):
    """One kernel. Where a field tells when something happens:

    `domains`: how a device tree bridge gets its number (§1.2). `bus_range`: what limits its end:
    `span` start + 0xff, `byte` 0xff (§1.3). `bridge_probe_only`: the property also counts in the
    bridge's node; `probe_only_assigns`: what firmware left unassigned is assigned (§1.8).
    `reassigns_buses`: bus numbers that firmware left behind a device tree bridge are given anew,
    unless probe-only (taken out in 6.11 by commit 7246a4520b4b, and back in 6.12.96 and 7.2).
    `acs_dt`: when ACS is switched on with a device tree: `after-driver` from the first driver's
    bind on, `all` for every device (§5.2). `groups_dt`, `groups_arm_acpi`: groups form when a
    driver binds, or at device add (§5.5). `config_acs`: the boot option is known.
    `grouping`: how groups are found (§5.5, §5.8).
    """

    name: str
    domains: Literal["new", "old"] = "new"
    bus_range: Literal["span", "byte"] = "byte"
    bridge_probe_only: bool = True
    probe_only_assigns: bool = True
    reassigns_buses: bool = True
    map_cells: MapCells = MapCells.TARGET
    acs_dt: Literal["after-driver", "all"] = "all"
    groups_dt: Literal["driver-bind", "device-add"] = "device-add"
    groups_arm_acpi: Literal["driver-bind", "device-add"] = "device-add"
    config_acs: bool = True
    grouping: Literal["discovery-order", "top-down"] = "discovery-order"


_7_2 = Profile(name="linux-7.2")
_6_12 = replace(
    _7_2,
    name="linux-6.12",
    bus_range="span",
    map_cells=MapCells.ONE,
    acs_dt="after-driver",
    groups_dt="driver-bind",
    groups_arm_acpi="driver-bind",
)
_6_1 = replace(
    _6_12,
    name="linux-6.1",
    bridge_probe_only=False,
    probe_only_assigns=False,
    config_acs=False,
)

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        _7_2,
        _6_12,
        replace(_6_12, name="linux-6.12.95", reassigns_buses=False),
        _6_1,
        replace(_6_1, name="linux-6.1-vanilla", domains="old"),
        replace(_7_2, name="jgg-v3", grouping="top-down"),
    )
}


def profile(name: str) -> Profile:
    """The profile of a kernel's name. Raises `KeyError` with the known names."""
    if name not in PROFILES:
        raise KeyError(f"unknown kernel {name!r}; known: {', '.join(PROFILES)}")
    return PROFILES[name]
