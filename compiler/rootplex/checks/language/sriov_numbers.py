"""sriov-numbers

What it finds: SR-IOV numbers with which no virtual function can appear: first VF offset 0, stride 0 with more
than one VF, more VFs enabled than there are, a VF whose requester id is another function's.
Why it matters: Linux switches SR-IOV off for the first three; for the last, two functions answer one id.
Example: `sriov: {total: 8, offset: 0, stride: 1}`.
What to do: take the numbers from the device's own capability; offset and stride step over its functions.
Source: PCI Express Base 6.0 §9.2.1.2, §9.3.3.9; Linux drivers/pci/iov.c, sriov_init and sriov_enable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.pci import devfn_text
from rootplex.model.device import Device, Sriov
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0025",
    name="sriov-numbers",
    level=Level.ERROR,
    needs="description",
    requires=("RPX0020", "RPX0021"),
    covers=("LNX-56",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """SR-IOV capabilities that cannot work."""
    for bridge in facts.platform.host_bridges:
        yield from _on_bus(bridge.devices)
        for device in bridge.walk():
            yield from _on_bus(device.devices)


def _on_bus(devices: tuple[Device, ...]) -> Iterator[Finding]:
    taken = {device.devfn: device for device in devices if device.present}
    for device in devices:
        if device.sriov is not None and device.present:
            yield from _numbers(device, device.sriov)
            yield from _collisions(device, device.sriov, taken)


def _numbers(device: Device, sriov: Sriov) -> Iterator[Finding]:
    if sriov.total and sriov.offset == 0:
        yield RULE.finding(
            sriov.at("offset"),
            f"the first VF of {device.label} would have the PF's own requester id: its offset is 0",
            help="set 'offset' to the distance from the PF to its first VF",
            subject=device.name,
        )
    if sriov.total > 1 and sriov.stride == 0:
        yield RULE.finding(
            sriov.at("stride"),
            f"the {sriov.total} VFs of {device.label} would all have one requester id: their stride is 0",
            help="set 'stride' to the distance between two VFs",
            subject=device.name,
        )
    if sriov.enabled > sriov.total:
        yield RULE.finding(
            sriov.at("enabled"),
            f"{sriov.enabled} VFs of {device.label} are to be enabled, and it has {sriov.total}",
            related=[(sriov.at("total"), "the number of VFs")],
            help="enable at most as many as there are",
            subject=device.name,
        )


def _collisions(device: Device, sriov: Sriov, taken: Mapping[int, Device]) -> Iterator[Finding]:
    if sriov.offset == 0 or (sriov.total > 1 and sriov.stride == 0):
        return
    for i in range(min(sriov.total, 256)):
        devfn = device.devfn + sriov.offset + i * sriov.stride
        other = taken.get(devfn)
        if other is not None:
            yield RULE.finding(
                sriov.at("offset"),
                f"VF {i} of {device.label} has the number {devfn_text(devfn)} of {other.label}",
                related=[(other.at("dev"), "taken here")],
                help="choose offset and stride that step over the functions of the bus",
                subject=device.name,
            )
            return
