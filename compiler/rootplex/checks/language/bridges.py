"""What a description says of a bridge and cannot be meant."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import pairwise

from rootplex.checks.areas import part_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.formats.devicetree import CONFIG_REG_NAMES, GENERIC
from rootplex.model.bridge import HostBridge, Override
from rootplex.model.controllers import DtNode
from rootplex.model.part import Part
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place, Span
from rootplex.source.rules import INVALID_VALUE


@check("RPX0023", Level.ERROR, needs="description", covers=("LNX-15", "XP-12"))
def bus_numbers(facts: Facts) -> Iterator[Finding]:
    """What it finds: a range of buses whose first is behind its last: `bus_range` of a host bridge, `bus` of
    a port.
    Why it matters: Linux refuses such a host bridge (-EINVAL), Xen never finds a device in it.
    Example: `bus_range: [0x20, 0x10]`.
    What to do: write the smaller number first.
    Source: Linux drivers/pci/ecam.c, pci_ecam_create; Xen xen/arch/arm/pci/pci-host-common.c,
    pci_generic_init_bus_range (no check: the bridge matches no bus).
    """
    for bridge in facts.platform.host_bridges:
        views: tuple[HostBridge | Override, ...] = (bridge, bridge.acpi, bridge.dt)
        for view in views:
            buses = view.bus_range
            if (
                buses is not None
                and buses.first > buses.last
                and not _is_read_wrong(facts, view.at("bus_range"))
            ):
                yield bus_numbers.rule.finding(
                    view.at("bus_range"),
                    f"the bus range of '{bridge.name}' starts at {buses.first:#x}, "
                    f"behind its end {buses.last:#x}",
                    help="write the first bus first",
                    rewrite=view.written("bus_range", f"[{buses.last:#x}, {buses.first:#x}]"),
                    subject=bridge.name,
                )
        for device in bridge.walk():
            if device.bus in (None, (0, 0)) or _is_read_wrong(facts, device.at("bus")):
                continue
            assert device.bus is not None
            if device.bus[0] > device.bus[1]:
                yield bus_numbers.rule.finding(
                    device.at("bus"),
                    f"the secondary bus of {device.label} is {device.bus[0]:#x}, "
                    f"behind its subordinate {device.bus[1]:#x}",
                    help="write the secondary bus first",
                    rewrite=device.written("bus", f"[{device.bus[1]:#x}, {device.bus[0]:#x}]"),
                    subject=device.name,
                )


def _is_read_wrong(facts: Facts, at: Place) -> bool:
    """Whether one of the two numbers is no bus at all: reported already, and a default is used."""
    return isinstance(at, Span) and any(
        each.code == INVALID_VALUE.code and at.holds(each.at) for each in facts.found
    )


@check("RPX0030", Level.ERROR, needs="description")
def config_block_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: a bridge whose `registers` have no entry for its configuration space: none of a name
    that drivers know it by, and none at `config.base`.
    Why it matters: drivers that know no name take the first block for configuration space.
    Example: `config: {base: 0x40_1000_0000, registers: [{name: dbi, base: 0x5000_0000, size: 64KiB}]}`.
    What to do: list it too, by the name `config`; it then stands for `base` and `size`.
    Source: Linux drivers/pci/controller/pci-host-common.c, gen_pci_init, and
    drivers/pci/controller/dwc/pcie-designware-host.c, dw_pcie_host_get_resources.
    """
    # A windowed bridge may have any registers.
    for bridge in facts.platform.bridges_in("dt"):
        config = bridge.config
        if config.kind == "windowed" or not config.registers:
            continue
        if any(each.name in CONFIG_REG_NAMES or each.base == config.base for each in config.registers):
            continue
        yield config_block_missing.rule.finding(
            config.at("registers"),
            f"no entry of 'registers' is the configuration space of '{bridge.name}'",
            related=[(config.at("base"), "configuration space is here")],
            help=f"add {{name: config, base: {config.base:#x}, size: …}}",
            subject=bridge.name,
        )


PORTS = 1 << 16


