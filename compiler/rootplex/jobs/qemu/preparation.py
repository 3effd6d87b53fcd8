"""Everything that a boot of a description needs, and what is expected to be seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.artifact import Compiled
from rootplex.backends.compilation import compile_platform
from rootplex.backends.qemu import Abilities, arguments, disks
from rootplex.backends.qemu.arguments import FILE
from rootplex.backends.qemu.machines import machine_of
from rootplex.backends.refusal import CannotCompile
from rootplex.formats.acpi import TABLES as FIXED_TABLES
from rootplex.frontends.description.reading import description_of
from rootplex.jobs.describe import Checked
from rootplex.jobs.qemu.generic import with_models
from rootplex.jobs.qemu.memory import stretches
from rootplex.jobs.qemu.seen import Seen, simulated
from rootplex.jobs.qemu.synthetic import Change, synthetic
from rootplex.jobs.readback import artifacts_of, read_acpi, read_dt
from rootplex.jobs.settings import RunOptions, settings_of
from rootplex.known.kernels import profile
from rootplex.known.reader import model
from rootplex.model.bridge import Firmware
from rootplex.model.controllers import AmdIommu, IntelVtd, RiscvIommu, SmmuV2, SmmuV3
from rootplex.model.platform import Platform
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.boots.run import simulate
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware
from rootplex.simulator.inputs import Artifacts
from rootplex.source.finding import Finding
from rootplex.source.rules import QEMU_MACHINE

MIB = 1 << 20
DISK_MODEL = "nvme"
TABLES = ("dsdt.aml", *(f"{name.lower()}.aml" for name in FIXED_TABLES), "ssdt.aml")


class Preparation(Struct, frozen=True, kw_only=True):
    """One description made ready for one kernel and one firmware.

    `platform` is what is booted, `arguments` QEMU's without kernel and console, `files` what they name and
    the artifacts. `append` are words for the kernel's command line. `expected` is the simulation's view,
    `own` the functions QEMU adds (SBDF to ids), `disks` the marker at the start of each NVMe disk by SBDF.
    `virtual` says how many VFs are switched on, by the SBDF of their PF. `described` are the groups of the
    machine as it is described, `because` why it is another one that boots.
    """

    platform: Platform
    firmware: Firmware
    profile: str
    synthetic: bool
    changes: tuple[Change, ...]
    compiled: Compiled
    arguments: tuple[str, ...]
    append: tuple[str, ...]
    files: Mapping[str, bytes]
    expected: Seen
    names: Mapping[str, str]
    own: Mapping[str, str]
    disks: Mapping[str, bytes]
    virtual: Mapping[str, int]
    described: frozenset[frozenset[str]]
    because: str

    @property
    def tables(self) -> tuple[tuple[str, bytes], ...]:
        """The ACPI tables in place of QEMU's; none with a device tree."""
        if self.firmware == "dt":
            return ()
        return tuple((name, self.files[name]) for name in TABLES if name in self.files)


def on_qemu(checked: Checked, *, in_memory: bool) -> tuple[Platform, tuple[Change, ...]]:
    """The platform that QEMU is to have: `in_memory` as it is described, else with a model of QEMU's for each
    device that has none; and what that changes."""
    assert checked.platform is not None
    if in_memory:
        return checked.platform, ()
    document, changes = with_models(checked.document)
    if not changes:
        return checked.platform, ()
    platform = description_of(document, checked.platform.file).platform
    assert platform is not None
    return platform, changes


def prepare(
    platform: Platform,
    firmware: Firmware,
    kernel: str,
    *,
    in_memory: bool = False,
    several_smmus: bool = False,
    abilities: Abilities | None = None,
    described: Platform | None = None,
    changes: tuple[Change, ...] = (),
) -> Preparation:
    """The description on QEMU's own devices, or `in_memory` as configuration space in guest memory.

    `kernel` names the profile that is simulated, `several_smmus` tells that this QEMU has more than one
    SMMU, `abilities` which devices it has (None: those of the oldest known), `changes` what the platform has
    otherwise than `described`. CannotCompile where QEMU cannot be told of it, or a backend refuses; the
    findings have places and reasons.
    """
    refuse_impossible(platform, firmware, in_memory=in_memory, abilities=abilities)
    if in_memory:
        version = None if abilities is None else abilities.version
        return _in_memory(platform, firmware, kernel, several_smmus=several_smmus, version=version)
    return _direct(platform, firmware, kernel, described or platform, changes, abilities)


