"""Where ACPI says that configuration space lies: the base is that of bus 0 (linux.md §2.2, §11.7).

The description's `config.base` is that of the first bus of the range, as in the device tree.
"""

from __future__ import annotations

from collections.abc import Iterable

from rootplex.backends.refusal import CannotCompile
from rootplex.formats.pci import ECAM_BUS
from rootplex.model.bridge import HostBridge
from rootplex.source.finding import Finding
from rootplex.source.rules import ECAM_BASE_BELOW_ZERO


def base_of_bus_0(bridge: HostBridge) -> int:
    """What MCFG and `_CBA` hold; below zero where no table can hold it."""
    return bridge.config.base - bridge.bus_range.first * ECAM_BUS


def in_mcfg(bridge: HostBridge) -> bool:
    """Whether MCFG has an entry for the bridge, as ACPI sees it."""
    return (
        bridge.enabled
        and not bridge.hot_pluggable
        and bridge.config.is_ecam
        and bridge.acpi.mcfg is not False
    )


def has_cba(bridge: HostBridge) -> bool:
    """Whether the bridge's device has `_CBA`."""
    return bridge.config.is_ecam and bridge.acpi.cba


def check_bases(bridges: Iterable[HostBridge]) -> None:
    """CannotCompile where the base of bus 0 of one of the bridges would lie below address 0."""
    faults = tuple(_below_zero(bridge) for bridge in bridges if base_of_bus_0(bridge) < 0)
    if faults:
        raise CannotCompile(faults)


def _below_zero(bridge: HostBridge) -> Finding:
    first = bridge.bus_range.first
    return ECAM_BASE_BELOW_ZERO.finding(
        bridge.at("config.base"),
        f"the configuration space of bus 0 of {bridge.name} would lie below address 0",
        related=((bridge.at("bus_range"), f"the first bus is {first:#04x}"),),
        notes=(
            f"MCFG and _CBA hold the base of bus 0: {bridge.config.base:#x} - {first:#x} × 1 MiB",
            "a device tree can say it, ACPI cannot",
        ),
        help=f"put the configuration space at {first * ECAM_BUS:#x} or above, or begin the bus range lower",
        subject=bridge.name,
    )