@check("RPX0029", Level.WARNING, needs="description")
def ports_without_address(facts: Facts) -> Iterator[Finding]:
    """What it finds: off x86, an I/O window whose ports the CPU is to see in the first 64 KiB of its
    addresses.
    Why it matters: there is no I/O space but on x86: the bridge shows its ports at some address of memory,
    which `cpu` says. Without it the port numbers are taken.
    Example: `{space: io, pci: 0x0, size: 64KiB}` on arm64.
    What to do: write `cpu`: where the CPU sees the ports.
    Source: Linux drivers/pci/of.c, devm_of_pci_get_host_bridge_resources, and lib/logic_pio.c.
    """
    if facts.platform.arch == "x86_64":
        return
    for bridge in facts.platform.host_bridges:
        for window in bridge.windows:
            if window.space != "io" or window.cpu >= PORTS:
                continue
            swapped = window.wrote("cpu") and window.pci >= PORTS
            yield ports_without_address.rule.finding(
                window.at("cpu" if window.wrote("cpu") else "space"),
                f"the I/O window of '{bridge.name}' lies at CPU address {window.cpu:#x}",
                notes=["only x86 has an I/O space; elsewhere the CPU sees ports at an address of memory"],
                help="did you swap 'pci' and 'cpu'?"
                if swapped
                else "write 'cpu': where the CPU sees the ports",
                subject=bridge.name,
                about=(part_of("window", bridge.name, window.cpu),),
            )


_QEMUS = frozenset({"riscv-virtio"})
"""Machines of QEMU's whose name has no vendor (hw/riscv/virt.c)."""


@check("RPX0026", Level.WARNING, needs="description")
def compatible_parted(facts: Facts) -> Iterator[Finding]:
    """What it finds: an entry of `compatible` without a comma: of `platform` any but QEMU's `riscv-virtio`,
    of a bridge any but the two generic ones, of a controller two such in a row; and one that begins or ends
    with a space.
    Why it matters: a compatible string is `vendor,model`, and a comma parts the entries of a YAML list:
    without quotes `[linux,dummy-virt]` are two strings, and no kernel knows either.
    Example: `compatible: [linux,dummy-virt]`.
    What to do: put it in quotes: `compatible: ["linux,dummy-virt"]`.
    Source: Devicetree Specification 0.4 §2.3.1; YAML 1.2.2 §7.4.1.
    """
    # The platform's list, then those of bridges and of vendors' controllers; one finding for each.
    platform = facts.platform
    whole = next((each for each in platform.compatible if "," not in each and each not in _QEMUS), None)
    if whole is not None:
        yield _parted(platform, whole, platform.compatible, None)
    controllers = (*platform.interrupt_controllers, *platform.msi_controllers, *platform.iommus)
    vendors = [each for each in controllers if isinstance(each, DtNode)]
    lists: list[tuple[Part, tuple[str, ...], str]] = [
        *((bridge.config, bridge.config.compatible, bridge.name) for bridge in platform.host_bridges),
        *((each, each.compatible, each.name) for each in vendors),
    ]
    for part, compatible, name in lists:
        is_bridge = part not in vendors
        alone = (each for each in compatible if is_bridge and _is_none(each))
        pairs = (a for a, b in pairwise(compatible) if _is_none(a) and _is_none(b))
        wrong = next(alone, next(pairs, None))
        if wrong is not None:
            yield _parted(part, wrong, compatible, name)


def _is_none(entry: str) -> bool:
    """Whether it is no compatible string that there is."""
    return entry.strip() != entry or ("," not in entry and entry not in GENERIC.values())


def _parted(part: Part, entry: str, compatible: tuple[str, ...], subject: str | None) -> Finding:
    at = compatible.index(entry)
    pair = [each for each in compatible[at : at + 2] if _is_none(each)]
    words = set(entry.split("-"))
    near = [each for each in GENERIC.values() if words == set(each.split("-"))]
    near = near or get_close_matches(entry, GENERIC.values(), 1)
    advice = f'did you mean "{near[0]}"?' if near else "write vendor,model in quotes"
    fault = "has no comma, which every compatible string of a vendor has"
    if entry.strip() != entry:
        fault, advice = "has a space at an end", f'write "{entry.strip()}"'
    return compatible_parted.rule.finding(
        part.at("compatible"),
        f"'{entry}' in compatible {fault}",
        notes=["a comma parts the entries of a list unless it is in quotes"] if len(pair) == 2 else (),
        help=f'write "{",".join(pair)}"' if len(pair) == 2 else advice,
        subject=subject,
    )
