"""Node tree → flattened device tree blob, through `fdt`."""

from __future__ import annotations

import struct
from typing import Any

import fdt

from rootplex.backends.devicetree.tree import Node, Property, Ref, Tree

_VERSION, _COMPATIBLE_VERSION = 17, 16
"""Of the format (Devicetree Specification 0.4, §5.2)."""


def to_dtb(tree: Tree) -> bytes:
    """The blob. Values are encoded here and handed over as bytes, so that no type is guessed."""
    blob = fdt.FDT(header=fdt.Header(), entries=[])  # its default list is one for all trees
    blob.root = _node(tree.root, tree)
    data: bytes = blob.to_dtb(version=_VERSION, last_comp_version=_COMPATIBLE_VERSION, boot_cpuid_phys=0)
    return data


def _node(node: Node, tree: Tree) -> Any:
    out = fdt.Node(node.name)
    for each in node.properties:
        out.append(fdt.PropBytes(each.name, data=_encoded(each, tree)))
    phandle = tree.phandles.get(node.key or "")
    if phandle is not None:
        out.append(fdt.PropBytes("phandle", data=struct.pack(">I", phandle)))
    # not `append`: it looks through all siblings for the name, and `tree` has made names distinct
    out.nodes.extend(_node(child, tree) for child in node.children)
    return out


def _encoded(each: Property, tree: Tree) -> bytes:
    """The property's value: cells big-endian, strings each with a NUL behind."""
    out = bytearray()
    for part in each.value:
        if isinstance(part, str):
            out += part.encode() + b"\0"
            continue
        for cell in part:
            number = tree.phandles[cell.value.key] if isinstance(cell.value, Ref) else cell.value
            out += struct.pack(">I", number)
    return bytes(out)
