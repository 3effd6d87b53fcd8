"""What faces outward, and what behind it an x86 kernel does not trust (linux.md §5.2)."""

from __future__ import annotations

from collections.abc import Container, Iterator

from rootplex.formats.pci import PcieType
from rootplex.simulator.function import DOWNSTREAM, ROOT_PORT, UPSTREAM, Function

_TUNNELS = frozenset(
    (0x8086, device)
    for device in (
        *(0x8A1D, 0x8A1F, 0x8A21, 0x8A23),  # Ice Lake, Thunderbolt 3
        *(0x9A23, 0x9A25, 0x9A27, 0x9A29),  # Tiger Lake-LP, Thunderbolt 4
        *(0x9A2B, 0x9A2D, 0x9A2F, 0x9A31),  # Tiger Lake-H
    )
)
"""Root ports of an integrated Thunderbolt host before firmware named them."""
_DIRECTLY_BELOW: dict[int | None, tuple[int, ...]] = {
    UPSTREAM: (),
    DOWNSTREAM: (UPSTREAM,),
    PcieType.ENDPOINT: (DOWNSTREAM, UPSTREAM),
}
"""By type: the types above it, nearest first, in a switch that is directly below the port
(`pcie_switch_directly_under`)."""


def way_to(function: Function) -> tuple[int, ...]:
    """The devfns from the first bus down to the function."""
    return tuple(reversed([function.devfn, *(bridge.devfn for bridge in _above(function))]))


def tunnels(function: Function, named: Container[tuple[int, ...]]) -> bool:
    """Whether what is below comes through a tunnel: firmware names the port, or its id tells
    (`pcie_has_usb4_host_interface`)."""
    return (function.vendor, function.device) in _TUNNELS or way_to(function) in named


def is_untrusted(function: Function) -> bool:
    """`set_pcie_untrusted` with x86's `arch_pci_dev_is_removable`: behind a root port that faces outward, but
    for the switch of a discrete Thunderbolt controller and the endpoints directly below that."""
    above = list(_above(function))
    if not above:
        return False
    if above[0].untrusted:
        return True
    level = next((level for level, each in enumerate(above) if each.pcie_type == ROOT_PORT), None)
    if level is None or not above[level].external_facing:
        return False
    if above[0].tunnels:
        return True
    types = tuple(each.pcie_type for each in above[:level])
    return _DIRECTLY_BELOW.get(function.pcie_type) != types


def _above(function: Function) -> Iterator[Function]:
    """The bridges above, the nearest first; those of a virtual function are its physical function's."""
    bridge = (function.physfn or function).bus.bridge
    while bridge is not None:
        yield bridge
        bridge = bridge.bus.bridge
