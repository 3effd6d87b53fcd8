"""Random plays: hypercalls as Dom0, its toolstack and guests might make them, and as nobody should; and
configuration accesses of every size and alignment."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from rootplex.formats.hypercalls import widths
from rootplex.formats.pci import BUS_SIZE
from rootplex.fuzz.ground import Ground, ground_of
from rootplex.fuzz.machines import machines
from rootplex.fuzz.stage import CONFIG_ADDRESS, CONFIG_DATA
from rootplex.fuzz.steps import Access, Guest, Hypercall, Play, Port, Register, Step, Switches
from rootplex.known.xen import DEFAULT, VERSIONS
from rootplex.simulator.xen.discovery_2017 import KINDS
from rootplex.simulator.xen.hypercalls import BY_NAME, OPERATIONS
from rootplex.simulator.xen.machine import GUEST_ECAM
from rootplex.simulator.xen.records import DOMID_IO, DOMID_XEN

TELLING = ("qemu-switches", "qemu-virt-three-segments", "qemu-virt", "q35", "amd", "juno-r2", "lx2160a-rdb")
"""Machines with an IOMMU and devices behind it: drawn more often than others."""
MASKS = (0, 0, 0, 0, 0xFF, 0xF8, 0xFF00)
COMMAND, MEMORY = 0x04, 0x2
SIZES = (1, 2, 4, 4, 8)
ODD_SIZES = (0, 3, 5, 16)
REGISTERS = (
    0x00,
    0x04,
    0x05,
    0x06,
    0x0E,
    0x10,
    0x14,
    0x18,
    0x19,
    0x1A,
    0x20,
    0x24,
    0x30,
    0x34,
    0x3C,
    0x3D,
    0x40,
)
VALUES = (0, 1, 2, 4, 6, 0x7, 0x404, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFF0, 1 << 31, 0x4000_0000, (1 << 64) - 1)
WIDE = (0, 1, 0xFF, 0x100, 0x7FF0, DOMID_IO, DOMID_XEN, 0x7FF4, 0xFFFF, 0xFFFFFFFF, (1 << 64) - 1, -1)


def hypercalls(dice: random.Random) -> Play:
    """A sequence of calls with some accesses in between."""
    board, switches = _machine(dice)
    drawn = _Drawn(dice, ground_of(board, switches), switches)
    steps = list(drawn.beginning()) if dice.random() < 0.8 else []
    steps += [drawn.any_step(accesses=0.15) for _ in range(dice.choice((3, 8, 20, 40)))]
    return Play(board, switches, tuple(steps))


def accesses(dice: random.Random) -> Play:
    """Accesses on a machine whose devices are known and given out."""
    board, switches = _machine(dice)
    drawn = _Drawn(dice, ground_of(board, switches), switches)
    steps = [*drawn.beginning(), *(drawn.any_step(accesses=0.0) for _ in range(dice.choice((0, 4, 10))))]
    steps += [drawn.any_step(accesses=0.95) for _ in range(200)]
    return Play(board, switches, tuple(steps))


def _machine(dice: random.Random) -> tuple[str, Switches]:
    board = dice.choice(TELLING if dice.random() < 0.7 else tuple(machines()))
    switches = Switches(
        discovery=dice.choice(("dom0", "xen")),
        xen=DEFAULT if dice.random() < 0.7 else dice.choice(tuple(VERSIONS)),
        vpci=dice.random() < 0.5,
        iommu=dice.choice((None, None, None, False)),
        passthrough=dice.random() < 0.9,
        quarantine=dice.random() < 0.8,
        numbered=dice.random() < 0.9,
        masked=dice.choice(MASKS),
    )
    return board, switches


class _Drawn:
    """Steps for one machine. Ids that mean something there are far more likely than others."""

    def __init__(self, dice: random.Random, ground: Ground, switches: Switches) -> None:
        self.dice = dice
        self.ground = ground
        self.switches = switches
        self.x86 = ground.settings.arch == "x86_64"
        self.functions = list(ground.functions.values()) or [(0, 0)]
        self.guests = 0
        self.given: dict[tuple[int, int], int] = {}
        self.operations = [
            each.name for each in OPERATIONS if ground.settings.arch in each.where or dice.random() < 0.2
        ]
        self._kinds: dict[str, Callable[[], Step]] = {
            "add": self._add,
            "assign": self._assign,
            "call": self._call,
            "register": self._register,
            "guest": self._guest,
        }

    def beginning(self) -> Iterator[Step]:
        """What an orderly Dom0 does, with here and there a step left out: bridges, devices, guests."""
        if self.switches.discovery == "dom0":
            for registration in self._registrations():
                if self.dice.random() < 0.9:
                    yield registration
        for segment, rid in sorted(self.functions):
            if self.dice.random() < 0.9:
                yield _device("pci_device_add", segment, rid)
        for _ in range(self.dice.choice((0, 1, 2, 2))):
            yield self._guest()
        for segment, rid in self.functions if self.guests else ():
            if self.dice.random() < 0.4:
                domain = self.given[segment, rid] = self.dice.randint(1, self.guests)
                yield Hypercall("assign_device", {"domain": domain, "machine_sbdf": segment << 16 | rid})

    def any_step(self, *, accesses: float) -> Step:
        if self.dice.random() < accesses:
            return self._access()
        kinds = ["add", "add", "assign", "assign", "assign", "call", "call"]
        if self.switches.discovery == "dom0" or self.dice.random() < 0.1:
            kinds.append("register")
        if self.guests < 2 or self.dice.random() < 0.1:
            kinds.append("guest")
        return self._kinds[self.dice.choice(kinds)]()

    def _registrations(self) -> Iterator[Register]:
        for bridge in self.ground.bridges:
            if bridge.enabled:
                buses = bridge.bus_range
                yield Register(
                    bridge.segment or 0,
                    buses.first,
                    buses.last,
                    bridge.config.kind,
                    bridge.config.base,
                    bridge.config.size or BUS_SIZE.get(bridge.config.kind, 0) * buses.count,
                )

    def _function(self) -> tuple[int, int]:
        """A function that is there, a neighbour of one, its id in another segment, or any id."""
        segment, rid = self.dice.choice(self.functions)
        match self.dice.randrange(12):
            case 0:
                rid = (rid + self.dice.choice((1, 2, 8, 0x100))) & 0xFFFF
            case 1:
                segment = self.dice.choice((0, 1, 2, 0xFFFF))
            case 2:
                segment, rid = self.dice.randrange(3), self.dice.randrange(1 << 16)
        return segment, rid

    def _domain(self) -> int:
        if self.dice.random() < 0.9:
            return self.dice.randint(
                0 if self.dice.random() < 0.1 else min(1, self.guests), max(self.guests, 1)
            )
        return self.dice.choice((0, DOMID_IO, DOMID_XEN, 0x7FF4, 77)) & 0xFFFF

    def _guest(self) -> Guest:
        self.guests += 1
        return Guest(self.dice.random() < 0.9)

    def _add(self) -> Step:
        segment, rid = self._function()
        args = _ids(segment, rid)
        match self.dice.randrange(8):
            case 0 | 1:
                _, physfn = self._function()
                args |= {
                    "flags": self.dice.choice((2, 3)),
                    "physfn_bus": physfn >> 8,
                    "physfn_devfn": physfn & 0xFF,
                }
            case 2:
                args["flags"] = self.dice.randrange(16)
            case 3 | 4:
                return Hypercall("pci_device_remove", args)
            case 5:
                return Hypercall("pci_device_reset", args | {"flags": self.dice.choice((0, 1, 2, 4))})
        return Hypercall("pci_device_add", args)

    def _assign(self) -> Step:
        segment, rid = self._function()
        args = {"domain": self._domain(), "machine_sbdf": segment << 16 | rid}
        op = self.dice.choice(
            ("assign_device", "assign_device", "deassign_device", "test_assign_device", "get_device_group")
        )
        if op == "assign_device":
            self.given.setdefault((segment, rid), args["domain"])
        elif op == "deassign_device" and self.given and self.dice.random() < 0.8:
            (segment, rid), domain = self.dice.choice(list(self.given.items()))
            args = {"domain": domain, "machine_sbdf": segment << 16 | rid}
            del self.given[segment, rid]
        if op == "get_device_group":
            args["max"] = self.dice.choice((0, 1, 64))
        elif self.dice.random() < 0.1:
            args |= {"flags": self.dice.choice((1, 2)), "dev": self.dice.choice((0, 0, 1))}
        return Hypercall(op, args)

    def _call(self) -> Step:
        """Any operation with any fields, also of a guest, also with none."""
        name = self.dice.choice((*self.operations, "pci_no_such_operation"))
        caller = self.dice.choice((0, 0, 0, 0, 1, 2, 77))
        if self.dice.random() < 0.05:
            return Hypercall(name, None, caller)
        structure = BY_NAME.get(name, OPERATIONS[0]).structure
        segment, rid = self._function()
        known = _ids(segment, rid) | {"domain": self._domain(), "machine_sbdf": segment << 16 | rid}
        fields = list(widths(structure))
        if name == "pci_mmcfg_reserved" and self.dice.random() < 0.7:
            bridge = self.dice.choice(self.ground.bridges)
            first = bridge.bus_range.first
            known |= {
                "address": bridge.config.base - (first << 20),
                "segment": bridge.segment or 0,
                "start_bus": first,
                "end_bus": bridge.bus_range.last,
                "flags": self.dice.choice((0, 1)),
            }
        args = {field: known.get(field, 0) for field in fields if self.dice.random() < 0.95}
        for field in fields:
            if self.dice.random() < 0.08:
                args[field] = self.dice.choice(WIDE)
        return Hypercall(name, args, caller)

    def _register(self) -> Step:
        """A registration: right, late, twice, overlapping, or of nothing."""
        known = list(self._registrations())
        made = self.dice.choice(known) if known else Register(0, 0, 255, "ecam", 0x4000_0000, 256 << 20)
        segment, start, end = made.segment, made.start_bus, made.end_bus
        kind, base, size = made.kind, made.base, made.size
        match self.dice.randrange(8):
            case 0:
                segment = self.dice.choice((0, 1, 5, 0xFFFF, 0x10000))
            case 1:
                start, end = sorted((self.dice.randrange(256), self.dice.randrange(256)))
                size = end - start + 1 << 20
            case 2:
                start, end = end, start
            case 3:
                kind = self.dice.choice((*KINDS, "ports", "no such kind"))
            case 4:
                base = self.dice.choice((0, base + (1 << 20), base - 4096, 0x4000_0000, (1 << 64) - 4096))
            case 5:
                size = self.dice.choice((0, 1, size // 2, size * 2, 1 << 64))
        return Register(segment, start, end, kind, base, size)

    def _access(self) -> Step:
        size = self.dice.choice(SIZES) if self.dice.random() < 0.98 else self.dice.choice(ODD_SIZES)
        register = self._register_number(size)
        value = None if self.dice.random() < 0.5 else self._value()
        what = self.dice.random()
        if what < 0.45 and self.guests and self.switches.vpci and not self.x86:
            return self._guest_access(size, register, value)
        if what < 0.6 and self.x86:
            return self._port(register, size, value)
        return Access(self._address(register), size, value)

    def _register_number(self, size: int) -> int:
        match self.dice.randrange(8):
            case 0 | 1 | 2 | 3:
                return self.dice.choice(REGISTERS)
            case 4 | 5:
                return self.dice.randrange(4096) & -max(size, 1)
            case 6:
                return self.dice.randrange(0x60) & -max(size, 1)
        return self.dice.randrange(4096)

    def _value(self) -> int:
        match self.dice.randrange(4):
            case 0:
                return self.dice.getrandbits(32)
            case 1:
                where = self.dice.choice(
                    (*self.ground.memory, *self.ground.decoded, *self.ground.configuration)
                )
                return where.base + (self.dice.randrange(64) << 12) & 0xFFFFFFFF
        return self.dice.choice(VALUES)

    def _guest_access(self, size: int, register: int, value: int | None) -> Access:
        """Mostly to one of the first slots, and now and then what switches a device's memory on."""
        domain = self.dice.randint(1, self.guests)
        slot = (
            self.dice.randrange(4) if self.dice.random() < 0.9 else self.dice.randrange(GUEST_ECAM.size >> 15)
        )
        if self.dice.random() < 0.1:
            return Access(slot << 15 | COMMAND, 2, self.dice.choice((MEMORY, MEMORY | 4, 0)), domain)
        function = 0 if self.dice.random() < 0.9 else self.dice.randrange(8)
        return Access(slot << 15 | function << 12 | register, size, value, domain)

    def _address(self, register: int) -> int:
        bridge = self.dice.choice(self.ground.bridges)
        config = bridge.config
        if self.dice.random() < 0.1:
            blocks = [(each.base, each.size) for each in config.registers] or [(config.base, config.size)]
            base, size = self.dice.choice(blocks)
            return base + self.dice.choice((0, 4, 8, size - 4, size, self.dice.randrange(size + 1)))
        if config.kind == "windowed":
            return config.base + self.dice.choice((0, 4, 5, 8))
        segment, rid = self._function()
        if bridge.segment not in (segment, None):
            rid = next((own for where, own in self.functions if where == bridge.segment), rid)
        shift = 8 if config.kind == "cam" else 12
        return config.base + ((rid - (bridge.bus_range.first << 8)) << shift) + register

    def _port(self, register: int, size: int, value: int | None) -> Step:
        if self.dice.random() < 0.4:
            _, rid = self._function()
            enable = 0 if self.dice.random() < 0.05 else 1 << 31
            return Port(CONFIG_ADDRESS, 4, enable | rid << 8 | register & 0xFC)
        return Port(CONFIG_DATA + self.dice.randrange(4), size, value)


def _ids(segment: int, rid: int) -> dict[str, int]:
    return {"seg": segment, "bus": rid >> 8, "devfn": rid & 0xFF}


def _device(op: str, segment: int, rid: int) -> Hypercall:
    return Hypercall(op, _ids(segment, rid))
