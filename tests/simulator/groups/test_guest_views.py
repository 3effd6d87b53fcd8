"""What a guest's wish meets: linux.md §6.3, §6.4, xen.md §10."""

from __future__ import annotations

from collections.abc import Mapping

from tests.simulator.groups.pci_trees import FULL, PciTree

from rootplex.simulator.firmware.routing.intx import shared_lines
from rootplex.simulator.firmware.routing.routes import (
    Cause,
    FirmwareUnit,
    IntxRoute,
    MsiRoute,
)
from rootplex.simulator.function import Function
from rootplex.simulator.groups.guests import GuestContext, GuestView, Role, guest_views
from rootplex.simulator.groups.linux import linux_groups
from rootplex.simulator.groups.safe import safe_groups
from rootplex.simulator.inputs import GuestWish
from rootplex.source.place import FilePlace

HERE = FilePlace("x.dtb")
UNMAPPED = Cause("not-mapped", "iommu-map", told="no entry covers it")
SMMU = FirmwareUnit("smmu-v2", "/smmu", 0x9050000, HERE)
GIC_ITS = FirmwareUnit("its", "/its", 0x8080000, HERE)


def messages(function: Function) -> MsiRoute:
    return MsiRoute(function, function.rid, GIC_ITS, function.rid, (), None, HERE)


def no_messages(function: Function) -> MsiRoute:
    return MsiRoute(function, function.rid, None, function.rid, (), UNMAPPED, HERE)


def platform(
    tree: PciTree,
    *,
    lines: Mapping[str, int] | None = None,
    roles: Mapping[str, Role] | None = None,
    reach: bool = True,
) -> GuestContext:
    """Everyone has a group; `lines` by name."""
    pins = [
        IntxRoute(tree[name], 1, 1, "/gic", (0, irq, 4), irq, (), None, HERE)
        for name, irq in (lines or {}).items()
    ]
    return GuestContext(
        functions=tree.functions,
        groups=linux_groups(tree.functions),
        safe=safe_groups(tree.functions),
        messages=messages if reach else no_messages,
        lines=shared_lines(pins),
        roles=roles or {},
    )


def view(place: GuestContext, *pages: str) -> GuestView:
    (found,) = guest_views([GuestWish("g", pages)], place)
    return found


def shared_port() -> PciTree:
    """A and B below one open port, with MSI."""
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 1)
    tree.add("A", below, 0, 0, msi=1)
    tree.add("B", below, 0, 1, msi=1)
    return tree


def test_a_port_in_the_group_is_harmless() -> None:
    found = view(platform(shared_port()), "A", "B")
    assert found.whole
    assert found.safe
    assert [("RP", "bridge")] == [(n.function.page, n.harmless) for n in found.neighbours]
    assert () == found.blockers


def test_a_device_left_behind_blocks() -> None:
    found = view(platform(shared_port(), roles={"B": "boot"}), "A")
    assert not found.whole
    assert [("B", None, "boot")] == [(n.function.page, n.owner, n.role) for n in found.blockers]


def test_a_group_split_between_guests() -> None:
    place = platform(shared_port())
    one, other = guest_views([GuestWish("g", ("A",)), GuestWish("h", ("B",))], place)
    assert [("B", "h")] == [(n.function.page, n.owner) for n in one.blockers]
    assert [("A", "g")] == [(n.function.page, n.owner) for n in other.blockers]


def test_a_host_bridge_function_is_harmless() -> None:
    tree = PciTree()
    tree.add("HB", tree.root, 0, 0, type=None, mf=True, class_code=0x060000)
    tree.add("A", tree.root, 0, 1, type=None, mf=True, msi=1)
    found = view(platform(tree), "A")
    assert found.whole
    assert ["host-bridge"] == [n.harmless for n in found.neighbours]


def test_linux_says_whole_where_it_is_not_safe() -> None:
    """LNX-50: ports of a switch without ACS on different device numbers."""
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 0, acs=FULL)
    for bus in tree.switch(below, [("D0", 0, 0, None), ("D1", 3, 0, None)]):
        tree.add(f"E{bus.number}", bus, 0, msi=1)
    found = view(platform(tree), "E3")
    assert found.whole
    assert not found.safe
    assert {"D0", "D1", "E4"} == {n.function.page for n in found.safe_neighbours}


def test_absent_and_wished_ports() -> None:
    found = view(platform(shared_port()), "A", "B", "RP", "ghost")
    assert ("ghost",) == found.absent
    assert ["RP"] == [function.page for function in found.ports]


def test_a_function_without_a_group() -> None:
    tree = shared_port()
    place = platform(tree)
    alone = PciTree()
    lost = alone.add("L", alone.root, 3, msi=1)
    tree.functions.append(lost)
    found = view(place, "L")
    assert (lost,) == found.ungrouped
    assert not found.whole


def lined(**facts: object) -> PciTree:
    tree = PciTree()
    tree.add("A", tree.root, 1, pin=1)
    tree.add("B", tree.root, 5, pin=1)
    for fact, value in facts.items():
        setattr(tree["B"], fact, value)
    return tree


def test_a_line_shared_with_another_owner() -> None:
    lines = {"A": 4, "B": 4}
    (shared,) = view(platform(lined(), lines=lines), "A").shared_lines
    assert [("B", None)] == [(function.page, owner) for function, owner in shared.others]
    assert not shared.excusable
    assert () == view(platform(lined(), lines=lines), "A", "B").shared_lines
    assert () == view(platform(lined(), lines={"A": 4, "B": 5}), "A").shared_lines


def test_a_shared_line_is_excusable_when_all_can_do_without_it() -> None:
    tree = lined(disintx=True)
    (shared,) = view(platform(tree, lines={"A": 4, "B": 4}), "A").shared_lines
    assert not shared.excusable
    tree["A"].msix = 2
    (shared,) = view(platform(tree, lines={"A": 4, "B": 4}), "A").shared_lines
    assert shared.excusable


def test_missing_messages() -> None:
    tree = lined(msi=4)
    (missing,) = view(platform(tree, lines={"A": 4, "B": 4}), "A").without_messages
    assert (tree["A"], False, False) == (missing.function, missing.has_capability, missing.intx)
    (missing,) = view(platform(tree, lines={"A": 4, "B": 5}), "A").without_messages
    assert missing.intx
    assert () == view(platform(tree), "B").without_messages


def test_messages_that_reach_no_controller() -> None:
    (missing,) = view(platform(lined(msi=4), reach=False), "B").without_messages
    assert missing.has_capability
    assert missing.route is not None
    assert UNMAPPED == missing.route.cause
