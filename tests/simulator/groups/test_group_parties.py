"""What Xen says, and what is safe: xen.md §2.9 and §10."""

from __future__ import annotations

from tests.simulator.groups.pci_trees import FULL, PciTree, pages, partition, pci_bridge

from rootplex.report.reasons import sentence
from rootplex.simulator.function import ACS_CR, ACS_RR, ACS_UF, Bar
from rootplex.simulator.groups.linux import linux_groups
from rootplex.simulator.groups.safe import safe_groups
from rootplex.simulator.groups.xen import xen_groups


def test_xens_groups_are_what_xen_answers() -> None:
    """Of the functions that it knows; the reason names the bridge."""
    tree = PciTree()
    pci_bridge(tree)
    own = {name: (0, tree[name].rid) for name in ("RP", "BR", "P1")}
    grouping = xen_groups([[own["RP"]], [own["BR"], own["P1"]], [(1, 0)]], tree.functions, has_groups=True)
    assert partition("{RP} {BR,P1}") == pages(grouping)
    assert [reason.function for reason in grouping.groups[1].reasons] == [tree["BR"]]
    alone = xen_groups([[each] for each in own.values()], tree.functions, has_groups=False)
    assert all("no groups on Arm" in sentence(group.reasons[0]) for group in alone.groups)


def test_safe_everything_below_an_open_port() -> None:
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 0)
    for bus in tree.switch(below, [("D0", 0, 0, FULL), ("D1", 3, 0, FULL)]):
        tree.add(f"E{bus.number}", bus, 0)
    assert partition("{RP,USP,D0,D1,E3,E4}") == pages(safe_groups(tree.functions))


def test_safe_a_bit_that_a_port_does_not_offer_is_missing() -> None:
    tree = PciTree()
    bits = FULL[1] & ~ACS_UF
    tree.add("EP", tree.bridge("RP", tree.root, 0, acs=(bits, bits)), 0)
    grouping = safe_groups(tree.functions)
    assert partition("{RP,EP}") == pages(grouping)
    assert [("acs-not-offered", ("UF",))] == [(r.kind, r.bits) for r in grouping.groups[0].reasons]
    assert partition("{RP} {EP}") == pages(linux_groups(tree.functions))


def test_safe_one_open_downstream_port_opens_its_switch() -> None:
    """LNX-50: kernels up to 7.2 split here, unsafely."""
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 0, acs=FULL)
    for bus in tree.switch(below, [("D0", 0, 0, FULL), ("D1", 3, 0, None)]):
        tree.add(f"E{bus.number}", bus, 0)
    assert partition("{RP} {USP} {D0,D1,E3,E4}") == pages(safe_groups(tree.functions))


def test_safe_functions_that_lack_redirection() -> None:
    tree = PciTree()
    both = ACS_RR | ACS_CR
    tree.add("A0", tree.root, 1, 0, mf=True)
    tree.add("A1", tree.root, 1, 1, mf=True)
    tree.add("B0", tree.root, 2, 0, mf=True, acs=(both, both))
    tree.add("B1", tree.root, 2, 1, mf=True, acs=(both, both))
    tree.add("C0", tree.root, 3, 0, mf=True, acs=(both, ACS_RR))
    tree.add("C1", tree.root, 3, 1, mf=True, acs=(both, both))
    tree.add("D0", tree.root, 4, 0, mf=True, acs_quirk="isolated")
    tree.add("D1", tree.root, 4, 1, mf=True, acs_quirk="isolated")
    expected = partition("{A0,A1} {B0} {B1} {C0,C1} {D0} {D1}")
    assert expected == pages(safe_groups(tree.functions))


def test_safe_with_ari_all_functions_of_a_bus_are_one_device() -> None:
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 0, acs=FULL)
    tree["RP"].ari_forwarding = True
    tree.add("F0", below, 0, 0, mf=True)
    tree.add("F8", below, 1, 0, mf=True)
    assert partition("{RP} {F0,F8}") == pages(safe_groups(tree.functions))


def test_safe_one_bar_page() -> None:
    tree = PciTree()
    for name, dev, index, address, size in (
        ("A", 1, 0, 0x1000_0000, 256),
        ("B", 2, 0, 0x1000_0100, 256),
        ("C", 3, 0, 0x1000_1000, 4096),
        ("D", 4, 0, 0x1000_2000, 4096),
    ):
        tree.add(name, tree.root, dev).bars.append(Bar(index, "mem32", False, size, address, address))
    grouping = safe_groups(tree.functions)
    assert partition("{A,B} {C} {D}") == pages(grouping)
    assert "bar-page" in {reason.kind for reason in grouping.groups[0].reasons}


def test_safe_ports_and_unassigned_bars_share_no_page() -> None:
    tree = PciTree()
    for name, dev in (("A", 1), ("B", 2)):
        tree.add(name, tree.root, dev).bars += [Bar(0, "io", False, 32, 0, 0), Bar(1, "mem32", False, 64)]
    assert partition("{A} {B}") == pages(safe_groups(tree.functions))


def test_safe_phantom_functions_collide() -> None:
    tree = PciTree()
    one = tree.add("A", tree.root, 1)
    tree.add("B", tree.root, 1, 4, mf=False, acs=FULL)
    one.acs = FULL
    assert partition("{A} {B}") == pages(safe_groups(tree.functions))
    assert partition("{A,B}") == pages(safe_groups(tree.functions, phantoms={one: [0x0C]}))
