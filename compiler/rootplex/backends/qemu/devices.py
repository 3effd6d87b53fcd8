"""`-device` arguments: every function with its bus, address, chassis and slot; and what stands nowhere.

Every device gets an id. Without one QEMU names a port's bus by itself, and a later `bus=pcie.0` may
then mean that bus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from rootplex.backends.qemu.machines import Abilities, Machine
from rootplex.backends.qemu.refusals import SYNTHETIC, refusal
from rootplex.backends.qemu.registers import can_disable_acs, check_registers
from rootplex.known.reader import model, names
from rootplex.model.bridge import HostBridge
from rootplex.model.device import PORT_TYPES, Device
from rootplex.source.finding import Finding, Rule
from rootplex.source.rules import QEMU_MODEL, QEMU_REGISTER, QEMU_SLOT

ROOT_BUS = "pcie.0"
PXB = "qemu:pxb-pcie"
CHASSIS = 255
DISK_DEVICES = frozenset({"nvme", "virtio-blk-pci"})

# What stands on a bus, by what is above it; QEMU's own names for what it calls the buses.
ON_BUS: dict[str, tuple[str, frozenset[str]]] = {
    "root": (
        "the root bus takes root ports, bridges, integrated endpoints and conventional functions",
        frozenset({"root-port", "integrated-endpoint", "pci", "pcie-to-pci-bridge", "pci-bridge"}),
    ),
    "pxb": (
        "the root bus of a pxb-pcie takes root ports and bridges only",
        frozenset({"root-port", "pcie-to-pci-bridge", "pci-bridge"}),
    ),
    "slot": (
        "the slot of a port takes endpoints, switches and bridges",
        frozenset(
            {"endpoint", "legacy-endpoint", "upstream-port", "pcie-to-pci-bridge", "pci-bridge", "pci"}
        ),
    ),
    "switch": ("inside a switch are downstream ports only", frozenset({"downstream-port"})),
    "conventional": (
        "a conventional bus takes conventional functions and bridges",
        frozenset({"pci", "pci-bridge"}),
    ),
}
SLOT_RULES = {
    "slot": "the slot below a port is device 0",
    "conventional": "device 0 below a bridge is its hot-plug controller's",
}
PLACES = {
    "root-bus": {"root"},
    "pcie-slot": {"slot"},
    "conventional-slot": {"root", "conventional"},
    "switch": {"switch"},
}


_PROPERTIES = frozenset(
    {
        "acpi-index", "addr", "bus", "bypass_iommu", "chassis", "chassis_nr", "hotplug", "hotpluggable",
        "hotplugged", "msi", "multifunction", "parent_bus", "port", "realized", "rombar", "romfile",
        "romsize", "shpc", "slot", "speed", "type", "width",
    }
)  # fmt: skip
"""What QEMU calls properties of bridges and ports: their buses, named after their id, are properties beside
them."""


class Devices(Struct):
    """The arguments of all devices, the disks they need, and what QEMU cannot have."""

    machine: Machine
    abilities: Abilities
    argv: list[str] = field(default_factory=list)
    disks: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    _ports: int = 0

    def add_root_buses(self, bridges: tuple[HostBridge, ...]) -> None:
        """All host bridges: the one with bus 0 is the machine's own, each other one a pxb-pcie."""
        own = next((bridge for bridge in bridges if bridge.bus_range.first == 0), None)
        places = [] if own is None else [each for each in own.devices if each.present and each.model == PXB]
        others = [bridge for bridge in bridges if bridge is not own]
        self._check_built_in(own, places[len(others) :])
        buses = {} if own is None else {own.name: ROOT_BUS}
        free = iter(sorted(_free_slots(self.machine, own), reverse=True))
        for n, bridge in enumerate(others):
            if not self.machine.expands:
                note = f"QEMU's {self.machine.name} has no pxb-pcie, and so one root bus"
                self._refuse(
                    QEMU_SLOT, bridge, f"{bridge.name} would be a second root bus", note, "bus_range"
                )
                continue
            slot = places[n].dev if n < len(places) else next(free, None)
            buses[bridge.name] = f"bus.{bridge.index}"
            if slot is None:
                self._refuse(QEMU_SLOT, bridge, "no slot is free for a pxb-pcie", "it needs one on bus 0")
                continue
            options = ["pxb-pcie", f"id=bus.{bridge.index}", f"bus={ROOT_BUS}", f"addr={slot:#x}"]
            self._device([*options, f"bus_nr={bridge.bus_range.first}"])
        for bridge in (each for each in bridges if each.name in buses):
            self._below(bridge, bridge.devices, buses[bridge.name], "root" if bridge is own else "pxb")

    def _below(self, bridge: HostBridge, devices: tuple[Device, ...], bus: str, kind: str) -> None:
        present = [device for device in devices if device.present]
        crowded = {device.dev for device in present if device.fn}
        for device in present:
            if device.fn == 0 and device.dev in crowded and not device.multifunction:
                note = "it plugs further functions only into a slot whose function 0 has header bit 7"
                message = f"{device.label} does not say that its slot has more functions"
                self._refuse(QEMU_SLOT, device, message, note, "multifunction")
            id = device.name or f"b{bridge.index}.{device.key}"
            if device.is_bridge and id in _PROPERTIES:
                id = f"{id}.0"
            if self._add(bridge, device, id, bus, kind):
                below = "slot" if device.type in PORT_TYPES else "conventional"
                self._below(bridge, device.devices, id, "switch" if device.type == "upstream-port" else below)

    def _add(self, bridge: HostBridge, device: Device, id: str, bus: str, kind: str) -> bool:
        """Whether the device, and so what is below it, is there."""
        facts = self._facts(device)
        if facts is None:
            return False
        qemu: Mapping[str, Any] = facts["qemu"]  # type: ignore[assignment]
        if "device" not in qemu:
            self.findings += check_registers(device, facts, self.abilities)
            return False
        self.findings += self._misplaced(device, facts, kind)
        self.findings += check_registers(device, facts, self.abilities)
        options = [qemu["device"], *self._options(device, facts, id, bus)]
        if "subsystem" in qemu:
            # A controller with virtual functions is one of a subsystem, which has the disk.
            self._device([qemu["subsystem"], f"id={id}-subsystem"])
            self._device([*options, f"subsys={id}-subsystem"])
            self._device(["nvme-ns", f"drive={id}-disk", f"bus={id}"])
        else:
            self._device(options)
        return True

    def _facts(self, device: Device) -> Mapping[str, object] | None:
        """The catalogue's facts of a device that QEMU has; a finding and None for another."""
        try:
            facts = {} if device.model is None else model(device.model)
        except KeyError:
            facts = {}
        qemu = facts.get("qemu")
        if not isinstance(qemu, Mapping):
            self._refuse(
                QEMU_MODEL,
                device,
                f"QEMU has no device for {device.label}",
                "it knows models that begin with qemu:",
            )
            return None
        if not self.abilities.has(qemu.get("since", "0")):
            version = ".".join(map(str, self.abilities.version))
            note = f"it came with QEMU {qemu['since']}"
            self._refuse(QEMU_MODEL, device, f"QEMU {version} does not have {device.model}", note)
            return None
        return facts

    def _options(self, device: Device, facts: Mapping[str, object], id: str, bus: str) -> Iterator[str]:
        qemu: Mapping[str, Any] = facts["qemu"]  # type: ignore[assignment]
        yield f"id={id}"
        yield f"bus={bus}"
        yield f"addr={device.dev:#x}" + (f".{device.fn}" if device.fn else "")
        if device.multifunction:
            yield "multifunction=on"
        if device.type in PORT_TYPES:
            # QEMU wants each pair of chassis and slot once.
            yield f"chassis={1 + self._ports % CHASSIS}"
            yield f"slot={device.slot if device.slot is not None else self._ports // CHASSIS}"
            yield f"hotplug={'on' if device.hotplug else 'off'}"
            self._ports += 1
        if device.type == "pci-bridge":
            yield f"chassis_nr={1 + self._ports % CHASSIS}"
            self._ports += 1
        if device.acs is None and "acs" in facts and can_disable_acs(facts, self.abilities):
            yield "disable-acs=on"
        for key, value in qemu.get("properties", {}).items():
            yield f"{key}={value}"
        if qemu["device"] in DISK_DEVICES:
            self.disks.append(f"{id}.img")
            self.argv += ["-drive", f"if=none,id={id}-disk,format=raw,file={id}.img"]
            if "subsystem" not in qemu:
                yield f"drive={id}-disk"
        if qemu["device"] == "nvme":
            yield f"serial={id}"

    def _misplaced(self, device: Device, facts: Mapping[str, object], kind: str) -> Iterator[Finding]:
        """What is wrong with a device on this kind of bus: the first of model and type, and its numbers."""
        qemu: Mapping[str, Any] = facts["qemu"]  # type: ignore[assignment]
        rule, types = ON_BUS[kind]
        wanted = facts.get("type")
        if kind == "root" and wanted == "endpoint":
            wanted = "integrated-endpoint"
        if kind not in PLACES.get(qemu.get("place", ""), {kind}):
            note = "QEMU makes it PCI Express in a slot, conventional on a root bus or behind a PCI bridge"
            message = f"{device.model} is another device here"
            other = f"{device.model}-conventional"
            help = f"write model: {other}" if other in names() else SYNTHETIC
            yield self._refusal(QEMU_SLOT, device, message, note, "model", help)
        elif device.type not in types:
            yield self._refusal(QEMU_SLOT, device, f"{device.label} cannot stand here in QEMU", rule, "type")
        elif device.type != wanted:
            note = f"here QEMU makes its {device.model} a function of type {wanted}"
            yield self._refusal(
                QEMU_REGISTER, device, f"QEMU has no {device.model} of this type", note, "type"
            )
        if device.fn > 7:
            note = "its function numbers are 0 to 7"
            yield self._refusal(QEMU_SLOT, device, "QEMU places no function above 7", note, "fn")
        if kind in SLOT_RULES and (device.dev == 0) == (kind == "conventional"):
            note = SLOT_RULES[kind]
            yield self._refusal(QEMU_SLOT, device, "QEMU plugs nothing into this slot", note, "dev")

    def _check_built_in(self, own: HostBridge | None, spare: list[Device]) -> None:
        for device in spare:
            note = "QEMU shows one for each root bus behind the first"
            self._refuse(QEMU_SLOT, device, f"{device.label} belongs to no host bridge", note, "model")
        reserved = {(dev, fn): name for dev, fn, name in self.machine.reserved}
        for device in () if own is None else own.devices:
            name = reserved.get((device.dev, device.fn))
            built_in = {each for _, _, each in self.machine.reserved}
            if device.present and device.model != name and (name or device.model in built_in):
                note = f"QEMU's {self.machine.name} has " + ", ".join(
                    f"{model} at {dev:02x}.{fn}" for dev, fn, model in self.machine.reserved
                )
                self._refuse(QEMU_SLOT, device, f"{device.label} is where QEMU has it otherwise", note, "dev")

    def _device(self, options: list[str]) -> None:
        self.argv += ["-device", ",".join(options)]

    def _refuse(
        self, rule: Rule, part: Device | HostBridge, message: str, note: str, key: str = "model"
    ) -> None:
        self.findings.append(self._refusal(rule, part, message, note, key))

    def _refusal(
        self, rule: Rule, part: Device | HostBridge, message: str, note: str, key: str, help: str = SYNTHETIC
    ) -> Finding:
        subject = part.label if isinstance(part, Device) else part.name
        return refusal(rule, part.at(key), message, note=note, subject=subject, help=help)


def _free_slots(machine: Machine, own: HostBridge | None) -> set[int]:
    """Slots of bus 0 that neither the machine nor the description uses."""
    used = {dev for dev, _, _ in machine.reserved} | {each.dev for each in (own.devices if own else ())}
    return set(range(32)) - used
