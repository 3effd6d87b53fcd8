"""What Dom0's scan makes of bus numbers."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import device_of, enabled_bridges
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.simulated import booted, bridge_place, root_of
from rootplex.model.device import Device
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level


@check("RPX0213", Level.WARNING, needs="simulation", covers=("LNX-58",))
def buses_renumbered(facts: Facts) -> Iterator[Finding]:
    """What it finds: ports for which firmware left bus numbers that Dom0 replaces by others, on a device tree
    boot (Linux 6.1, 7.2, and 6.12 from 6.12.96 on; 6.12 before that keeps them).
    Why it matters: what was written down by the firmware's numbers (Xen's command line, an ACPI boot of the
    same board, tables with RIDs) means other devices afterwards.
    Example: `bus: [8, 8]` on the only root port: a device tree kernel makes it bus 1, an ACPI kernel keeps 8.
    What to do: `preserve_boot_config: true` on every bridge (linux,pci-probe-only), or leave the numbers to
    the kernel.
    Source: Linux drivers/pci/controller/pci-host-common.c, pci_host_common_probe (PCI_REASSIGN_ALL_BUS), and
    drivers/pci/probe.c, pci_scan_bridge_extend.
    """
    # One finding a host bridge, at the first port with another number.
    if booted(facts).settings.firmware != "dt":
        return
    told: set[int] = set()
    for function in booted(facts).dom0.functions:
        device = device_of(facts, function)
        if device is None or device.bus in (None, (0, 0)) or function.root in told:
            continue
        assert device.bus is not None
        if function.secondary is None or function.secondary == device.bus[0]:
            continue
        told.add(function.root)
        root = root_of(facts, function)
        yield buses_renumbered.rule.finding(
            device.at("bus"),
            f"{device.name} leads to bus {function.secondary:#x} in {facts.host}, "
            f"firmware had left {device.bus[0]:#x}",
            notes=[f"a device tree kernel numbers the buses of '{facts.name_of(root.path)}' anew"],
            help="keep the firmware's numbers with preserve_boot_config on every bridge, or drop 'bus'",
            subject=device.name,
        )


@check(
    "RPX0212",
    Level.ERROR,
    needs="simulation",
    requires=("RPX0108", "RPX0109", "RPX0210", "RPX0803"),
    covers=("LNX-55",),
)
def buses_run_out(facts: Facts) -> Iterator[Finding]:
    """What it finds: more buses below a host bridge than its range holds, VFs included; or buses whose
    configuration space is not mapped, because it is smaller than the range.
    Why it matters: ports get bus numbers that nothing routes, and what is behind them is gone. Behind bus
    0xff comes bus 0x100, which Linux takes for bus 0: where that one is there it is scanned again and again,
    until the kernel's stack overflows.
    Example: `bus_range: [0, 1]` with two root ports; `bus: [1, 255]` on the first of them, and a second.
    What to do: widen the bus range, and the configuration space with it. Where it ends at 0xff: take fewer
    buses, by the numbers that firmware leaves in `bus`, by VFs and hot-plug ports.
    Source: Linux drivers/pci/probe.c, pci_scan_bridge_extend; drivers/pci/search.c, pci_find_bus; and
    drivers/pci/iov.c, pci_iov_bus_range.
    """
    # One finding a host bridge: at the first port, or VF, that has no bus, or where the scan never ends.
    dom0 = booted(facts).dom0
    told: set[int] = set()
    if dom0.died is not None and dom0.died.bridge is not None:
        told.add(dom0.died.bridge.root)
        yield _endless(facts, dom0.died.bridge, dom0.died.number)
    for function in dom0.functions:
        root = dom0.root_bridges[function.root]
        end = min(root.last_bus, root.effective_end)
        needed = _last_bus(function)
        if needed <= end or function.root in told:
            continue
        told.add(function.root)
        yield _run_out(
            facts, function, needed, "what is behind it cannot be reached", HELP_FULL if end == 0xFF else HELP
        )


HELP = "widen the bus range, and the configuration space with it"
HELP_FULL = "take fewer buses: firmware's numbers in 'bus', VFs and hot-plug ports reserve them"


def _endless(facts: Facts, bridge: Function, number: int) -> Finding:
    if number > 0xFF:
        note = f"Linux takes bus {number:#x} for bus {number & 0xFF:#x} and scans that one without end: "
        return _run_out(facts, bridge, number, note + "its stack overflows and it dies", HELP_FULL)
    device = device_of(facts, bridge)
    root = root_of(facts, bridge)
    return buses_run_out.rule.finding(
        root.places["node"] if device is None else device.at(),
        f"'{facts.device_name(bridge)}' leads to bus {number:#x}, which is scanned again without end",
        notes=["Linux's stack overflows and it dies"],
        help="let no two bridges lead to one bus",
        subject=facts.device_name(bridge),
        about=_unreached(facts.device_name(bridge), device),
    )


def _run_out(facts: Facts, function: Function, needed: int, note: str, help: str) -> Finding:
    root = root_of(facts, function)
    device, name = device_of(facts, function), facts.name_of(root.path)
    at = bridge_place(facts, root, "bus_range")
    mapped = " that is mapped" if root.effective_end < root.last_bus else ""
    return buses_run_out.rule.finding(
        at if device is None else device.at(),
        f"'{facts.device_name(function)}' needs bus {needed:#x}, "
        f"the last one of '{name}'{mapped} is {min(root.last_bus, root.effective_end):#x}",
        related=[] if device is None else [(at, "the bus range is here")],
        notes=[note],
        help=help,
        subject=facts.device_name(function),
        about=_unreached(facts.device_name(function), device),
    )


def _unreached(name: str, device: Device | None) -> Iterator[str]:
    """The function's name and those of what is described below it."""
    yield name
    yield from (each.name for each in (() if device is None else device.walk()) if each.name)


