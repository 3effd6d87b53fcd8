"""too-small-for-ports

What it finds: a described host bridge whose memory windows below 4 GiB are all smaller than 1 MiB, with a
port or bridge that has a device with memory below it.
Why it matters: what a port passes on begins and ends at 1 MiB: nothing below one has a place in such a
window.
Example: `{space: mem32, pci: 0x2000_0000, size: 256}` for 256 MiB.
What to do: write the size that the machine decodes to PCI; `size` counts bytes.
Source: PCI-to-PCI Bridge Architecture 1.2 §3.2.5.6; Linux drivers/pci/setup-bus.c, pbus_size_mem.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.model.device import Device
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0121", name="too-small-for-ports", level=Level.ERROR, needs="description")

GRAIN, GIB_4 = 1 << 20, 1 << 32


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge, at its first memory window."""
    for bridge in facts.platform.host_bridges:
        windows = [each for each in bridge.windows if each.space != "io" and each.pci < GIB_4]
        below = next(
            (device for port in bridge.walk() for device in port.devices if _has_memory(device)), None
        )
        if (
            not bridge.enabled
            or not windows
            or below is None
            or any(not 0 < each.size < GRAIN for each in windows)
        ):
            continue
        yield RULE.finding(
            windows[0].at("size"),
            f"the {windows[0].space} window of '{bridge.name}' has {windows[0].size:#x} bytes, "
            "too few for a port",
            related=[(below.at(), "it is below a port, and has memory")],
            notes=["a port passes on whole MiBs of memory"],
            help="write the window's size, as in 256MiB",
            subject=bridge.name,
            about=(bridge.name, property_of(bridge.name, "ranges")),
        )


def _has_memory(device: Device) -> bool:
    return device.rom is not None or any(bar.space != "io" for bar in device.bars)
