"""The folder that QEMU runs in: artifacts, disks, configuration space, the arguments and a script."""

from __future__ import annotations

import shlex

from rootplex.jobs.qemu.boot import PROGRAMS, append
from rootplex.jobs.qemu.preparation import Preparation

SCRIPT, CHANGES = "qemu.sh", "changes.txt"
CONSOLE = ("-display", "none", "-serial", "mon:stdio", "-no-reboot")
"""The machine's serial line where the script was started: with `-nodefaults` there is none by itself."""

_SCRIPT = """\
#!/bin/sh
# {name} under QEMU by {firmware}. Usage: sh qemu.sh KERNEL INITRD [ARGUMENT...]
set -eu
[ $# -ge 2 ] || {{ echo "usage: sh qemu.sh KERNEL INITRD [ARGUMENT...]" >&2; exit 2; }}
kernel=$(realpath "$1")
initrd=$(realpath "$2")
shift 2
cd "$(dirname "$0")"
{before}exec {command} \\
    -kernel "$kernel" -initrd "$initrd" \\
    -append {append} "$@"
"""

_TABLES = """\
# Linux takes tables from an archive in front of the initrd (Documentation/admin-guide/acpi).
both=$(mktemp)
trap 'rm -f "$both"' EXIT
cat acpi-override.cpio "$initrd" > "$both"
initrd=$both
"""


def files(preparation: Preparation) -> dict[str, bytes]:
    """Every file of the folder, by name."""
    made = dict(preparation.files)
    made[SCRIPT] = script(preparation).encode()
    if preparation.changes:
        lines = (f"{change.at}: {change.subject}: {change.text}\n" for change in preparation.changes)
        made[CHANGES] = "".join(lines).encode()
    return made


def script(preparation: Preparation) -> str:
    """A POSIX shell script that starts QEMU on a kernel and an initrd of the user's."""
    words = [PROGRAMS[preparation.platform.arch], *preparation.arguments, *CONSOLE]
    lines = [shlex.quote(word) for word in words]
    if preparation.firmware == "dt":
        lines += ["-dtb", shlex.quote(f"{preparation.platform.name}.dtb")]
    elif preparation.platform.arch == "arm64":
        lines += ["-bios", '"${UEFI:-/usr/share/qemu-efi-aarch64/QEMU_EFI.fd}"']
    text = _SCRIPT.format(
        name=preparation.platform.name,
        firmware="device tree" if preparation.firmware == "dt" else "ACPI",
        before=_TABLES if preparation.firmware == "acpi" else "",
        command=" \\\n    ".join(lines),
        append=shlex.quote(append(preparation)),
    )
    # The shell must stay to take the file away.
    return text.replace("exec ", "", 1) if preparation.firmware == "acpi" else text
