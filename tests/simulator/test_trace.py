"""The trace of a boot: every access once, told as a function's register."""

from __future__ import annotations

import re

import pytest
from tests.topologies.bundled import checked

from rootplex.formats.registers import Names
from rootplex.jobs.check import examine
from rootplex.jobs.settings import RunOptions
from rootplex.simulator.boots.outcome import Outcome

ACCESS = re.compile(
    r" *\d+ (read |write) (\w* *) ([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) ([0-9a-f]{3}) (\d) "
)


def traced(name: str, **options: object) -> Outcome:
    outcome = examine(checked(name), RunOptions(trace=True, **options)).outcome  # type: ignore[arg-type]
    assert outcome is not None
    return outcome


@pytest.mark.parametrize(
    ("board", "options"),
    [
        ("qemu-virt", {}),
        ("qemu-virt", {"firmware": "acpi"}),
        ("q35", {}),
        ("q35", {"bare_metal": True}),
        ("qemu-virt-three-segments", {}),
        ("lx2160a-rdb", {}),
    ],
)
def test_as_many_lines_as_the_hardware_saw_accesses(board: str, options: dict[str, object]) -> None:
    """The bridges count what comes to them; each line is one access of theirs, with its function."""
    outcome = traced(board, **options)
    accesses = [line for line in outcome.trace if " hypercall " not in line]
    assert all(ACCESS.match(line) for line in accesses)
    assert outcome.hardware is not None
    counters = [bridge.counters for bridge in outcome.hardware.bridges.values()]
    assert sum(each.reads + each.writes for each in counters) == len(accesses)


def test_functions_that_answer_are_those_that_are_found() -> None:
    """By the ids that are read at register 0."""
    outcome = traced("qemu-virt-three-segments")
    answered = {
        found[3]
        for line in outcome.trace
        if (found := ACCESS.match(line)) and found[4] == "000" and "0xffffffff" not in line
    }
    assert {function.sbdf for function in outcome.dom0.functions} == answered


def test_ways_are_told() -> None:
    """Under Xen a registered ECAM is trapped; a bridge that is none is forwarded; alone neither is."""
    ways = {
        board: {found[2].strip() for line in traced(board, **options).trace if (found := ACCESS.match(line))}
        for board, options in (("qemu-virt", {}), ("lx2160a-rdb", {}), ("q35", {"bare_metal": True}))
    }
    assert "trapped" in ways["qemu-virt"]
    assert "forwarded" in ways["lx2160a-rdb"]
    assert {""} == ways["q35"]


@pytest.mark.parametrize(
    ("reads", "register", "size", "name"),
    [
        ([], 0x00, 4, "vendor id, device id"),
        ([], 0x18, 4, "BAR 2"),
        ([(0x0E, 1, 0x01)], 0x18, 4, "primary bus, secondary bus, subordinate bus, secondary latency timer"),
        ([(0x0E, 1, 0x81)], 0x3E, 2, "bridge control"),
        ([(0x34, 1, 0x40)], 0x40, 2, "capability header"),
        ([(0x34, 1, 0x40), (0x40, 2, 0x5010)], 0x48, 2, "PCI Express: device control"),
        ([(0x34, 1, 0x40), (0x40, 2, 0x5010), (0x50, 2, 0x0011)], 0x52, 2, "MSI-X: control"),
        ([(0x100, 4, 0x1481000D)], 0x106, 2, "ACS: control"),
        ([(0x100, 4, 0x14810001), (0x148, 4, 0x0001000D)], 0x14C, 4, "ACS: capability, control"),
        ([(0x100, 4, 0x00010010)], 0x110, 2, "SR-IOV: num VFs"),
        ([(0x00, 4, 0x11111111), (0x0E, 1, 0x01), (0x00, 4, 0x22222222)], 0x18, 4, "BAR 2"),
        ([], 0x60, 4, ""),
        ([], 0x120, 4, ""),
    ],
)
def test_registers_have_the_names_of_the_specification(
    reads: list[tuple[int, int, int]], register: int, size: int, name: str
) -> None:
    """PCIe 6.0 §7.5.1 and §7.5.3, §7.7.11, §9.3.3; as far as reads have shown what is where."""
    names = Names()
    for each in reads:
        names.read(*each)
    assert name == names.of(register, size)
