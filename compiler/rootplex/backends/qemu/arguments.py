"""The command line: machine, processor, memory, IOMMU, root buses, disks and devices.

`-nodefaults` keeps QEMU from adding devices by itself; with it there is no console either, so that
whoever runs QEMU adds `-display none -serial stdio` or the like, and kernel, initrd and device tree.
"""

from __future__ import annotations

from rootplex.backends.artifact import Artifact
from rootplex.backends.qemu.bridges import check_platform
from rootplex.backends.qemu.devices import Devices
from rootplex.backends.qemu.machines import MIB, Abilities, machine_of
from rootplex.backends.qemu.refusals import refusal
from rootplex.model.controllers import DtNode, RiscvIommu
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding
from rootplex.source.rules import QEMU_MACHINE

FILE = "qemu.args"


def arguments(platform: Platform, abilities: Abilities | None = None) -> tuple[Artifact, tuple[Finding, ...]]:
    """`qemu.args`, one argument a line without the program, and what QEMU cannot be told.

    With a finding the arguments are what QEMU can be told. They are empty where it has no such machine.
    """
    made, findings = _arguments(platform, abilities or Abilities())
    argv = [] if made is None else made.argv
    return Artifact(FILE, "".join(f"{each}\n" for each in argv).encode()), findings


def disks(platform: Platform, abilities: Abilities | None = None) -> tuple[str, ...]:
    """The image files that the arguments name, to be made where QEMU runs."""
    made, _ = _arguments(platform, abilities or Abilities())
    return () if made is None else tuple(made.disks)


def _arguments(platform: Platform, abilities: Abilities) -> tuple[Devices | None, tuple[Finding, ...]]:
    machine = machine_of(platform)
    if machine is None:
        reason = refusal(
            QEMU_MACHINE,
            platform.at("platform.base"),
            f"{platform.name} is not a machine of QEMU's",
            note="QEMU's are described with base: qemu-virt, qemu-q35 or qemu-riscv-virt",
            subject=platform.name,
        )
        return None, (reason,)
    translated = any(not _is_function(platform, name) for name in platform.units_named)
    memory = sum(memory.size for memory in platform.memory)
    option = machine.option(iommu=translated, virtualization=platform.virtualization)
    made = Devices(machine, abilities)
    made.argv += ["-nodefaults", "-machine", option, "-cpu", machine.cpu]
    made.argv += ["-m", f"{memory // MIB}M", *machine.more]
    if translated and machine.iommu_device is not None:
        made.argv += ["-device", machine.iommu_device]
    made.add_root_buses(platform.host_bridges)
    return made, (*check_platform(platform, machine), *made.findings)


def _is_function(platform: Platform, name: str) -> bool:
    """Whether an IOMMU is among the devices: a virtio-iommu, a node of the tree alone, or RISC-V's."""
    unit = platform.controller(name)
    return isinstance(unit, DtNode) or (isinstance(unit, RiscvIommu) and unit.parent is not None)
