"""Devices that a description gives by type alone, as QEMU's: which one stands for each, and what differs.

QEMU makes a function whole: its ids, BARs and capabilities are the model's. So a device without a `model`
that is to boot takes all of a model's facts; its name, its place, and what is below it stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rootplex.frontends.description.values import number_of
from rootplex.jobs.qemu.synthetic import Change
from rootplex.known.reader import class_code, model
from rootplex.source.node import Node

BY_TYPE = {
    "root-port": "qemu:pcie-root-port",
    "upstream-port": "qemu:x3130-upstream",
    "downstream-port": "qemu:xio3130-downstream",
    "pcie-to-pci-bridge": "qemu:pcie-pci-bridge",
    "pci-bridge": "qemu:pci-bridge",
}
"""QEMU's device for each type of bridge."""

ENDPOINTS = {
    0x0108: "qemu:nvme",
    0x0100: "qemu:virtio-scsi-pci",
    0x0200: "qemu:e1000e",
    0x0380: "qemu:bochs-display",
    0x0780: "qemu:virtio-serial-pci",
    0x0C03: "qemu:qemu-xhci",
}
CONVENTIONAL = {0x0106: "qemu:ahci", 0x0200: "qemu:e1000", 0x0300: "qemu:vga"}
"""QEMU's device for the base class and subclass of an endpoint, and of a conventional function."""

ANY_ENDPOINT, ANY_CONVENTIONAL = "qemu:e1000e", "qemu:edu"
DEFAULT_CLASS = 0x020000

KEPT = frozenset(
    {"name", "dev", "fn", "type", "multifunction", "present", "slot", "bus", "devices", "properties"}
)
"""What a device keeps of its own beside a model's facts."""


def with_models(document: Node) -> tuple[Node, tuple[Change, ...]]:
    """The description with a model of QEMU's for every device that has none and can have one, and what that
    changes. Devices that QEMU has nothing for stay, and are refused later."""
    changes: list[Change] = []
    bridges = document.get("host_bridges")
    if bridges is None or not isinstance(document.value, Mapping):
        return document, ()
    items = tuple(_below(bridge, changes) for bridge in bridges.items)
    value = {**document.value, "host_bridges": Node(items, bridges.place)}
    return Node(value, document.place, document.keys, document.comment), tuple(changes)


def _below(parent: Node, changes: list[Change]) -> Node:
    """A bridge with what is below it."""
    devices = parent.get("devices")
    if devices is None or not isinstance(parent.value, Mapping):
        return parent
    items = tuple(_below(_device(each, changes), changes) for each in devices.items)
    value = {**parent.value, "devices": Node(items, devices.place)}
    return Node(value, parent.place, parent.keys, parent.comment)


def _device(node: Node, changes: list[Change]) -> Node:
    present = node.get("present")
    absent = present is not None and present.value is False
    if node.get("model") is not None or absent or not isinstance(node.value, Mapping):
        return node
    name = stand_in(node.text("type") or "endpoint", _class_of(node))
    if name is None:
        return node
    kept = {key: value for key, value in node.value.items() if key in KEPT}
    kept["model"] = Node(name, node.place)
    acs = node.get("acs")
    if "acs" in model(name) and (acs is None or acs.value is False):
        kept["acs"] = Node(False, node.place if acs is None else acs.place)
    label = node.text("name") or "a device without a name"
    changes.append(Change(node.place, label, "; ".join((f"as {name}", *_differences(node, name)))))
    return Node(kept, node.place, node.keys, node.comment)


def stand_in(type: str, class_: int) -> str | None:
    """QEMU's model for a type of the language and a class code; None where it has none."""
    if type in BY_TYPE:
        return BY_TYPE[type]
    if type in ("endpoint", "legacy-endpoint", "integrated-endpoint"):
        return ENDPOINTS.get(class_ >> 8, ANY_ENDPOINT)
    if type == "pci":
        return CONVENTIONAL.get(class_ >> 8, ANY_CONVENTIONAL)
    return None


def _differences(node: Node, name: str) -> Iterator[str]:
    """What the author wrote that the model has otherwise."""
    assert isinstance(node.value, Mapping)
    facts = model(name)
    acs = node.get("acs")
    wanted = acs is not None and acs.value is not False
    if wanted and "acs" not in facts:
        yield "without ACS, which it does not have"
    lost = sorted(key for key in node.value if key not in KEPT and key not in ("acs", "class"))
    if lost:
        yield f"with its own {', '.join(lost)}"


def _class_of(node: Node) -> int:
    written = node.get("class")
    if written is None:
        return DEFAULT_CLASS
    number = number_of(written.value)
    try:
        return class_code(str(written.value)) if number is None else number
    except KeyError:
        return DEFAULT_CLASS
