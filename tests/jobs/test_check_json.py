"""The JSON of `check` has the keys that the design's page fixes, in their order, with its words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rootplex.jobs.check import check_text
from rootplex.jobs.settings import RunOptions
from rootplex.report.json_form import render

# Written from the design's page, key by key.
TOP = [
    "rootplex", "file", "platform", "dom0", "firmware", "hypervisor", "verdict", "not_known", "findings",
    "bridges", "devices", "groups", "safe", "xen", "boot",
]  # fmt: skip
BRIDGE = [
    "name",
    "enabled",
    "segment",
    "bus_range",
    "ecam",
    "windows",
    "numbers",
    "in_mcfg",
    "registered",
    "dma",
]
NUMBERS = ["dt", "mcfg", "seg", "iort", "xen", "dom0"]
WINDOW = ["space", "prefetchable", "pci", "cpu", "size"]
DEVICE = [
    "sbdf", "name", "parent", "vendor", "device", "subsystem", "revision", "class", "header", "bus", "type",
    "physfn", "acs", "group", "group_at_boot", "stream", "msi", "intx", "aliases", "bars", "guest",
]  # fmt: skip
BAR = ["index", "space", "base", "pci", "size"]


@pytest.fixture(scope="module", params=["dt", "acpi"])
def answer(request: pytest.FixtureRequest, checkout: Path) -> Any:
    """`check` of a bundled topology by one firmware."""
    data = (checkout / "topologies" / "qemu-virt.yaml").read_bytes()
    return json.loads(render((check_text(data, "qemu-virt.yaml", RunOptions(firmware=request.param)),)))


def test_keys(answer: dict[str, Any]) -> None:
    assert list(answer) == TOP
    bridge = answer["bridges"][0]
    assert list(bridge) == BRIDGE
    assert list(bridge["numbers"]) == NUMBERS
    assert list(bridge["windows"][0]) == WINDOW
    assert list(bridge["ecam"]) == ["base", "size"]
    assert all(list(device) == DEVICE for device in answer["devices"])
    assert list(answer["devices"][3]["bars"][0]) == BAR
    assert list(answer["groups"][0]) == ["id", "members", "guest", "why"]
    assert list(answer["xen"]) == ["groups", "outcome", "hypercalls", "version"]
    assert list(answer["boot"]) == ["device", "sbdf", "reachable_by"]


def test_controllers_go_by_their_names(answer: dict[str, Any]) -> None:
    """The disk below the port at 00:02.0: INTA, turned by two, is SPI 5 of the `virt` machine."""
    disk = next(device for device in answer["devices"] if device["name"] == "disk")
    assert disk["intx"] == {"pin": "A", "controller": "gic", "irq": 5}
    assert disk["stream"] == {"unit": "smmu", "id": 0x100}
    assert disk["msi"] == {"controller": "its", "id": 0x100}


@pytest.mark.parametrize(
    ("described", "asked", "version"),
    [
        ("", None, "xen-unstable"),
        ("  version: xen-4.17\n", None, "xen-4.17"),
        ("  version: xen-4.17\n", "xen-4.20", "xen-4.20"),
    ],
)
def test_which_xen(checkout: Path, described: str, asked: str | None, version: str) -> None:
    """The command line's, else the description's, else the reference's."""
    text = (checkout / "topologies" / "q35.yaml").read_text(encoding="utf-8")
    described_so = text.replace("\nxen:\n", f"\nxen:\n{described}")
    result = check_text(described_so.encode(), "q35.yaml", RunOptions(xen=asked))
    assert json.loads(render((result,)))["xen"]["version"] == version