def refuse_impossible(
    platform: Platform, firmware: Firmware, *, in_memory: bool, abilities: Abilities | None = None
) -> None:
    """CannotCompile where QEMU cannot be told of the description in this way."""
    if firmware not in platform.firmware:
        raise CannotCompile((_no_firmware(platform, firmware),))
    if firmware == "acpi" and platform.arch == "riscv64":
        raise CannotCompile((_no_riscv_acpi(platform),))
    if in_memory:
        synthetic(platform, firmware)
        return
    _, findings = arguments(platform, abilities)
    if findings:
        raise CannotCompile(findings)


def refuse_boot(platform: Platform, abilities: Abilities) -> None:
    """CannotCompile where the kernel would not come to its end on the QEMU at hand."""
    if platform.aia != "aplic-imsic" or abilities.has(IMSIC_SINCE):
        return
    version = ".".join(map(str, abilities.version))
    finding = QEMU_MACHINE.finding(
        platform.at("aia"),
        f"Linux hangs on the IMSIC of QEMU {version}",
        notes=(f"with 7.2 no interrupt comes to the console; {IMSIC_SINCE} is known to work",),
        help=f"use QEMU {IMSIC_SINCE} or later, or write 'aia: none'",
        subject=platform.name,
    )
    raise CannotCompile((finding,))


IMSIC_SINCE = "10.0"
"""The oldest QEMU whose IMSIC is known to work."""


def _no_firmware(platform: Platform, firmware: Firmware) -> Finding:
    return QEMU_MACHINE.finding(
        platform.at("platform.firmware"),
        f"{platform.name} is not compiled for {'ACPI' if firmware == 'acpi' else 'device tree'}",
        subject=platform.name,
    )


def _no_riscv_acpi(platform: Platform) -> Finding:
    return QEMU_MACHINE.finding(
        platform.at("platform.firmware"),
        f"{platform.name} is booted by device tree: a boot by ACPI is not supported on riscv64",
        notes=("a riscv64 kernel takes no tables out of its initrd",),
        help="leave --acpi out, and let 'firmware' have dt",
        subject=platform.name,
    )


def _direct(
    platform: Platform,
    firmware: Firmware,
    kernel: str,
    described: Platform,
    changes: tuple[Change, ...],
    abilities: Abilities | None,
) -> Preparation:
    artifact, _ = arguments(platform, abilities)
    compiled = compile_platform(platform)
    booted = _boot(platform, compiled, firmware, kernel)
    markers = _markers(platform, compiled)
    return Preparation(
        platform=platform,
        firmware=firmware,
        profile=kernel,
        synthetic=False,
        changes=changes,
        compiled=compiled,
        arguments=tuple(artifact.data.decode().splitlines()),
        append=_append(platform),
        files={**compiled.files, **{file: data for _, file, data in markers}},
        expected=simulated(booted),
        names=_names(platform, compiled, booted),
        own=_own(platform),
        disks=_at(booted, {page: data for page, file, data in markers if page}),
        virtual=_virtual(booted),
        described=_groups(described, firmware, kernel) if changes else frozenset(),
        because="QEMU's devices stand in, as the changes above say",
    )


