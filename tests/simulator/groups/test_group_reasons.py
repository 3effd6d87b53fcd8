"""Every group says why it holds what it holds, by function, hop and bit."""

from __future__ import annotations

from tests.simulator.groups.pci_trees import FULL, PciTree, pci_bridge

from rootplex.report.reasons import sentence
from rootplex.simulator.function import ACS_CR, ACS_RR, ACS_UF, PCI_TO_PCIE
from rootplex.simulator.groups.grouping import Grouping
from rootplex.simulator.groups.linux import linux_groups
from rootplex.simulator.groups.safe import safe_groups
from rootplex.simulator.groups.top_down import top_down_groups


def facts(grouping: Grouping, tree: PciTree, name: str) -> set[tuple[str, str, tuple[str, ...]]]:
    """(page, kind, bits) of the reasons of a function's group."""
    group = grouping.of(tree[name])
    assert group is not None
    for reason in group.reasons:
        assert reason.function.sbdf in sentence(reason)
    return {(reason.function.page, reason.kind, reason.bits) for reason in group.reasons}


def test_a_port_without_the_capability() -> None:
    tree = PciTree()
    tree.add("EP", tree.bridge("RP", tree.root, 2), 0)
    grouping = linux_groups(tree.functions)
    assert {("RP", "acs-absent", ("SV", "RR", "CR", "UF"))} == facts(grouping, tree, "EP")
    (reason,) = grouping.groups[0].reasons
    expected = "0000:00:02.0 is a root port without an ACS capability: everything below it shares its group"
    assert expected == sentence(reason)


def test_a_port_with_bits_off_names_them() -> None:
    tree = PciTree()
    tree.add("EP", tree.bridge("RP", tree.root, 2, acs=(FULL[0], FULL[1] & ~(ACS_RR | ACS_UF))), 0)
    assert {("RP", "acs-off", ("RR", "UF"))} == facts(linux_groups(tree.functions), tree, "EP")


def test_functions_of_a_device_without_acs() -> None:
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 0, acs=FULL)
    for fn in range(2):
        tree.add(f"F{fn}", below, 0, fn, mf=True)
    grouping = linux_groups(tree.functions)
    lacking = {(f"F{fn}", "functions", ("RR", "CR")) for fn in range(2)}
    assert lacking == facts(grouping, tree, "F1")
    texts = {sentence(reason) for group in grouping.groups for reason in group.reasons}
    expected = (
        "0000:01:00.1 is a function of a multi-function device without an ACS capability (lacks RR, CR)"
    )
    assert expected in texts


def test_functions_with_a_bit_off() -> None:
    tree = PciTree()
    bits = ACS_RR | ACS_CR
    for fn in range(2):
        tree.add(f"F{fn}", tree.root, 3, fn, mf=True, acs=(bits, ACS_RR))
    assert {(f"F{fn}", "functions", ("CR",)) for fn in range(2)} == facts(
        linux_groups(tree.functions), tree, "F0"
    )


def test_a_bridge_alias_and_the_bridge_itself() -> None:
    tree = PciTree()
    pci_bridge(tree)
    found = facts(linux_groups(tree.functions), tree, "P2")
    assert {("BR", "bridge-alias", ()), ("BR", "conventional", ())} == found


def test_every_hop_that_lacks_is_named() -> None:
    """A root port without ACS above a switch port without ACS: repairing one is not enough."""
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 0)
    (bus,) = tree.switch(below, [("D0", 0, 0, None)])
    tree.add("A", bus, 0)
    named = {page for page, _, _ in facts(linux_groups(tree.functions), tree, "A")}
    assert {"RP", "D0"} == named


def test_a_fixed_alias() -> None:
    tree = PciTree()
    tree.add("A", tree.root, 1, aliases=(2 << 3,))
    tree.add("B", tree.root, 2)
    for algorithm in (linux_groups, top_down_groups, safe_groups):
        grouping = algorithm(tree.functions)
        assert grouping.of(tree["A"]) is grouping.of(tree["B"])
        assert "fixed-alias" in {kind for _, kind, _ in facts(grouping, tree, "A")}


def test_a_lonely_function_names_the_port_that_isolates_it() -> None:
    tree = PciTree()
    tree.add("EP", tree.bridge("RP", tree.root, 0, acs=FULL), 0)
    assert {("RP", "isolated", ())} == facts(linux_groups(tree.functions), tree, "EP")
    assert {("RP", "isolated", ())} == facts(linux_groups(tree.functions), tree, "RP")


def test_the_proposed_algorithm_names_the_ports_of_a_switch() -> None:
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 0, acs=FULL)
    buses = tree.switch(below, [("D0", 0, 0, FULL), ("D1", 3, 0, None)])
    tree.add("A", buses[0], 0)
    found = facts(top_down_groups(tree.functions), tree, "A")
    assert ("D1", "switch", ("SV", "RR", "CR", "UF")) in found
    assert ("D0", "bridge-group", ()) in found


def test_a_pci_to_pcie_bridge_keeps_nothing_apart() -> None:
    tree = PciTree()
    express = tree.bridge("BR", tree.root, 0, type=PCI_TO_PCIE)
    tree.add("A", express, 0)
    assert {("BR", "bridge-alias", ()), ("BR", "conventional", ())} == facts(
        linux_groups(tree.functions), tree, "A"
    )
