"""The initramfs of a boot: busybox, `/init`, the capture script; ACPI tables in front.

`/init` loads the kernel's modules, switches on the virtual functions that are wanted, runs the script, then
says what stands at the start of each NVMe disk (the proof that DMA and interrupts work on that host bridge),
prints `MARK`, and powers off. The kernel's own messages are kept off the console meanwhile. Replacement
tables go in an uncompressed archive in front, where the kernel looks for them before it unpacks anything (its
Documentation/admin-guide/acpi/initrd_table_override.rst): one takes the place of the firmware's only where
signature, OEM id and OEM table id match and the OEM revision is greater; else it is added.
"""

from __future__ import annotations

import gzip
import re
import stat
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from rootplex.tools import cpio

MARK = "rootplex: boot ends"
"""The last line that `/init` prints."""

_DISK = re.compile(r"rootplex: disk (?P<sbdf>[0-9a-f:.]+) (?P<name>\w+)(?P<hex>[0-9a-f ]*)\s*$", re.MULTILINE)

# Every applet is called through busybox itself: no links, no PATH.
_INIT = f"""#!/bin/busybox sh
busybox mkdir -p /proc /sys /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
echo 1 > /proc/sys/kernel/printk
for module in /modules/*; do
    [ ! -e "$module" ] || busybox insmod "$module"
done
# A virtio-iommu (device 23 of virtio) makes groups while it is probed, and Linux 7.2 does not wait for that:
# until none has come for a second, in 10 s at the latest.
if busybox grep -q 0x0017 /sys/bus/virtio/devices/*/device 2>/dev/null; then
    tries=0 last=-1 same=0
    while [ $tries -lt 100 ] && [ $same -lt 10 ]; do
        count=$(echo /sys/kernel/iommu_groups/* | busybox wc -w)
        same=$((count == last ? same + 1 : 0)) last=$count tries=$((tries + 1))
        busybox usleep 100000
    done
fi
busybox sh /virtual.sh
busybox sh /snapshot.sh --offer-drivers
# Drivers are bound a moment after they were offered, each by itself: in 2 s at the latest.
tries=0
while [ $tries -lt 20 ]; do
    wanted=$(busybox grep -l '^0x0108' /sys/bus/pci/devices/*/class 2>/dev/null | busybox wc -l)
    bound=$(busybox grep -l '^0x0108' /sys/bus/pci/drivers/nvme/*:*/class 2>/dev/null | busybox wc -l)
    [ "$bound" -lt "$wanted" ] || break
    tries=$((tries + 1))
    busybox usleep 100000
done
# A namespace comes up a moment after its controller was bound, and its node after it: in 30 s at the latest.
# A read that fails can take as long, so there are three at most.
for function in /sys/bus/pci/drivers/nvme/*:*; do
    [ -e "$function" ] || continue
    tries=0
    while [ $tries -lt 300 ]; do
        for disk in "$function"/nvme/nvme*/nvme*n1; do
            [ -e "$disk" ] || continue
            name=${{disk##*/}}
            # The disk of a subsystem has another name than the way to it.
            case $name in *c*) name=${{name%c*}}n1 ;; esac
            start=$(busybox dd if=/dev/$name bs=64 count=1 2>/dev/null | busybox od -An -v -tx1)
            tries=$((tries + 100))
            [ -n "$start" ] || [ $tries -ge 300 ] || continue
            echo "rootplex: disk ${{function##*/}} $name" $start
            tries=300
        done
        tries=$((tries + 1))
        [ $tries -ge 300 ] || busybox usleep 100000
    done
done
echo "{MARK}"
"""
_VIRTUAL = """\
while read sbdf count; do
    function=/sys/bus/pci/devices/$sbdf
    # The driver of a disk comes a moment later, if it does.
    tries=0
    while busybox grep -q '^0x0108' "$function/class" && [ ! -e "$function/driver" ] && [ $tries -lt 10 ]; do
        tries=$((tries + 1))
        busybox usleep 100000
    done
    if [ ! -e "$function/driver" ]; then
        echo pci-pf-stub > "$function/driver_override"
        echo "$sbdf" > /sys/bus/pci/drivers_probe
    fi
    # Nobody drives the virtual ones: their own driver would wait for what is not there.
    echo 0 > "$function/sriov_drivers_autoprobe"
    echo "$count" > "$function/sriov_numvfs"
done < /virtual
"""
_THEN_OFF, _THEN_STAY = "busybox poweroff -f\n", "exec busybox sleep 86400\n"


def image(
    busybox: bytes,
    script: str,
    tables: Sequence[tuple[str, bytes]] = (),
    *,
    modules: Sequence[tuple[str, bytes]] = (),
    virtual: Mapping[str, int] = MappingProxyType({}),
    stays: bool = False,
) -> bytes:
    """The initrd file. `busybox` is a static one for the booted kernel's architecture, `script`
    the capture script, `tables` the file names and bytes of ACPI tables that replace the firmware's.
    `modules` (file name and bytes) are loaded in the order of their names, and `virtual` tells by SBDF of a
    physical function how many virtual ones are switched on. Where it `stays`, the machine runs on at the end,
    for whoever asks the hypervisor below it. The same input gives the same bytes.
    """
    wanted = "".join(f"{sbdf} {count}\n" for sbdf, count in virtual.items())
    root = cpio.pack(
        [
            cpio.Entry("bin/busybox", busybox, stat.S_IFREG | 0o755),
            cpio.Entry("init", (_INIT + (_THEN_STAY if stays else _THEN_OFF)).encode(), stat.S_IFREG | 0o755),
            *(cpio.Entry(f"modules/{name}", data) for name, data in modules),
            cpio.Entry("snapshot.sh", script.encode()),
            cpio.Entry("virtual", wanted.encode()),
            cpio.Entry("virtual.sh", _VIRTUAL.encode()),
        ]
    )
    front = override(tables) if tables else b""
    return front + gzip.compress(root, compresslevel=6, mtime=0)


def override(tables: Sequence[tuple[str, bytes]]) -> bytes:
    """ACPI tables, (file name, bytes), as the archive that Linux takes replacements from."""
    return cpio.archive([(f"kernel/firmware/acpi/{name}", data) for name, data in tables])


def disks(console: str) -> dict[str, bytes]:
    """What `/init` read from each NVMe disk: SBDF to the first 64 bytes, none where reading failed."""
    return {match["sbdf"]: bytes.fromhex(match["hex"]) for match in _DISK.finditer(console)}
