"""Why Dom0 does not see a device of the description."""

from __future__ import annotations

from msgspec import Struct

from rootplex.checks.facts import Facts
from rootplex.checks.simulated import booted, owner_of
from rootplex.model.bridge import HostBridge
from rootplex.model.device import Device, Sriov
from rootplex.model.virtual import physical_of
from rootplex.report import causes
from rootplex.source.place import Place


class Absence(Struct, frozen=True):
    """Why Dom0 does not see a device of the description: the reason, the places that show it, its host
    bridge's name where that is what is missing, and what to do. `enough`: how many VFs would have to be
    switched on."""

    reason: str
    places: list[tuple[Place, str]]
    bridge: str | None = None
    help: str = "take away what is in the way"
    enough: int = 0

    def of(self, name: str) -> tuple[str, ...]:
        """What a finding about the device that is missing bears on."""
        return (name,) if self.bridge is None else (name, self.bridge)


def absence(facts: Facts, name: str) -> Absence:
    """Why a device of the description is not among Dom0's functions."""
    found = owner_of(facts, name)
    outcome = booted(facts)
    if found is None:
        return Absence(f"nothing is called {name}", [])
    bridge, device = found
    seen = bridge.as_seen_by(outcome.settings.firmware)
    if seen is None or not seen.enabled:
        at = (seen or bridge).at("enabled")
        return Absence(
            f"its host bridge {bridge.name} is not enabled", [(at, f"{bridge.name} is here")], bridge.name
        )
    root = next((each for each in outcome.dom0.root_bridges if facts.name_of(each.path) == bridge.name), None)
    if root is None:
        places: list[tuple[Place, str]] = [(bridge.at("name"), "it is described here")]
        return Absence(f"{facts.host} finds no host bridge {bridge.name}", places, bridge.name)
    if root.fault is not None:
        reason = f"its host bridge {bridge.name} does not come up: {causes.fault(root)}"
        return Absence(reason, [(root.fault.at, "this stops it")], bridge.name)
    virtual = physical_of(name)
    seen_physical = any(each for each in outcome.dom0.functions if facts.devices.get(each.page) is device)
    if virtual is not None and device.sriov is not None and seen_physical:
        return _not_enabled(device, device.sriov, virtual[1])
    return Absence(*_lost_on_the_way(facts, bridge, device))


def _not_enabled(device: Device, sriov: Sriov, index: int) -> Absence:
    """Why a VF of a PF that is seen is not."""
    if index < sriov.enabled:
        places: list[tuple[Place, str]] = [(device.at("sriov"), "they are described here")]
        return Absence(f"{device.label} cannot enable its VFs", places)
    count = f"{sriov.enabled} of its {sriov.total} VFs are" if sriov.enabled else "none of its VFs is"
    return Absence(
        f"{count} switched on",
        [(device.at("sriov.enabled"), f"the virtual functions of {device.label}")],
        help=f"write 'enabled: {index + 1}' at its sriov",
        enough=index + 1,
    )


def _lost_on_the_way(facts: Facts, bridge: HostBridge, device: Device) -> tuple[str, list[tuple[Place, str]]]:
    """The first device on the way down that is empty or not seen."""
    above: dict[str, Device | None] = {each.key: None for each in bridge.devices}
    for each in bridge.walk():
        above.update((child.key, each) for child in each.devices)
    way = [device]
    while (parent := above.get(way[-1].key)) is not None:
        way.append(parent)
    functions = booted(facts).dom0.functions
    seen = {id(facts.devices[each.page]) for each in functions if each.page in facts.devices}
    for step in reversed(way):
        if not step.present:
            return f"the slot of {step.label} is empty", [(step.at("present"), "not present")]
        if id(step) not in seen:
            port = above.get(step.key)
            where = f"the first bus of {bridge.name}" if port is None else f"the bus below {port.label}"
            return f"nothing answers for {step.label} on {where}", [(step.at(), "it is described here")]
    return "nothing tells why", []
