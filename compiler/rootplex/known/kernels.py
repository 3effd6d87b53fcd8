"""The kernels that we know: their names, their releases, where Debian holds them, and what differs between
them, as data (linux.md §10)."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from rootplex.formats.devicetree import MapCells

Version: TypeAlias = tuple[int, int, int]


class Profile(Struct, frozen=True, kw_only=True):
    """One kernel's behaviour. `releases` have it: each from a version to before another; `suites` are
    Debian's that hold such a kernel, in the order they are tried. Where a field tells when something
    happens:

    `domains`: how a device tree bridge gets its number (§1.2). `bus_range`: what limits its end:
    `span` start + 0xff, `byte` 0xff (§1.3). `bridge_probe_only`: the property also counts in the
    bridge's node; `probe_only_assigns`: what firmware left unassigned is assigned (§1.8).
    `reassigns_buses`: bus numbers that firmware left behind a device tree bridge are given anew,
    unless probe-only (taken out in 6.11 by commit 7246a4520b4b, and back in 6.12.96 and 7.2).
    `acs_dt`: when ACS is switched on with a device tree: `after-driver` from the first driver's
    bind on, `all` for every device (§5.2). `groups_dt`, `groups_arm_acpi`: groups form when a
    driver binds, or at device add (§5.5). `config_acs`: the boot option is known. `knows`: the version
    whose devices it knows by id (`devices.py`).
    `riscv_iommu`: there is a driver for RISC-V's IOMMU (drivers/iommu/riscv, from 6.13 on).
    `grouping`: how groups are found (§5.5, §5.8).
    """

    name: str
    releases: tuple[tuple[Version, Version], ...] = ()
    suites: tuple[str, ...] = ()
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
    knows: tuple[int, int] = (7, 2)
    riscv_iommu: bool = True
    grouping: Literal["discovery-order", "top-down"] = "discovery-order"


_LATER: Version = (1 << 16, 0, 0)

_7_2 = Profile(name="linux-7.2", releases=(((7, 0, 0), _LATER),), suites=("sid",))
_6_12 = replace(
    _7_2,
    name="linux-6.12",
    knows=(6, 12),
    riscv_iommu=False,
    releases=(((6, 12, 96), (6, 13, 0)),),
    suites=("bookworm-backports", "trixie"),
    bus_range="span",
    map_cells=MapCells.ONE,
    acs_dt="after-driver",
    groups_dt="driver-bind",
    groups_arm_acpi="driver-bind",
)
_6_12_95 = replace(
    _6_12,
    name="linux-6.12.95",
    releases=(((6, 12, 0), (6, 12, 96)), ((6, 13, 0), (6, 15, 0))),  # 6.15 to 6.19: nobody has read them
    suites=(),
    reassigns_buses=False,
)
_6_1 = replace(
    _6_12,
    name="linux-6.1",
    knows=(6, 1),
    releases=(((6, 1, 0), (6, 12, 0)),),
    suites=("bookworm",),
    bridge_probe_only=False,
    probe_only_assigns=False,
    config_acs=False,
)
_6_1_VANILLA = replace(_6_1, name="linux-6.1-vanilla", releases=(), suites=(), domains="old")
_JGG = replace(_7_2, name="jgg-v3", releases=(), suites=(), grouping="top-down")

PROFILES: dict[str, Profile] = {
    profile.name: profile for profile in (_7_2, _6_12, _6_12_95, _6_1, _6_1_VANILLA, _JGG)
}
"""By name, in the order in which they are listed; the schema's list of kernels is held against it."""

DEFAULT = _7_2.name
"""Dom0's kernel where a description names none."""

TO_BOOT = _6_1.name
"""The kernel that random topologies are booted on: the oldest, which every mirror of Debian offers."""

TO_BOOT_RISCV = _6_12.name
"""The oldest of riscv64, which became a port of Debian's with Debian 13."""

FIRST = {"arm64": TO_BOOT, "x86_64": TO_BOOT, "riscv64": TO_BOOT_RISCV}
"""The oldest kernel that Debian has for an architecture."""

SUITES = {name: profile.suites for name, profile in reversed(PROFILES.items()) if profile.suites}
"""Where Debian holds the kernel of a profile."""


def offered(arch: str) -> tuple[str, ...]:
    """The kernels that Debian has for an architecture, oldest first."""
    names = tuple(SUITES)
    return names[names.index(FIRST[arch]) :]


def profile(name: str) -> Profile:
    """The profile of a kernel's name. Raises `KeyError` with the known names."""
    if name not in PROFILES:
        raise KeyError(f"unknown kernel {name!r}; known: {', '.join(PROFILES)}")
    return PROFILES[name]


def profile_of(release: str) -> str | None:
    """The name of the profile that a kernel of this release (`6.12.95+deb12-cloud-arm64`) behaves as; None
    where nobody has read that version."""
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    if match is None:
        return None
    version = (int(match[1]), int(match[2]), int(match[3] or 0))
    for profile in PROFILES.values():
        if any(first <= version < end for first, end in profile.releases):
            return profile.name
    return None
