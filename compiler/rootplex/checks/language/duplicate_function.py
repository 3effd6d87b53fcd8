"""duplicate-function

What it finds: two functions with one device and function number on one bus.
Why it matters: both would answer the same configuration access.
Example: two devices with `dev: 1` below one root bus and no `fn`.
What to do: give one of them another `dev` or `fn`.
Source: PCI Express Base 6.0 §2.2.4.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.pci import devfn_text
from rootplex.model.device import Device
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0020", name="duplicate-function", level=Level.ERROR, needs="description")


def check(facts: Facts) -> Iterator[Finding]:
    """Each function whose number on its bus is taken."""
    for bridge in facts.platform.host_bridges:
        yield from _on_bus(bridge.devices)
        for device in bridge.walk():
            if device.devices:
                yield from _on_bus(device.devices)


def _on_bus(devices: Iterable[Device]) -> Iterator[Finding]:
    seen: dict[int, Device] = {}
    for device in devices:
        if not device.wrote("dev"):
            continue  # the key is missing, and that was said
        first = seen.setdefault(device.devfn, device)
        if first is not device:
            yield RULE.finding(
                device.at("dev"),
                f"{device.label} has the number of {first.label}, {devfn_text(device.devfn)}",
                related=[(first.at("dev"), "taken here")],
                help="give one of the two another 'dev' or 'fn'",
                subject=device.name,
            )
