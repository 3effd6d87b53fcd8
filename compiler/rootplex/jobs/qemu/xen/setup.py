"""What `compile --xen` adds: how Xen is started on what was compiled.

| file | what |
|---|---|
| `NAME.xen.dtb` (Arm) | the tree, with both command lines and the places of Dom0's kernel and initrd in `/chosen`; the modules have the most that fits there for their size |
| `xen-override.cpio` (x86) | ACPI tables for Dom0, without DMAR, which Xen keeps for itself |
| `xen.sh` (QEMU's machines) | starts Xen, a kernel and an initrd under QEMU; on Arm it writes the modules' true sizes into its copy of the tree |
"""  # noqa: E501 - a table

from __future__ import annotations

import shlex
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from rootplex.backends.acpi.override import override
from rootplex.backends.artifact import Artifact
from rootplex.backends.qemu import arguments, disks
from rootplex.jobs.qemu.boot import PROGRAMS
from rootplex.jobs.qemu.files import CONSOLE
from rootplex.jobs.qemu.preparation import MIB, TABLES
from rootplex.jobs.qemu.xen.boot import HIDDEN, refuse_without_el2
from rootplex.jobs.qemu.xen.loading import MODULES, Module, chosen, with_processor, xen_words
from rootplex.model.numbers import Region
from rootplex.model.platform import Platform
from rootplex.tools.runner import ToolError

SCRIPT = "xen.sh"
ARCHIVE = "xen-override.cpio"
ARCHES = ("arm64", "arm", "x86_64")
KERNEL = 64 * MIB
"""The most that Dom0's kernel may have; its initrd has what is left of the RAM there, at most as much."""

_HEAD = """\
#!/bin/sh
# {name} under QEMU with Xen. Usage: sh xen.sh XEN KERNEL INITRD [ARGUMENT...]
set -eu
[ $# -ge 3 ] || {{ echo "usage: sh xen.sh XEN KERNEL INITRD [ARGUMENT...]" >&2; exit 2; }}
xen=$(realpath "$1")
kernel=$(realpath "$2")
initrd=$(realpath "$3")
shift 3
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"""

_DISK = """\
dd if=/dev/zero of={file} bs=1048576 count=1 2>/dev/null
"""

_ARM = """\
# size FILE OFFSET MOST: the length of a module, into its cell of the tree
size() {{
    bytes=$(wc -c < "$1")
    [ "$bytes" -le "$3" ] || {{ echo "$1 has $bytes bytes, and there is room for $3" >&2; exit 2; }}
    printf '%b' "$(printf '\\\\0%03o' $((bytes >> 24 & 255)) $((bytes >> 16 & 255)) $((bytes >> 8 & 255)) \\
        $((bytes & 255)))" | dd of=tree.dtb bs=1 seek="$2" conv=notrunc 2>/dev/null
}}
# comma FILE: its name as a value of QEMU's
comma() {{ printf '%s' "$1" | sed 's/,/,,/g'; }}
cp "$here"/{blob} tree.dtb
size "$kernel" {offsets[0]} {sizes[0]}
size "$initrd" {offsets[1]} {sizes[1]}
{command} \\
    -kernel "$xen" -dtb tree.dtb \\
    -device "loader,file=$(comma "$kernel"),addr={places[0]:#x},force-raw=on" \\
    -device "loader,file=$(comma "$initrd"),addr={places[1]:#x},force-raw=on" "$@"
"""

_X86 = """\
# comma FILE: its name as a value of QEMU's
comma() {{ printf '%s' "$1" | sed 's/,/,,/g'; }}
# Linux takes tables from an archive in front of the initrd (Documentation/admin-guide/acpi).
cat "$here"/{archive} "$initrd" > both
{command} \\
    -kernel "$xen" -append {xen} \\
    -initrd "$(comma "$kernel") "{dom0}",both" "$@"
"""


def setup(platform: Platform, compiled: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files, by name. ToolError where no Xen can be started on this description."""
    if platform.hypervisor is None:
        raise ToolError(f"{platform.name} is without Xen")
    if platform.arch not in ARCHES:
        raise ToolError(f"there is no Xen to start for {platform.arch} (there is for {', '.join(ARCHES)})")
    if not platform.memory:
        raise ToolError(f"{platform.name} says of no memory, in which Dom0 is to be loaded")
    dom0 = " ".join(("console=hvc0", *(platform.bootargs or "").split()))
    if platform.arch == "x86_64":
        return _x86(platform, compiled, dom0)
    if "dt" not in platform.firmware:
        raise ToolError(f"{platform.name} has no device tree, by which Xen is started on Arm")
    return _arm(platform, compiled[f"{platform.name}.dtb"], dom0)


def slots(platform: Platform) -> tuple[Module, Module]:
    """Where Dom0's kernel and its initrd are loaded, with the most that fits there; ToolError for too little
    RAM."""
    ram = platform.memory[0]
    at = ram.base + MODULES
    room = min(ram.base + ram.size - at - KERNEL, KERNEL)
    if room <= 0:
        raise ToolError(f"Dom0's kernel and initrd do not fit into the RAM at {ram.base:#x}")
    kernel = Module("kernel", Region(at, KERNEL), Path("kernel"))
    return kernel, Module("ramdisk", Region(at + KERNEL, room), Path("initrd"))


def _arm(platform: Platform, tree: bytes, dom0: str) -> dict[str, bytes]:
    parts = slots(platform)
    name = f"{platform.name}.xen.dtb"
    blob = chosen(tree, parts, xen_words(platform), dom0)
    made = {name: blob}
    if platform.base != "none":
        refuse_without_el2(platform)
        text = _ARM.format(
            blob=shlex.quote(name),
            offsets=[_size_offset(blob, part.at) for part in parts],
            sizes=[part.at.size for part in parts],
            places=[part.at.base for part in parts],
            command=_command(platform, _arguments(platform)),
        )
        made[SCRIPT] = _script(platform, text)
    return made


def _size_offset(blob: bytes, region: Region) -> int:
    """Where the last cell of a module's `reg` lies in the blob: of its size of two cells the low one."""
    reg = struct.pack(">QQ", region.base, region.size)
    assert blob.count(reg) == 1
    return blob.index(reg) + 12


def _x86(platform: Platform, compiled: Mapping[str, bytes], dom0: str) -> dict[str, bytes]:
    tables = (name for name in TABLES if name in compiled and name != HIDDEN)
    made = {ARCHIVE: override(Artifact(name, compiled[name]) for name in tables).data}
    if platform.base != "none":
        text = _X86.format(
            archive=ARCHIVE,
            xen=shlex.quote(xen_words(platform)),
            dom0=shlex.quote(dom0.replace(",", ",,")),
            command=_command(platform, with_processor(_arguments(platform))),
        )
        made[SCRIPT] = _script(platform, text)
    return made


def _arguments(platform: Platform) -> list[str]:
    artifact, _ = arguments(platform)
    return artifact.data.decode().splitlines()


def _command(platform: Platform, argv: Sequence[str]) -> str:
    words = [PROGRAMS[platform.arch], *argv, *CONSOLE]
    return " \\\n    ".join(shlex.quote(word) for word in words)


def _script(platform: Platform, text: str) -> bytes:
    made = "".join(_DISK.format(file=shlex.quote(file)) for file in disks(platform))
    return (_HEAD.format(name=platform.name) + made + text).encode()
