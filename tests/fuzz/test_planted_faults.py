"""Each invariant catches a fault of its kind, planted in the simulator, and soon."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from rootplex.fuzz import drawing
from rootplex.fuzz.invariants import INVARIANTS
from rootplex.fuzz.playing import played
from rootplex.fuzz.steps import Play
from rootplex.simulator.groups import guests
from rootplex.simulator.hardware import Hardware
from rootplex.simulator.xen import domctl, physdev
from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.discovery_2017 import Discovery
from rootplex.simulator.xen.iommu import ArmIommu
from rootplex.simulator.xen.machine import Xen
from rootplex.simulator.xen.mcfg import McfgWindows
from rootplex.simulator.xen.records import DOM0, Record
from rootplex.simulator.xen.vpci.device import Vpci
from rootplex.simulator.xen.vpci.header import PAGE, Header
from rootplex.simulator.xen.vpci.registers import Registers
from rootplex.simulator.xen.vpci.slots import Slots

SECONDS = 60.0
Patch = pytest.MonkeyPatch


def not_asked_for_its_owner(patch: Patch) -> None:
    """`assign_device` takes a device from whoever has it."""
    whole = domctl._record

    def record(core: Core, sbdf: int) -> Record | None:
        found = whole(core, sbdf)
        if found is not None and found.owner not in (None, DOM0, 0x7FF1):
            core.take(found)
            core.give(found, DOM0)
        return found

    patch.setattr(domctl, "_record", record)


def left_in_its_owners_list(patch: Patch) -> None:
    def move(self: Core, record: Record, domain: int) -> None:
        record.owner = domain

    patch.setattr(Core, "move", move)


def slot_kept(patch: Patch) -> None:
    patch.setattr(Slots, "take_back", lambda self, record: None)


def gaps_go_to_the_hardware(patch: Patch) -> None:
    """A guest's emulation lets through what it does not emulate."""
    whole = Vpci.attach

    def attach(self: Vpci, record: Record) -> int:
        result = whole(self, record)
        if record in self.devices:
            device = self.devices[record]
            device.registers.hardware = device.header.space
        return result

    patch.setattr(Vpci, "attach", attach)


def another_slots_function(patch: Patch) -> None:
    """The guest's device number is taken for the physical one."""

    def device(self: Vpci, domain: int, devfn: int) -> Any:
        return next((one for record, one in self.devices.items() if record.devfn == devfn), None)

    patch.setattr(Vpci, "_guest_device", device)


def bars_not_looked_at(patch: Patch) -> None:
    patch.setattr(Xen, "_bar_is_valid", lambda self, record, start, end: True)


def the_next_pages_mapped(patch: Patch) -> None:
    mapped = Header.mapped
    patch.setattr(
        Header, "mapped", lambda self: ((start + 16 * PAGE, end + 16 * PAGE) for start, end in mapped(self))
    )


def lines_not_told(patch: Patch) -> None:
    patch.setattr(guests._Owned, "_shared_lines", lambda self, functions: iter(()))


def streams_not_told(patch: Patch) -> None:
    """The partition that is safe does not join functions of one stream."""
    patch.setattr(guests._Owned, "_neighbours", lambda self, functions, groups: iter(()))


def streams_not_exclusive(patch: Patch) -> None:
    """A second function is attached to an SMMUv3's stream."""

    def attach(self: ArmIommu, record: Record) -> None:
        self._detach(record)
        for entry in self._entries(record):
            self.live.setdefault(entry, record)

    patch.setattr(ArmIommu, "_attach", attach)


def given_before_it_is_judged(patch: Patch) -> None:
    """A refused assignment has moved the device."""
    whole = domctl._translate

    def translate(core: Core, record: Record, domain: Any, relaxed: bool) -> tuple[int, int]:
        core.move(record, domain.number)
        return whole(core, record, domain, relaxed)

    patch.setattr(domctl, "_translate", translate)


def segment_made_first(patch: Patch) -> None:
    """A removal of nothing leaves a segment behind."""
    whole = physdev.remove

    def remove(core: Core, segment: int, bus: int, devfn: int) -> int:
        core.records.segment(segment)
        return whole(core, segment, bus, devfn)

    patch.setattr(physdev, "remove", remove)