def _in_memory(
    platform: Platform,
    firmware: Firmware,
    kernel: str,
    *,
    several_smmus: bool,
    version: tuple[int, int] | None,
) -> Preparation:
    made = synthetic(platform, firmware, several_smmus=several_smmus, version=version)
    compiled = compile_platform(made.platform)
    booted = _boot(made.platform, compiled, firmware, kernel, ports_taken=True)
    by_ports = tuple(_by_ports(made.platform, compiled, booted))
    if by_ports:
        raise CannotCompile(by_ports)
    assert booted.hardware is not None
    loaded = stretches(artifacts_of(compiled), booted.hardware, booted.dom0.functions)
    machine = machine_of(made.platform)
    assert machine is not None, made.platform.base
    several = len(made.platform.iommus) > 1
    option = machine.option(
        *made.machine.machine_options,
        iommu=bool(made.platform.iommus) and not several,
        virtualization=made.platform.virtualization,
    )
    memory = made.machine.memory(made.end)
    argv = ["-nodefaults", "-machine", option, "-cpu", machine.cpu]
    argv += ["-m", f"{memory // MIB}M", *machine.more]
    if made.platform.iommus and made.machine.iommu_device is not None:
        argv += ["-device", made.machine.iommu_device]
    for index in range(len(made.platform.iommus) if several else 0):
        bus = f"smmubus{index}" if index else "pcie.0"
        if index:
            argv += ["-device", f"pxb-pcie,id={bus},bus_nr={0x100 - 8 * index},bus=pcie.0"]
        argv += ["-device", f"arm-smmuv3,primary-bus={bus}"]
    for each in loaded:
        argv += ["-device", f"loader,file={each.file},addr={each.address:#x},force-raw=on"]
    text = "".join(f"{argument}\n" for argument in argv).encode()
    return Preparation(
        platform=made.platform,
        firmware=firmware,
        profile=kernel,
        synthetic=True,
        changes=made.changes,
        compiled=compiled,
        arguments=tuple(argv),
        append=(*made.machine.words(made.end), *_append(platform)),
        files={**compiled.files, FILE: text, **{each.file: each.data for each in loaded}},
        expected=simulated(booted),
        names=_names(made.platform, compiled, booted),
        own={},
        disks={},
        virtual=_virtual(booted),
        described=_groups(platform, firmware, kernel),
        because=_because(platform, made.platform),
    )


def _groups(platform: Platform, firmware: Firmware, kernel: str) -> frozenset[frozenset[str]]:
    """The groups of the machine as it is described, simulated by the same kernel."""
    compiled = compile_platform(platform, simulated_only=True)
    return simulated(_boot(platform, compiled, firmware, kernel)).groups


_KINDS: dict[type, str] = {
    SmmuV3: "SMMUv3", SmmuV2: "SMMUv2", IntelVtd: "VT-d", AmdIommu: "AMD IOMMU", RiscvIommu: "RISC-V IOMMU",
}  # fmt: skip


def _because(described: Platform, booted: Platform) -> str:
    """Why groups can be otherwise on the machine that stands in."""
    kinds, others = (
        " and ".join(sorted({_KINDS.get(type(each), "another IOMMU") for each in platform.iommus}))
        for platform in (described, booted)
    )
    if kinds != others:
        return f"QEMU's {others or 'machine without an IOMMU'} stands in for {kinds}, and groups otherwise"
    return "QEMU's one unit and its ids stand in for those that are described, as the changes above say"


def _by_ports(platform: Platform, compiled: Compiled, booted: Outcome) -> Iterator[Finding]:
    """The bridges that an x86 kernel reaches through ports, where QEMU's own functions answer."""
    names = {each.path: each.name for each in compiled.bridges}
    for root in booted.dom0.root_bridges:
        if root.config is not None and root.config.kind == "ports":
            bridge = next(each for each in platform.host_bridges if each.name == names[root.path])
            yield QEMU_MACHINE.finding(
                bridge.at("acpi"),
                f"Linux reaches {bridge.name} through ports, and no guest memory through them",
                notes=("no table says where its ECAM lies, and on x86 ports lead to QEMU's own devices",),
                help="let MCFG or _CBA tell of it",
                subject=bridge.name,
            )


def under_xen(preparation: Preparation, xen: str, *, iommu: bool) -> Outcome:
    """The machine of a preparation with a Xen of that profile below its kernel, as the description has it,
    and no guest; `iommu`: whether that Xen translates."""
    platform, compiled = preparation.platform, preparation.compiled
    artifacts, dt, acpi = _read(compiled, preparation.firmware, preparation.profile)
    options = RunOptions(firmware=preparation.firmware, kernel=preparation.profile, xen=xen)
    settings = settings_of(platform, compiled, options)
    settings = replace(settings, hypervisor="xen", discovery="xen", iommu=iommu, guests=())
    return simulate(artifacts, settings, dt, acpi)