def _last_bus(function: Function) -> int:
    """The highest bus number that the function cannot do without."""
    if function.physfn is not None:
        return function.bus.number
    return (function.secondary or 0) if function.child_bus is None else function.child_bus.start


PROPERTY = "linux,pci-probe-only"


@check("RPX0214", Level.WARNING, covers=("LNX-59",))
def probe_only_in_node(facts: Facts) -> Iterator[Finding]:
    """What it finds: `linux,pci-probe-only` in a host bridge's node where `/chosen` does not have it, and one
    that is empty or short, there or in `/chosen`.
    Why it matters: in the node it keeps the BARs of that bridge, but bus numbers are given anew all the same,
    and kernels up to 6.1 do not read it there at all. An empty one counts for nothing.
    Example: `preserve_boot_config: true` on one of two bridges.
    What to do: ask for it on every bridge, so that it stands in /chosen.
    Source: Linux drivers/pci/of.c, of_pci_preserve_config and of_pci_check_probe_only.
    Sources that prove it: device tree.
    """
    yield from _probe_only_of_chosen(facts)
    everywhere = facts.dt is not None and bool(facts.dt.platform.chosen.probe_only)
    for bridge in enabled_bridges(facts):
        if PROPERTY not in bridge.node.properties or everywhere:
            continue
        name = facts.name_of(bridge.path)
        if bridge.probe_only is None:
            message, note = f"{PROPERTY} of '{name}' has no value", "it is ignored"
        elif bridge.probe_only:
            message = f"{PROPERTY} of '{name}' keeps BARs, but not bus numbers"
            note = "/chosen does not have it"
        else:
            continue
        yield probe_only_in_node.rule.finding(
            bridge.place(PROPERTY),
            message,
            notes=[note],
            help="ask for it on every bridge, so that it stands in /chosen",
            subject=name,
        )


def _probe_only_of_chosen(facts: Facts) -> Iterator[Finding]:
    """The property for all bridges, where it has no value."""
    chosen = None if facts.dt is None else facts.dt.tree.by_path.get("/chosen")
    if facts.dt is None or chosen is None or PROPERTY not in chosen.properties:
        return
    if chosen.u32(PROPERTY) is None:
        yield probe_only_in_node.rule.finding(
            facts.dt.tree.place(chosen, PROPERTY),
            f"{PROPERTY} of /chosen has no value",
            notes=["it is ignored: buses and BARs are given anew"],
            help=f"write {PROPERTY} = <1>, or leave it out",
            subject="/chosen",
        )
