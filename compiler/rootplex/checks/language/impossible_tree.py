"""impossible-tree

What it finds: a device below something that cannot have it there: a downstream port that is not below an
upstream port, a root port that is not on the host bridge's first bus, anything below an endpoint.
Why it matters: no hardware looks like this, and kernels guess when they meet it.
Example: `{type: root-port, devices: [{type: downstream-port}]}`.
What to do: put the device where the message says, or correct its type.
Source: PCI Express Base 6.0 §1.3 (topology), §7.5.3.2 (Device/Port Type).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.known.devices import rows_of
from rootplex.model.device import Device, DeviceType
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0009", name="impossible-tree", level=Level.ERROR, needs="description")

ROOT = "the host bridge's first bus"
_PCIE: frozenset[str] = frozenset({"root-port", "downstream-port", "pci-to-pcie-bridge"})
_PCI: frozenset[str] = frozenset({"pcie-to-pci-bridge", "pci-bridge", ROOT})

# What each type can sit on. An endpoint on the first bus is not to the letter of the
# specification (it would be integrated), but QEMU's machines and Linux take it.
PARENTS: dict[DeviceType, frozenset[str]] = {
    "root-port": frozenset({ROOT}),
    "integrated-endpoint": frozenset({ROOT}),
    "event-collector": frozenset({ROOT}),
    "host-bridge-function": frozenset({ROOT}),
    "upstream-port": frozenset(_PCIE | {ROOT}),
    "downstream-port": frozenset({"upstream-port"}),
    "endpoint": frozenset(_PCIE | {ROOT, "upstream-port"}),
    "legacy-endpoint": frozenset(_PCIE | {ROOT, "upstream-port"}),
    "pcie-to-pci-bridge": frozenset(_PCIE | {ROOT, "upstream-port"}),
    "pci-to-pcie-bridge": _PCI,
    "pci-bridge": _PCI,
    "pci": frozenset(_PCI | _PCIE),
}


def check(facts: Facts) -> Iterator[Finding]:
    """Every device whose parent cannot have it."""
    for bridge in facts.platform.host_bridges:
        for device in bridge.devices:
            yield from _below(ROOT, None, device)


def a(word: str) -> str:
    """The word with its article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _hides_express(device: Device) -> bool:
    """A bridge that Linux knows to lead from PCIe to PCI without saying so
    (`quirk_use_pcie_bridge_dma_alias`)."""
    rows = rows_of(device.vendor, device.device)
    return device.type == "pci-bridge" and any(row.effect == "secondary" for row in rows)


def _below(kind: str, parent: Device | None, device: Device) -> Iterator[Finding]:
    if parent is not None and not parent.is_bridge:
        yield RULE.finding(
            device.at("type"),
            f"{device.label} stands below {parent.label}, {a(parent.type)}, which has no bus below it",
            related=[(parent.at("type"), f"this is {a(parent.type)}")],
            help="give the parent the type of a bridge or port, or move the device",
            subject=device.name,
        )
    elif kind not in PARENTS[device.type] and not (kind in _PCIE and _hides_express(device)):
        allowed = ", ".join(sorted(PARENTS[device.type], key=lambda each: (each == ROOT, each)))
        where = "stands on" if kind == ROOT else "stands below"
        yield RULE.finding(
            device.at("type"),
            f"{device.label}, {a(device.type)}, {where} {kind if kind == ROOT else a(kind)}",
            related=[] if parent is None else [(parent.at("type"), f"this is {a(parent.type)}")],
            notes=[f"{a(device.type)} can stand below: {allowed}"],
            help="move the device or correct its type",
            subject=device.name,
        )
    for child in device.devices:
        yield from _below(device.type, device, child)
