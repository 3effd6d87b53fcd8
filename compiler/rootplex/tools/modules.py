"""A kernel's modules out of Debian's packages, for an initrd: those that are wanted, in the order of loading.

Debian compresses them with xz; `depends=` of a module's `.modinfo` names what must be there before it
(the kernel's include/linux/module.h; scripts/mod/modpost.c:add_depends). `modules.dep` is not in the
packages: depmod makes it where they are installed.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable
from pathlib import Path

from rootplex.tools.runner import ToolError

_LIMIT = 64 << 20
_DEPENDS = re.compile(rb"\0depends=([0-9A-Za-z_,-]+)\0")


def wanted(tree: Path, names: Iterable[str], package: str) -> list[tuple[str, bytes]]:
    """The modules of these names below the unpacked tree of a package, each after those that it needs.

    (name, bytes). ToolError where one is not there, is there twice, or is damaged.
    """
    found: dict[str, bytes] = {}
    for name in names:
        _add(name, tree, package, found)
    return list(found.items())


def _add(name: str, tree: Path, package: str, found: dict[str, bytes]) -> None:
    if name in found:
        return
    data = _read(tree, name, package)
    found[name] = data  # so that what names each other in a circle comes to an end
    depends = _DEPENDS.search(data)
    for needed in depends[1].decode().split(",") if depends else ():
        _add(needed, tree, package, found)
    found[name] = found.pop(name)


def _read(tree: Path, name: str, package: str) -> bytes:
    """Of a name the kernel takes dashes for underscores, and so do its lists of what is needed."""
    pattern = re.sub("[-_]", "[-_]", name)
    files = [path for path in sorted(tree.rglob(f"{pattern}.ko*")) if path.suffix in (".ko", ".xz")]
    if len(files) != 1:
        raise ToolError(f"the package {package} holds {len(files)} modules {name}, not one")
    data = files[0].read_bytes()
    if files[0].suffix == ".ko":
        return data
    try:
        return lzma.LZMADecompressor().decompress(data, _LIMIT)
    except lzma.LZMAError:
        raise ToolError(f"{files[0].name} of the package {package} is a damaged xz file") from None
