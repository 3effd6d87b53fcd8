"""A simulated Xen as a Hypothesis state machine: what shrinks is the sequence of what was asked."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rootplex.formats.hypercalls import widths
from rootplex.fuzz.ground import ground_of
from rootplex.fuzz.invariants import Moment, broken
from rootplex.fuzz.stage import Stage
from rootplex.fuzz.state import State, state_of
from rootplex.fuzz.steps import Access, Guest, Hypercall, Register, Step, Switches
from rootplex.simulator.xen.hypercalls import OPERATIONS

BOARDS = ("qemu-switches", "qemu-virt-three-segments", "juno-r2")
WHICH = st.integers(0, 20)
GUESTS = st.integers(1, 3)


class Xen(RuleBasedStateMachine):
    """Bridges are registered, functions reported, given, taken back and reached, in any order."""

    stage: Stage
    state: State
    wrong: list[tuple[str, str]]

    @initialize(board=st.sampled_from(BOARDS), vpci=st.booleans(), today=st.booleans())
    def boot(self, board: str, vpci: bool, today: bool) -> None:
        switches = Switches(vpci=vpci, discovery="xen" if today else "dom0")
        self.stage = Stage(ground_of(board, switches), switches)
        self.state = state_of(self.stage)
        self.wrong = []

    def take(self, step: Step) -> None:
        if self.stage.is_over:
            return
        answer = self.stage.do(step)
        after = state_of(self.stage)
        if not self.stage.is_over:
            self.wrong += broken(Moment(self.stage, step, answer, self.state, after))
        self.state = after

    def function(self, which: int) -> tuple[int, int]:
        known = sorted(self.stage.ground.functions.values())
        return known[which % len(known)]

    @rule(which=WHICH)
    def register(self, which: int) -> None:
        bridges = self.stage.ground.bridges
        bridge = bridges[which % len(bridges)]
        buses, config = bridge.bus_range, bridge.config
        segment = bridge.segment or 0
        self.take(Register(segment, buses.first, buses.last, config.kind, config.base, config.size))

    @rule(which=WHICH, flags=st.sampled_from([0, 0, 2, 3]), physfn=WHICH)
    def report(self, which: int, flags: int, physfn: int) -> None:
        segment, rid = self.function(which)
        _, pf = self.function(physfn)
        args = {"seg": segment, "bus": rid >> 8, "devfn": rid & 0xFF, "flags": flags}
        self.take(Hypercall("pci_device_add", args | {"physfn_bus": pf >> 8, "physfn_devfn": pf & 0xFF}))

    @rule(which=WHICH, op=st.sampled_from(["pci_device_remove", "pci_device_reset"]))
    def take_away(self, which: int, op: str) -> None:
        segment, rid = self.function(which)
        self.take(Hypercall(op, {"seg": segment, "bus": rid >> 8, "devfn": rid & 0xFF}))

    @rule(iommu=st.booleans())
    def guest(self, iommu: bool) -> None:
        self.take(Guest(iommu))

    @rule(which=WHICH, domain=GUESTS, op=st.sampled_from(["assign_device", "deassign_device"]))
    def give(self, which: int, domain: int, op: str) -> None:
        segment, rid = self.function(which)
        self.take(Hypercall(op, {"domain": domain, "machine_sbdf": segment << 16 | rid}))

    @rule(data=st.data(), caller=st.sampled_from([0, 0, 1]))
    def anything(self, data: Any, caller: int) -> None:
        operation = data.draw(st.sampled_from(OPERATIONS))
        fields = st.sampled_from(list(widths(operation.structure)))
        args = data.draw(st.none() | st.dictionaries(fields, st.integers(-1, 1 << 33)))
        self.take(Hypercall(operation.name, args, caller))

    @rule(
        domain=GUESTS,
        slot=st.integers(0, 3),
        register=st.sampled_from([0x00, 0x04, 0x06, 0x10, 0x14, 0x34, 0x3C, 0x100]),
        size=st.sampled_from([1, 2, 4, 8]),
        value=st.none() | st.sampled_from([0, 2, 6, 0xFFFFFFFF]),
    )
    def reach(self, domain: int, slot: int, register: int, size: int, value: int | None) -> None:
        self.take(Access(slot << 15 | register, size, value, domain))

    @invariant()
    def all_holds(self) -> None:
        assert not getattr(self, "wrong", None)


Xen.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestXen = Xen.TestCase
