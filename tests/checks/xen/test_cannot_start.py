"""RPX0916: what Xen needs of a whole tree before it looks at PCI (xen.md §1.0)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.checks.cases import changed, findings_of, given_tree, line_of, marked_line, only
from tests.checks.golden import hold
from tests.checks.two_bridges import SOUND
from tests.simulator.xen.test_start import MAINTENANCE, MEMORY, TIMER
from tests.simulator.xen.xen_machines import case_text
from tests.topologies.bundled import platform_of

from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts
from rootplex.jobs.boards import boards_of
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.validate import validate_board
from rootplex.readers.dts import compile_dts
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace
from rootplex.source.shipped import shipped_folder

BASE = (shipped_folder("topologies") / "qemu-virt.yaml").read_text()
WITHOUT = changed(BASE, ("base: qemu-virt\n", "base: qemu-virt  #<\n  virtualization: false\n"))


def found_in(text: str, options: RunOptions | None = None) -> tuple[Finding, ...]:
    return only(findings_of(text, options=options), "RPX0916")


def given(text: str, dtc: str, *, for_xen: bool = True) -> list[Finding]:
    """What is said of a board's tree that is held against a description with a key `xen`."""
    facts = Facts(dt=given_tree(text, dtc), for_xen=for_xen)
    found = [each for each in run_checks(facts, "artifacts") if each.code == "RPX0916"]
    hold(found)
    return found


def test_qemu_s_machine_without_el2() -> None:
    """A real Xen on this tree: "GICv3: Cannot find the maintenance IRQ"."""
    (found,) = found_in(WITHOUT)
    assert line_of(found.at) == marked_line(WITHOUT)
    assert found.level is Level.ERROR
    assert found.message.endswith("has no maintenance interrupt")
    assert found.notes == ("Xen panics: GICv3: Cannot find the maintenance IRQ",)
    assert not found_in(BASE)


def test_silent_without_xen_and_by_acpi() -> None:
    assert not found_in(WITHOUT, RunOptions(bare_metal=True))
    assert not found_in(WITHOUT, RunOptions(firmware="acpi"))


def test_a_tree_of_pci_alone_claims_nothing() -> None:
    assert not found_in(SOUND)


def test_a_described_gic_has_it_where_it_is_said() -> None:
    gic = """interrupt_controllers:
  - name: gic
    kind: arm-gic-v3
    distributor: {base: 0x800_0000, size: 64KiB}  #<
    redistributors: {base: 0x80a_0000, size: 0xf6_0000}
"""
    text = BASE.replace("host_bridges:", f"{gic}host_bridges:", 1)
    (found,) = found_in(text)
    assert line_of(found.at) is not None
    assert found.help == "give the GIC what a hypervisor has of it: its registers and 'maintenance'"
    assert not found_in(text.replace("kind: arm-gic-v3\n", "kind: arm-gic-v3\n    maintenance: 9\n"))


def test_a_board_s_tree(program: Callable[[str], str]) -> None:
    dtc = program("dtc")
    text = case_text("base")
    assert not given(text, dtc)
    changes = ((MAINTENANCE, ""), (TIMER, ""), (MEMORY, ""), ('method = "smc";', 'method = "hvc";'))
    broken = changed(text, *changes)
    found = given(broken, dtc)
    places = [each.at for each in found]
    assert [(at.node, at.property) for at in places if isinstance(at, DtPlace)] == [
        ("/memory@40000000", None),
        ("/intc@8000000", "interrupts"),
        ("/timer", "interrupts"),
        ("/psci", "method"),
    ]
    assert [each.level for each in found] == [Level.WARNING, Level.ERROR, Level.ERROR, Level.WARNING]
    assert found[0].help == "let the boot loader write the machine's RAM into the tree"
    assert not given(broken, dtc, for_xen=False)


@pytest.mark.parametrize(("against", "count"), [("qemu-virt", 1), ("amd-seattle", 0)])
def test_a_blob_held_against_a_description(
    against: str, count: int, tmp_path: Path, program: Callable[[str], str]
) -> None:
    """A key `xen` in the description is what makes it a tree for Xen; amd-seattle has none."""
    program("dtc")
    blob = tmp_path / "board.dtb"
    blob.write_bytes(compile_dts(changed(case_text("base"), (MAINTENANCE, "")), "board.dts"))
    platform = platform_of(against)
    (board,) = boards_of([str(blob)])
    for described, expected in ((platform, count), (replace(platform, for_xen=False), 0)):
        found = validate_board(board, described).findings
        assert len([each for each in found if each.code == "RPX0916"]) == expected
