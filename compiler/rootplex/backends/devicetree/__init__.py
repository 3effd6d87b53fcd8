"""The device tree backend: a platform's node tree, and from it the blob and the text.

`device_tree(platform)` is the door.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rootplex.backends.artifact import Artifact, PlaceMap
from rootplex.backends.devicetree.dtb import to_dtb
from rootplex.backends.devicetree.dts import to_dts
from rootplex.backends.devicetree.machine import node_tree
from rootplex.backends.devicetree.tree import Tree, paths, places
from rootplex.model.platform import Platform


class DeviceTree(Struct, frozen=True):
    """A platform's device tree. `nodes` is bridge name → node path, for the bridges that it has."""

    platform: Platform
    tree: Tree
    nodes: Mapping[str, str]
    places: PlaceMap

    def dtb(self) -> Artifact:
        """The blob, `x.dtb`."""
        return Artifact(f"{self.platform.name}.dtb", to_dtb(self.tree), self.places)

    def dts(self) -> Artifact:
        """The text, `x.dts`. Its places are those of the tree: node, property, cell."""
        title = self.platform.title
        heading = self.platform.name if title is None else f"{self.platform.name}: {title}"
        return Artifact(f"{self.platform.name}.dts", to_dts(self.tree, heading).encode(), self.places)


def device_tree(platform: Platform) -> DeviceTree:
    """The device tree of a platform with `dt` among its firmware."""
    tree = node_tree(platform)
    by_key = paths(tree.root)
    names = [bridge.name for bridge in platform.bridges_in("dt")]
    return DeviceTree(platform, tree, {name: by_key[name] for name in names}, places(tree.root))
