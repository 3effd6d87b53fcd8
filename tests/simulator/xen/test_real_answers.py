"""What a real Xen answered to hypercalls and device trees: the simulated one answers the same."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import pytest
from tests.simulator.xen.recorded_machine import Json, Player, lines

from rootplex.readers.tree import Tree

RAM = [[0x4000_0000, 512 << 20]]
TOLD = (
    "linux,pci-domain",
    "status",
    "iommu-map",
    "iommu-map-mask",
    "msi-map",
    "xen,passthrough",
    "bus-range",
)
"""What the trees of Dom0 were compared in."""

FIRST, *SEQUENCES = lines("sequences")
MACHINES: Json = FIRST["machines"]
TREES = list(lines("trees"))
AMD, *FAULTS = lines("faults")
MACHINES |= AMD["machines"]
OTHERS, *ELSEWHERE = lines("machines")
MACHINES |= OTHERS["machines"]


@pytest.mark.parametrize("case", SEQUENCES, ids=lambda case: f"{case['mode']}-{case['name']}")
def test_a_sequence_of_hypercalls(case: Json) -> None:
    player = Player(MACHINES[case["mode"]])
    for number, ((name, fields), answer) in enumerate(zip(case["steps"], case["real"], strict=True)):
        assert player.step(name, fields) == answer, f"step {number}: {name} {fields}"
        if answer == "crash":
            break


@pytest.mark.parametrize("case", ELSEWHERE, ids=lambda case: f"{case['mode']}-{case['name']}")
def test_other_machines(case: Json) -> None:
    """Accesses of a PVH Dom0, and on a Xen built with vPCI for Arm; ZynqMP, R-Car, an SMMUv2."""
    player = Player(MACHINES[case["mode"]])
    for number, ((name, fields), answer) in enumerate(zip(case["steps"], case["real"], strict=True)):
        assert player.step(name, fields) == answer, f"step {number}: {name} {fields}"


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: f"{case['mode']}-{case['name']}")
def test_after_a_failed_call(case: Json) -> None:
    """Directed sequences around memory that Xen frees while it is still linked, and AMD-Vi's ones. Silence
    is a hypercall from which the real Xen did not come back."""
    player = Player(MACHINES[case["mode"]])
    for number, ((name, fields), answer) in enumerate(zip(case["steps"], case["real"], strict=True)):
        simulated = player.step(name, fields)
        if answer == "silence":
            assert simulated == "crash"
            assert player.xen.crash is not None
            assert player.xen.crash.kind == "endless loop"
        else:
            assert simulated == answer, f"step {number}: {name} {fields}"


def hosts(tree: Tree) -> dict[str, dict[str, str]]:
    """Dom0's host bridges, as far as they were compared."""
    return {
        node.path: {name: node.properties[name].hex() for name in TOLD if name in node.properties}
        for node in tree.walk()
        if node.name.startswith("pcie@")
    }


def booted(case: Json) -> Player:
    facts = MACHINES["arm"] | {
        "ram": RAM,
        "dtb": base64.b64encode(zlib.compress(bytes.fromhex(case["dtb"]))).decode(),
        "iommu": "iommu=yes" in case["args"],
        "passthrough": "pci-passthrough=on" in case["args"],
    }
    return Player(facts)


@pytest.mark.parametrize("case", TREES, ids=lambda case: case["name"])
def test_a_device_tree(case: Json) -> None:
    """How the boot ends, which bridges are found, what Dom0 is given, and what its reports answer."""
    player, real = booted(case), case["real"]
    xen = player.xen
    assert (xen.crash is None) == real["booted"]
    assert (xen.crash.kind if xen.crash else None) == (None if real["booted"] else real["crash"])
    found = [
        [one.root.base, one.root.base + one.root.size - 1 & (1 << 64) - 1, one.root.start, one.root.end]
        for one in xen.core.routes.bridges
    ]
    # Xen prints a bridge's window before it sees that its segment does not go with the others.
    last_said = real["windows"][:-1] if real["crash"] == "BUG" and not real["booted"] else real["windows"]
    assert found in (real["windows"], last_said)
    if real["hosts"] is not None:
        assert xen.dom0_tree is not None
        assert hosts(xen.dom0_tree) == real["hosts"]
    answers: list[Any] = [
        player.step(*step) for step, _ in zip(case["steps"][1:], real["answers"], strict=False)
    ]
    assert answers == real["answers"]
