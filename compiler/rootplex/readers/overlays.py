"""Overlays on a device tree, through `fdtoverlay` (Linux Documentation/devicetree/overlay-notes.rst).

What each of them has changed is told beside the tree, so that a finding can name the file to mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from rootplex.readers.dtb import read_dtb
from rootplex.readers.tree import DtNode, Tree
from rootplex.source.finding import Unreadable, unreadable
from rootplex.tools.runner import TooSlowError, private_folder, run

SECONDS = 8.0
LIMIT = 64
"""Overlays on one tree."""

Origins: TypeAlias = dict[tuple[str, str | None], str]
"""The file that has last set a property of a node, or that made the node (None), where that is an overlay."""


def is_overlay(tree: Tree) -> bool:
    """Whether a tree is one of fragments, to be applied to another."""
    return any(_content(fragment) is not None for fragment in tree.root.children)


def with_overlays(base: bytes, file: str, overlays: Sequence[tuple[str, bytes]]) -> tuple[Tree, Origins]:
    """The tree with overlays (name, blob) applied in their order, and what came from which of them.

    An overlay may have a label of its own at a node of the base, and so a second phandle for it: both lead
    there, whichever of them libfdt keeps (the base's, where it has `overlay_prevent_phandle_overwrite`).

    Unreadable at the overlay: it is none, or cannot be applied. ToolError where `fdtoverlay` is missing.
    """
    if len(overlays) > LIMIT:
        raise unreadable(file, f"more than {LIMIT} overlays")
    origins: Origins = {}
    tree = read_dtb(base, file)
    for name, blob in overlays:
        overlay = read_dtb(blob, name)
        if not is_overlay(overlay):
            raise unreadable(name, "not an overlay: no node of it has a node __overlay__")
        _refuse_without_target(tree, overlay)
        base = _applied(base, blob, name)
        after = read_dtb(base, file)
        for path, node in after.by_path.items():
            known = tree.by_path.get(path)
            if known is None:
                origins[path, None] = name
            before = {} if known is None else known.properties
            for key, value in node.properties.items():
                if before.get(key) != value:
                    origins[path, key] = name
        for number, node in tree.by_phandle.items():
            if number not in after.by_phandle and node.path in after.by_path:
                after.by_phandle[number] = after.by_path[node.path]
        tree = after
    return tree, origins


def _applied(base: bytes, overlay: bytes, name: str) -> bytes:
    with private_folder() as folder:
        (folder / "base.dtb").write_bytes(base)
        (folder / "overlay.dtbo").write_bytes(overlay)
        argv = ["fdtoverlay", "-i", "base.dtb", "-o", "out.dtb", "overlay.dtbo"]
        try:
            outcome = run(argv, cwd=folder, seconds=SECONDS)
        except TooSlowError as error:
            raise unreadable(name, str(error)) from None
        made = folder / "out.dtb"
        if outcome.status == 0 and made.is_file():
            return made.read_bytes()
    said = outcome.stderr.strip().splitlines()
    why = said[0].rpartition(": ")[2] if said else "refused without saying why"
    raise unreadable(name, f"fdtoverlay: it cannot be applied: {why}")


def _refuse_without_target(base: Tree, overlay: Tree) -> None:
    """Unreadable where a fragment is for a label or a node that the base does not have."""
    fixups = overlay.by_path.get("/__fixups__")
    for label in () if fixups is None else fixups.properties:
        if label not in base.labels:
            raise _no_label(base, overlay, label)
    for fragment in overlay.root.children:
        path = fragment.string("target-path")
        if _content(fragment) is not None and path is not None and base.find(path) is None:
            place = overlay.place(fragment, "target-path")
            raise unreadable(place, f"the base has no node {path}, which is to be changed")


def _no_label(base: Tree, overlay: Tree, label: str) -> Unreadable:
    place = overlay.place("/__fixups__", label)
    if base.labels:
        return unreadable(place, f"the base has no label {label}")
    return unreadable(
        place,
        f"the base tells no labels, and {label} is one",
        help="compile the base with `dtc -@`, or give its source",
    )


def _content(fragment: DtNode) -> DtNode | None:
    return next((each for each in fragment.children if each.name == "__overlay__"), None)
