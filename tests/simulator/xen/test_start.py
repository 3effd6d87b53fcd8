"""What a tree must have before Xen looks at PCI, beside what real ones did with it.

Each row was booted on Debian's 4.17.5 and 4.20.4 and on 4.23-unstable under QEMU 11.1.3, on
`virt,virtualization=on`, started by a stub that jumps to Xen with the tree's address in x0: QEMU's own loader
would write memory and PSCI into the tree. Of a Xen that stayed silent its message was read out of guest
memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.simulator.xen.xen_machines import case_text

from rootplex.known.xen import VERSIONS, version
from rootplex.readers.dtb import read_dtb
from rootplex.readers.dts import compile_dts
from rootplex.readers.tree import Tree
from rootplex.simulator.xen.start import is_whole, lacks

TIMER = "interrupts = <0x01 0x0d 0x04 0x01 0x0e 0x04 0x01 0x0b 0x04 0x01 0x0a 0x04>;"
MAINTENANCE = "interrupts = <0x01 0x09 0x04>;"
MEMORY = "reg = <0x00 0x40000000 0x00 0x80000000>;"
GIC = "reg = <0x00 0x8000000 0x00 0x10000 0x00 0x80a0000 0x00 0xf60000>;"
V2 = 'compatible = "arm,cortex-a15-gic";'
V2_BLOCKS = ("0x00 0x8000000 0x00 0x10000", "0x00 0x8010000 0x00 0x10000", "0x00 0x8030000 0x00 0x10000")
V3 = 'compatible = "arm,gic-v3";'
SILENT = None


@dataclass(frozen=True, slots=True)
class Row:
    """A tree, and what Xen said of it; (): it starts, with every processor."""

    changes: tuple[tuple[str, str], ...] = ()
    said: tuple[str | None, ...] = ()


def blocks(count: int) -> tuple[tuple[str, str], ...]:
    return (V3, V2), (GIC, f"reg = <{' '.join(V2_BLOCKS[:count])}>;")


ROWS = {
    "as QEMU describes it": Row(),
    "no maintenance interrupt": Row(((MAINTENANCE, ""),), ("GICv3: Cannot find the maintenance IRQ",)),
    "a GIC that is disabled": Row(((MAINTENANCE, MAINTENANCE + ' status = "disabled";'),), (SILENT,)),
    "a GIC of another kind": Row(((V3, 'compatible = "arm,gic-x";'),), (SILENT,)),
    "a GIC without registers": Row(((GIC, ""),), ("GICv3: Cannot find a valid distributor address",)),
    "no redistributors": Row(
        ((GIC, "reg = <0x00 0x8000000 0x00 0x10000>;"),), ("GICv3: No rdist base found for region 0",)
    ),
    "GICv2, one block": Row(blocks(1), ("GICv2: Cannot find a valid address for the CPU",)),
    "GICv2, two blocks": Row(blocks(2), ("GICv2: Cannot find a valid address for the hypervisor",)),
    "GICv2, three blocks": Row(blocks(3), ("GICv2: Cannot find a valid address for the virtual CPU",)),
    "no interrupt of the timer": Row(
        ((TIMER, ""),), ("Timer: Unable to retrieve IRQ 0 from the device tree",)
    ),
    "three of the timer": Row(
        ((TIMER, TIMER.replace(" 0x01 0x0a 0x04", "")),),
        ("Timer: Unable to retrieve IRQ 3 from the device tree",),
    ),
    "a timer that is disabled": Row(((TIMER, TIMER + ' status = "disabled";'),)),
    "a timer of ARMv7": Row((('"arm,armv8-timer\\0arm,armv7-timer"', '"arm,armv7-timer"'),)),
    "a timer of another kind": Row((('"arm,armv8-timer\\0arm,armv7-timer"', '"arm,other"'),), (SILENT,)),
    "memory without a type": Row((('device_type = "memory";', ""),), (SILENT,)),
    "memory without reg": Row(((MEMORY, ""),), (SILENT,)),
    "memory of size 0": Row(((MEMORY, "reg = <0x00 0x40000000 0x00 0x00>;"),), (SILENT,)),
    "no method of PSCI": Row(
        (('method = "smc";', ""),), ("CPU1 asks for PSCI, but DTB has no PSCI node",)
    ),
    "PSCI by hvc": Row(
        (('method = "smc";', 'method = "hvc";'),), ("CPU1 asks for PSCI, but DTB has no PSCI node",)
    ),
    "PSCI is disabled": Row((('method = "smc";', 'method = "smc"; status = "disabled";'),)),
    "PSCI 0.1": Row((('"arm,psci-1.0\\0arm,psci-0.2\\0arm,psci"', '"arm,psci"'),)),
}  # fmt: skip


def tree_of(changes: tuple[tuple[str, str], ...]) -> Tree:
    text = case_text("base")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return read_dtb(compile_dts(text, "case.dts"), "case.dtb")


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("xen", VERSIONS)
def test_as_real_ones(name: str, xen: str, program: Callable[[str], str]) -> None:
    program("dtc")
    tree = tree_of(ROWS[name].changes)
    assert is_whole(tree)
    assert tuple(each.said for each in lacks(tree, version(xen))) == ROWS[name].said


@pytest.mark.parametrize(
    ("xen", "starts"), [("xen-4.17", True), ("xen-4.20", False), ("xen-unstable", False)]
)
def test_memory_that_is_disabled(xen: str, starts: bool, program: Callable[[str], str]) -> None:
    program("dtc")
    tree = tree_of(((MEMORY, MEMORY + ' status = "disabled";'),))
    found = [each.part for each in lacks(tree, version(xen))]
    assert found == ([] if starts else ["memory"])


def test_a_node_that_is_not_there_is_missed_at_the_root(program: Callable[[str], str]) -> None:
    """Whole nodes taken out: the timer's (silence), memory's (silence), PSCI's (one processor)."""
    program("dtc")
    text = case_text("base")
    for name in ("memory@40000000", "timer", "psci"):
        text, count = re.subn(rf"\n\t{name} {{.*?\n\t}};\n", "\n", text, count=1, flags=re.DOTALL)
        assert count == 1, name
    found = list(lacks(read_dtb(compile_dts(text, "case.dts"), "case.dtb"), version("xen-unstable")))
    assert [(each.part, each.at.node, each.fatal) for each in found] == [
        ("memory", "/", True),
        ("timer", "/", True),
        ("psci", "/", False),
    ]


def test_lines_that_name_their_controller(program: Callable[[str], str]) -> None:
    """`interrupts-extended` comes before `interrupts` (`dt_device_get_raw_irq`)."""
    program("dtc")
    lines = "interrupts-extended = <0x8003 1 13 4 0x8003 1 14 4 0x8003 1 11 4{more}>;"
    all_four = tree_of(((TIMER, lines.format(more=" 0x8003 1 10 4")),))
    three = tree_of(((TIMER, lines.format(more="")),))
    assert not list(lacks(all_four, version("xen-unstable")))
    assert [each.part for each in lacks(three, version("xen-unstable"))] == ["timer"]
