"""root-bridge-ids

What it finds: a host bridge of AML that is not PNP0A03 in `_HID` or `_CID`; one with ECAM that is not
PNP0A08.
Why it matters: Linux binds to PNP0A03 only: the bridge is not found. Without PNP0A08 it is taken for
conventional PCI, and no PCIe service is negotiated.
Example: `acpi: {hid: PNP0A08, cid: []}`.
What to do: write `hid: PNP0A08` and `cid: [PNP0A03]`, which are the defaults.
Source: Linux drivers/acpi/pci_root.c, root_device_ids and acpi_pci_root_add.
Sources that prove it: AML.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from rootplex.checks.acpi_tables import bridges
from rootplex.checks.bridges import name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.acpi import EXPRESS_ROOT_BRIDGE, ROOT_BRIDGE
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0710",
    name="root-bridge-ids",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-28",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge whose ids do not say what it is."""
    for bridge in bridges(facts):
        name = name_of(facts, bridge.path)
        at = replace(bridge.place, path=f"{bridge.path}._CID")
        if ROOT_BRIDGE not in (bridge.hid, *bridge.cids):
            yield RULE.finding(
                at,
                f"{name} is {bridge.hid}, without PNP0A03 among its ids",
                notes=("Linux looks for host bridges by PNP0A03, in _HID or _CID",),
                help="add PNP0A03 to 'acpi.cid'",
                subject=name,
            )
        elif (
            facts.described is not None
            and bridge.hid != EXPRESS_ROOT_BRIDGE
            and _has_ecam(facts, bridge.path)
        ):
            yield RULE.finding(
                replace(at, path=f"{bridge.path}._HID"),
                f"{name} has ECAM and is {bridge.hid}, not PNP0A08",
                level=Level.WARNING,
                notes=("Linux takes it for conventional PCI and asks _OSC for no PCIe service",),
                help="write 'hid: PNP0A08'",
                subject=name,
            )


def _has_ecam(facts: Facts, path: str) -> bool:
    joined = facts.joined(path)
    return joined is not None and bool(joined.mcfg)
