"""The forms by which devices are given to a guest: command lines, files, commands. Pure text of a plan.

Sources: Xen docs/man/xl-pci-configuration.5.pod, xl.cfg.5.pod and xl.1.pod,
docs/misc/xen-command-line.pandoc, docs/misc/arm/device-tree/booting.txt; Linux
drivers/xen/xen-pciback/pci_stub.c (pcistub_init); libvirt docs/formatdomain
(hostdev); QEMU docs/system/devices/vfio.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.jobs.plan.result import GuestPlan, Handed, Plan

What: TypeAlias = Literal[
    "xen-command-line", "host-command-line", "host-commands", "xl-config", "dom0less-node",
    "libvirt-xml", "qemu-arguments",
]  # fmt: skip


class Form(Struct, frozen=True, kw_only=True):
    """A piece of text and where it goes. `why` says what it is for; `instead` that it does what the one
    before it does, another way."""

    what: What
    why: str
    text: str
    instead: bool = False


def forms(plan: Plan, guest: GuestPlan) -> tuple[Form, ...]:
    """The forms for a guest without obstacles, in the order in which they are used."""
    if plan.hypervisor == "xen":
        return tuple(_xen(plan, guest))
    return tuple(_kvm(plan, guest))


def _sbdfs(guest: GuestPlan) -> list[str]:
    return [each.function.sbdf for each in guest.devices]


def _xen(plan: Plan, guest: GuestPlan) -> Iterator[Form]:
    options = [f"pci-phantom={_slot(each)},{each.phantom}" for each in guest.devices if each.phantom]
    if plan.arch != "x86_64":
        options.insert(0, "pci-passthrough=on")
    if options:
        why = "to Xen's command line"
        why += ": the devices use ids beside their own" if any(each.phantom for each in guest.devices) else ""
        yield Form(what="xen-command-line", why=why, text=" ".join(options))
    yield from _vfs(guest, "Dom0")
    sbdfs = _sbdfs(guest)
    commands = "\n".join(f"xl pci-assignable-add {sbdf}" for sbdf in sbdfs)
    yield Form(what="host-commands", why="in Dom0, before the guest starts", text=commands)
    if not any(each.physfn for each in guest.devices):
        yield Form(
            what="host-command-line",
            why="or on the command line of Dom0's kernel, where xen-pciback is built in: from boot on",
            text="xen-pciback.hide=" + "".join(f"({sbdf})" for sbdf in sbdfs),
            instead=True,
        )
    yield Form(what="xl-config", why=f"in the guest's {guest.name}.cfg", text=_xl(plan, guest))
    if plan.arch == "arm64" and plan.firmware == "dt":
        yield Form(
            what="dom0less-node",
            why="or, where Xen itself starts the guest, in the host's device tree, so that it may have "
            "devices; which ones no property of today's Xen says",
            text=_dom0less(guest),
            instead=True,
        )


def _xl(plan: Plan, guest: GuestPlan) -> str:
    lines = []
    if any(each.reserved for each in guest.devices):
        lines.append('rdm = "strategy=host"')  # libxlu takes no policy behind it
    specs = ", ".join(
        f'"{each.function.sbdf}{",rdm_policy=strict" if each.reserved else ""}"' for each in guest.devices
    )
    return "\n".join((*lines, f"pci = [ {specs} ]"))


def _slot(handed: Handed) -> str:
    return handed.function.sbdf.partition(".")[0]


def _dom0less(guest: GuestPlan) -> str:
    return f"""\
/dts-v1/;
/ {{
	chosen {{
		{guest.name} {{
			compatible = "xen,domain";
			#address-cells = <2>;
			#size-cells = <2>;
			cpus = <1>;
			memory = <0x0 0x40000>;	/* KiB */
			passthrough = "enabled";
		}};
	}};
}};"""


def _vfs(guest: GuestPlan, where: str) -> Iterator[Form]:
    """Virtual functions must be there before they can be given."""
    owners = {each.physfn: each.vfs for each in guest.devices if each.physfn is not None}
    if owners:
        lines = (f"echo {count} > /sys/bus/pci/devices/{sbdf}/sriov_numvfs" for sbdf, count in owners.items())
        yield Form(
            what="host-commands",
            why=f"in {where}, first: enable the virtual functions",
            text="\n".join(lines),
        )


def _kvm(plan: Plan, guest: GuestPlan) -> Iterator[Form]:
    if "vt-d" in plan.translated_by:
        yield Form(
            what="host-command-line",
            why="on the host's kernel command line, unless the kernel has it on by default",
            text="intel_iommu=on",
        )
    yield from _vfs(guest, "the host")
    sbdfs = _sbdfs(guest)
    yield Form(
        what="libvirt-xml",
        why="with libvirt, in <devices> of the guest; it takes them from the host's drivers itself",
        text="\n".join(map(_hostdev, sbdfs)),
    )
    yield Form(
        what="host-commands",
        why="or without it, on the host; it lasts over a boot",
        text="\n".join(f"driverctl set-override {sbdf} vfio-pci" for sbdf in sbdfs),
        instead=True,
    )
    yield Form(
        what="qemu-arguments",
        why="and then in QEMU's arguments",
        text="\n".join(f"-device vfio-pci,host={sbdf}" for sbdf in sbdfs),
        instead=True,
    )


def _hostdev(sbdf: str) -> str:
    segment, bus, rest = sbdf.split(":")
    slot, _, function = rest.partition(".")
    return f"""\
<hostdev mode="subsystem" type="pci" managed="yes">
  <source>
    <address domain="0x{segment}" bus="0x{bus}" slot="0x{slot}" function="0x{function}"/>
  </source>
</hostdev>"""