def registered_though_refused(patch: Patch) -> None:
    whole = Discovery.add_bridge

    def add_bridge(self: Discovery, call: Any, config: Any) -> int:
        result = whole(self, call, config)
        if result == -17:
            self.routes.append(self.routes.bridges[0])
        return result

    patch.setattr(Discovery, "add_bridge", add_bridge)


def switched_before_it_is_judged(patch: Patch) -> None:
    whole = McfgWindows.reserved

    def reserved(self: McfgWindows, address: int, segment: int, start: int, end: int, flags: int) -> int:
        for window in self.windows:
            window.enabled = bool(flags)
        return whole(self, address, segment, start, end, flags)

    patch.setattr(McfgWindows, "reserved", reserved)


def a_read_that_writes(patch: Patch) -> None:
    whole = Hardware.read

    def read(self: Hardware, address: int, size: int) -> int:
        if address & 0xFFF == 0x3C:
            self.write(address, 1, whole(self, address, 1) ^ 1)
        return whole(self, address, size)

    patch.setattr(Hardware, "read", read)


def a_write_that_spreads(patch: Patch) -> None:
    whole = Hardware.write

    def write(self: Hardware, address: int, size: int, value: int) -> None:
        whole(self, address, size, value)
        if self.page_at_address(address ^ 0x8000) is not None:
            whole(self, address ^ 0x8000, size, value)

    patch.setattr(Hardware, "write", write)


def a_memory_between_machines(patch: Patch) -> None:
    """What one machine was asked counts in the next."""
    asked: list[str] = []
    whole = Xen.create_domain

    def create_domain(self: Xen, name: str, *, iommu: bool = True) -> int:
        asked.append(name)
        return whole(self, name, iommu=iommu and len(asked) % 2 == 0)

    patch.setattr(Xen, "create_domain", create_domain)


def an_exception(patch: Patch) -> None:
    whole = Registers.read

    def read(self: Registers, offset: int, size: int) -> int:
        assert offset != 0x06
        return whole(self, offset, size)

    patch.setattr(Registers, "read", read)


PLANTED: dict[Callable[[Patch], None], tuple[str, str]] = {
    not_asked_for_its_owner: ("hypercalls", "one-owner"),
    left_in_its_owners_list: ("hypercalls", "one-owner"),
    slot_kept: ("hypercalls", "one-owner"),
    gaps_go_to_the_hardware: ("accesses", "own-registers"),
    another_slots_function: ("accesses", "own-registers"),
    bars_not_looked_at: ("accesses", "own-memory"),
    the_next_pages_mapped: ("accesses", "own-memory"),
    lines_not_told: ("hypercalls", "sharing-is-told"),
    streams_not_told: ("hypercalls", "sharing-is-told"),
    streams_not_exclusive: ("hypercalls", "translated"),
    given_before_it_is_judged: ("hypercalls", "refused"),
    segment_made_first: ("hypercalls", "refused"),
    registered_though_refused: ("hypercalls", "refused"),
    switched_before_it_is_judged: ("hypercalls", "refused"),
    a_read_that_writes: ("accesses", "reads"),
    a_write_that_spreads: ("accesses", "one-function"),
    a_memory_between_machines: ("hypercalls", "replay"),
    an_exception: ("accesses", "exception"),
}


def found(draw: Callable[[random.Random], Play], wanted: str) -> tuple[int, float]:
    """How many plays, and seconds of processor time, until the invariant did not hold."""
    begun = time.process_time()
    for number in range(100_000):
        fault = played(draw(random.Random(f"planted {number}"))).fault
        taken = time.process_time() - begun
        if fault is not None and fault.name == wanted:
            return number + 1, taken
        if taken > SECONDS:
            break
    pytest.fail(f"not found in {SECONDS} seconds")


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    draw, wanted = PLANTED[plant]
    count, taken = found(getattr(drawing, draw), wanted)
    print(f"{plant.__name__}: {wanted} after {count} plays, {taken:.1f} s")


def test_each_invariant_has_a_planted_fault() -> None:
    names = {each.name for each in INVARIANTS} | {"replay", "exception"}
    assert {wanted for _, wanted in PLANTED.values()} == names