def _boot(
    platform: Platform, compiled: Compiled, firmware: Firmware, kernel: str, *, ports_taken: bool = False
) -> Outcome:
    artifacts, dt, acpi = _read(compiled, firmware, kernel)
    settings = settings_of(platform, compiled, RunOptions(firmware=firmware, kernel=kernel))
    return simulate(artifacts, replace(settings, hypervisor=None, ports_taken=ports_taken), dt, acpi)


def _read(
    compiled: Compiled, firmware: Firmware, kernel: str
) -> tuple[Artifacts, DtFirmware | None, AcpiFirmware | None]:
    artifacts = artifacts_of(compiled)
    wanted = replace(artifacts, tables=()) if firmware == "dt" else replace(artifacts, dtb=None)
    dt = read_dt(wanted, profile(kernel).map_cells)
    acpi = read_acpi(wanted)
    return artifacts, dt, acpi


def _append(platform: Platform) -> tuple[str, ...]:
    """What the description tells the kernel about PCI; its console and the like are the board's."""
    return tuple(word for word in (platform.bootargs or "").split() if word.startswith("pci="))


def _names(platform: Platform, compiled: Compiled, booted: Outcome) -> dict[str, str]:
    """SBDF to the description's name."""
    names = {(bridge.name, device.key): device.name for bridge, device in platform.walk() if device.name}
    found = {}
    for function in booted.dom0.functions:
        name = names.get(compiled.pages[function.page])
        if name is not None:
            found[function.sbdf] = name
    return found


def _markers(platform: Platform, compiled: Compiled) -> list[tuple[str | None, str, bytes]]:
    """(page id of an NVMe disk, else None; file; its bytes) of every disk image that the arguments name."""
    pages = {key: page for page, key in compiled.pages.items()}
    owners = {}
    for bridge, device in platform.walk():
        if device.present and device.model is not None and device.model.startswith(f"qemu:{DISK_MODEL}"):
            owners[f"{device.name or f'b{bridge.index}.{device.key}'}.img"] = pages[bridge.name, device.key]
    found = []
    for file in disks(platform):
        start = f"rootplex {platform.name} {file.removesuffix('.img')}".encode()[:64]
        found.append((owners.get(file), file, start.ljust(MIB, b"\0")))
    return found


def _at(booted: Outcome, markers: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        function.sbdf: markers[function.page][:64].rstrip(b"\0")
        for function in booted.dom0.functions
        if function.page in markers
    }


def _virtual(booted: Outcome) -> dict[str, int]:
    """How many VFs the driver of a PF is to switch on, by SBDF; also where that fails."""
    return {
        function.sbdf: function.sriov.wanted
        for function in booted.dom0.functions
        if function.sriov is not None and function.sriov.wanted
    }


def _own(platform: Platform) -> dict[str, str]:
    """What QEMU puts on bus 0 by itself: the machine's functions, and one for each further root bus."""
    machine = machine_of(platform)
    assert machine is not None, platform.base
    first = next(each for each in platform.host_bridges if each.bus_range.first == 0)
    segment = first.segment or 0

    def sbdf(dev: int, fn: int) -> str:
        return f"{segment:04x}:00:{dev:02x}.{fn}"

    own = {sbdf(dev, fn): str(model(name)["id"]) for dev, fn, name in machine.reserved}
    for dev in _expanders(platform):
        own[sbdf(dev, 0)] = str(model("qemu:pxb-pcie")["id"])
    return own


def _expanders(platform: Platform) -> Iterable[int]:
    """The slots of bus 0 in which QEMU's arguments put a pxb-pcie."""
    artifact, _ = arguments(platform)
    for line in artifact.data.decode().splitlines():
        word, *options = line.split(",")
        if word == "pxb-pcie":
            yield next(int(each.removeprefix("addr="), 16) for each in options if each.startswith("addr="))
