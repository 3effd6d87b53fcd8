"""Faults to plant in bundled topologies, one cause each, and what else is an error then and why."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.checks.altered import with_bytes, with_cell

from rootplex.backends.artifact import Compiled
from rootplex.jobs.settings import RunOptions

Alter = Callable[[Compiled], Compiled]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One fault: text of a topology that is replaced (`changes`), or bytes of what it compiles to (`alter`).

    `code` is the one error that comes; `others` are errors of their own, each with the reason why.
    """

    code: str
    what: str
    changes: tuple[tuple[str, str], ...] = ()
    alter: Alter | None = None
    board: str = "qemu-virt-three-segments"
    tail: str = ""
    acpi: bool = False
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> RunOptions:
        return RunOptions(firmware="acpi") if self.acpi else RunOptions()


def cell(bridge: str, property: str, index: int, value: int) -> Alter:
    """One cell of a bridge's node set."""

    def alter(compiled: Compiled) -> Compiled:
        node = {each.name: each.node for each in compiled.bridges}[bridge]
        assert node is not None
        return with_cell(compiled, node, property, index, value)

    return alter


def table(file: str, offset: int, data: bytes) -> Alter:
    """Some bytes of a table set."""
    return lambda compiled: with_bytes(compiled, file, offset, data)


def interrupt(number: int) -> Alter:
    """The interrupt of the second bridge's first `_PRT` entry, whose index is 17 bytes behind the name."""

    def alter(compiled: Compiled) -> Compiled:
        data = compiled.files["ssdt.aml"]
        at = data.index(b"_PRT", data.index(b"PC01"))
        return with_bytes(compiled, "ssdt.aml", at + 17, bytes([number]))

    return alter


def renamed(name: bytes, new: bytes, bridge: int) -> Alter:
    """One object of a bridge's device called otherwise, so that it is not there."""

    def alter(compiled: Compiled) -> Compiled:
        data = compiled.files["ssdt.aml"]
        at = data.index(name, data.index(b"PC0%d" % bridge))
        return with_bytes(compiled, "ssdt.aml", at, new)

    return alter


# Pieces of the topologies.
SECOND = "  - name: second\n"
SEGMENT_0, SEGMENT_1, SEGMENT_2 = "    segment: 0\n", "    segment: 1\n", "    segment: 2\n"
CONFIG = "0x40_1400_0000"
WINDOW = "      - {space: mem32, pci: 0x2000_0000, size: 256MiB}\n"
WIDE = "      - {space: mem64, pci: 0xa0_0000_0000, size: 128GiB}\n"
BUSES = "bus_range: [0x40, 0x7f]"
DEVICES = "    devices:\n      - name: rp1\n"
MAPS = "    msi: {controller: its}\n    iommu: {unit: smmu}\n" + DEVICES
DISK = '{name: disk1, dev: 0, model: "qemu:nvme"}'
GUEST = "    - {name: storage, devices: [disk1]}\n"
DT_ONLY = ("  arch: arm64\n", "  arch: arm64\n  firmware: [dt]\n")
NO_IOMMU = (MAPS, MAPS.replace("    iommu: {unit: smmu}\n", ""))
NO_MSI = (MAPS, MAPS.replace("    msi: {controller: its}\n", ""))
THIRD = "    devices:\n      - name: rp2\n"
OTHER_ITS = "msi_controllers:\n  - {name: other, kind: arm-gic-v3-its, base: 0x808_0000}\n"
OTHER_IOMMU = """\
iommus:
  - {name: other, kind: dt-node, compatible: "vendor,iommu", base: 0x9050_0000, size: 128KiB, cells: 1}
"""
OWN_MESSAGES = (
    "iommus:\n  - {name: smmu, kind: arm-smmu-v3, base: 0x905_0000, msi_controller: its, device_id: 0xff00}\n"
)
REACH = (DEVICES, "    dma_windows: [{pci: 0x8000_0000, cpu: 0x4000_0000, size: 1GiB}]\n" + DEVICES)
CROSSING = "{pci: 0, cpu: 4GiB, size: 1GiB}, {pci: 1GiB, cpu: 1GiB, size: 1GiB}"
ENTRY = 44 + 16
"""The second entry of MCFG."""


def maps(msi: str = "", iommu: str = "") -> tuple[str, str]:
    """The second bridge's maps with more keys."""
    text = MAPS.replace("its}", f"its, {msi}}}") if msi else MAPS
    return MAPS, text.replace("smmu}", f"smmu, {iommu}}}") if iommu else text


def config(keys: str) -> tuple[str, str]:
    """The second bridge's configuration space with more keys."""
    return f"{{base: {CONFIG}}}", f"{{base: {CONFIG}, {keys}}}"


def xen(keys: str) -> tuple[str, str]:
    """Xen with more keys."""
    return "xen:\n", f"xen:\n  {keys}\n"


OWN_LEFT_OUT = "map: [{rid: 0x0, id: 0x0, count: 0x10}, {rid: 0x11, id: 0x11, count: 0xffef}]"
NO_OWN_FUNCTION = (
    ('      - {name: own, dev: 2, model: "qemu:virtio-iommu-pci"}\n', ""),
    ('own: "0000:00:02.0", ', ""),
)
VIRTIO_DISK = '          - {name: disk, dev: 0, model: "qemu:nvme"}\n'
CARD_BEHIND_BRIDGE = """\
      - name: bridge
        dev: 5
        model: "qemu:pcie-pci-bridge"
        devices: [{dev: 2, model: "qemu:pci-testdev"}]
"""
VIOT_UNIT, VIOT_RANGE = 48, 64
"""The first nodes of VIOT."""
IVRS_RANGE_END = 0x98
"""The second entry of the block that Linux takes, of type 11h."""
TODAY = xen("discovery: xen")


def disk(keys: str) -> tuple[str, str]:
    """The second bridge's disk with other keys than number and model."""
    return DISK, DISK.replace("dev: 0,", f"{keys},") if "dev:" in keys else DISK.replace("}", f", {keys}}}")


def acpi(keys: str) -> tuple[str, str]:
    """The second bridge with an override of what ACPI says."""
    return SECOND, f"{SECOND}    acpi: {{{keys}}}\n"


def node_property(name: str, value: str) -> tuple[str, str]:
    """The second bridge's node with a property of its own."""
    return DEVICES, f'    dt: {{properties: {{"{name}": {value}}}}}\n{DEVICES}'


PLANTS = (
    # 00 language
    Plant(code="RPX0003", what="a misspelt key", changes=((SEGMENT_1, "    segmnt: 1\n"),)),
    Plant(code="RPX0004", what="no config", changes=(("    config: {base: 0x40_1400_0000}\n", ""),)),
    Plant(code="RPX0006", what="a segment of 17 bits", changes=((SEGMENT_1, "    segment: 70000\n"),)),
    Plant(code="RPX0007", what="an unknown controller", changes=((MAPS, MAPS.replace("its", "itz")),)),
    Plant(code="RPX0007", what="an unknown device", changes=((GUEST, GUEST.replace("disk1", "disk7")),)),
    Plant(code="RPX0008", what="one name for two ports", changes=(("- name: rp1\n", "- name: rp0\n"),)),
    Plant(
        code="RPX0009",
        what="a root port below a root port",
        changes=((DISK, "{name: disk1, dev: 0, type: root-port}"),),
    ),
    Plant(code="RPX0020", what="two devices of one number", changes=(("pxb2, dev: 2", "pxb2, dev: 1"),)),
    Plant(code="RPX0021", what="function 9 without ARI", changes=(disk("dev: 0, fn: 9"),)),
    Plant(
        code="RPX0022",
        what="a BAR of 20 KiB",
        changes=(disk("bars: [{index: 0, space: mem64, size: 0x5000}]"),),
    ),
    Plant(code="RPX0023", what="reversed buses", changes=((BUSES, "bus_range: [0x7f, 0x40]"),)),
    Plant(
        code="RPX0024",
        what="a slot of an endpoint",
        changes=(disk("slot: 7"),),
    ),
    Plant(
        code="RPX0025",
        what="VFs that are the PF",
        changes=(disk("sriov: {total: 4, offset: 0, stride: 1, vf_id: 1}"),),
    ),
    Plant(
        code="RPX0027",
        what="an ITS twice",
        changes=(("host_bridges:\n", f"{OTHER_ITS}host_bridges:\n"),),
    ),
    Plant(
        code="RPX0028",
        what="a line of the SMMU's for INTB",
        changes=(("irqs: [3, 4, 5, 6]}", "irqs: [3, 74, 5, 6]}"),),
    ),
    Plant(code="RPX0040", what="an expectation that nothing meets", tail="  findings: [RPX0101]\n"),
    Plant(code="RPX0042", what="an address that is not", changes=(("0002:81:00.0", "0002:82:00.0"),)),
    # 01 windows and ECAM
    Plant(code="RPX0101", what="ECAM in RAM", changes=((CONFIG, "0x5000_0000"),)),
    Plant(code="RPX0102", what="a window in RAM", changes=(("pci: 0x2000_0000", "pci: 0x5000_0000"),)),
    Plant(code="RPX0103", what="ECAM of two bridges", changes=((CONFIG, "0x40_1200_0000"),)),
    Plant(code="RPX0103", what="the same ECAM", changes=((CONFIG, "0x40_1000_0000"),), acpi=True),
    Plant(code="RPX0104", what="one window on another", changes=(("pci: 0x2000_0000", "pci: 0x1800_0000"),)),
    Plant(
        code="RPX0104",
        what="one window on another, by ACPI",
        changes=(("pci: 0x2000_0000", "pci: 0x1800_0000"),),
        acpi=True,
    ),
    Plant(
        code="RPX0105",
        what="a window over ECAM",
        changes=((WIDE, WIDE.replace("0xa0_0000_0000, size: 128GiB", "0x40_0000_0000, size: 32GiB")),),
    ),
    Plant(
        code="RPX0106",
        what="a window over the GIC",
        changes=((WINDOW, WINDOW.replace("0x2000_0000, size: 256MiB", "0x800_0000, size: 128MiB")),),
    ),
    Plant(code="RPX0106", what="ECAM over the GIC", changes=((CONFIG, "0x700_0000"),)),
    Plant(
        code="RPX0131",
        what="the GIC in memory",
        changes=(("  base: qemu-virt\n", "  base: qemu-virt\nmemory: [{base: 0x800_0000, size: 64KiB}]\n"),),
    ),
    Plant(
        code="RPX0106",
        what="ECAM over an I/O APIC",
        board="q35",
        changes=(("base: 0xb000_0000", "base: 0xf000_0000"),),
    ),
    Plant(
        code="RPX0108",
        what="ECAM of one bus",
        changes=(config("size: 1MiB"),),
    ),
    Plant(
        code="RPX0108",
        what="ECAM that ends in a bus",
        changes=(TODAY, config("size: 0x3f8_0000")),
    ),
    Plant(code="RPX0110", what="ECAM off a page", changes=((CONFIG, "0x40_1400_0800"),)),
    Plant(code="RPX0111", what="ECAM beyond 52 bits", changes=((CONFIG, "0x20_0040_1400_0000"),)),
    Plant(code="RPX0112", what="no window for 32-bit BARs", changes=((WINDOW, ""),)),
    Plant(
        code="RPX0113",
        what="a 32-bit window above 4 GiB",
        changes=(("pci: 0x2000_0000", "pci: 0x1_2000_0000"),),
    ),
    Plant(
        code="RPX0116",
        what="ECAM above 4 GiB for a 32-bit Dom0",
        board="qemu-virt-32",
        changes=(("0x3f00_0000", "0x40_1000_0000"),),
    ),
    Plant(
        code="RPX0116",
        what="no room to map ECAM",
        board="qemu-virt-32",
        changes=(("memory: 512MiB", "memory: 512MiB, vmalloc: 1MiB"),),
    ),
    Plant(
        code="RPX0118",
        what="access sizes that a plain bridge has not",
        changes=(config("sizes: [4]"),),
    ),
    Plant(
        code="RPX0120",
        what="a BAR larger than the window",
        changes=(disk("bars: [{index: 0, space: mem32, size: 512MiB}]"),),
    ),
    # 02 segments and buses
    Plant(code="RPX0201", what="one bridge without a segment", changes=((SEGMENT_1, ""),)),
    Plant(code="RPX0201", what="the same by ACPI", changes=((SEGMENT_1, ""),), acpi=True),
    Plant(code="RPX0201", what="the same for today's Xen", changes=((SEGMENT_1, ""), TODAY)),
    Plant(code="RPX0201", what="the first without, for today's Xen", changes=((SEGMENT_0, ""), TODAY)),
    Plant(code="RPX0202", what="a segment of two bridges", changes=((SEGMENT_1, SEGMENT_0),)),
    Plant(code="RPX0202", what="another two", changes=((SEGMENT_2, SEGMENT_0),)),
    Plant(code="RPX0202", what="the same by ACPI", changes=((SEGMENT_1, SEGMENT_0),), acpi=True),
    Plant(code="RPX0202", what="the same for today's Xen", changes=((SEGMENT_1, SEGMENT_0), TODAY)),
    Plant(
        code="RPX0202",
        what="a segment of two bridges with the same buses",
        changes=((SEGMENT_1, SEGMENT_0), (BUSES, "bus_range: [0, 0x3f]")),
    ),
    Plant(
        code="RPX0202",
        what="the same for a kernel that takes both",
        changes=((SEGMENT_1, SEGMENT_0), xen("dom0: {kernel: linux-6.1-vanilla}")),
    ),
    Plant(code="RPX0204", what="a segment of 17 bits", alter=cell("second", "linux,pci-domain", 0, 0x10001)),
    Plant(
        code="RPX0205", what="no segments at all", changes=((SEGMENT_0, ""), (SEGMENT_1, ""), (SEGMENT_2, ""))
    ),
    Plant(code="RPX0210", what="reversed buses", alter=cell("second", "bus-range", 0, 0x80)),
    Plant(code="RPX0210", what="buses beyond 0xff", alter=cell("second", "bus-range", 1, 0x17F)),
    Plant(code="RPX0212", what="too few buses", changes=((BUSES, "bus_range: [0x40, 0x40]"),)),
    Plant(code="RPX0212", what="too few by ACPI", changes=((BUSES, "bus_range: [0x40, 0x40]"),), acpi=True),
    # 03 boot
    Plant(
        code="RPX0301",
        what="an empty slot",
        changes=(("{name: disk0, dev: 0,", "{name: disk0, dev: 0, present: false,"),),
    ),
    Plant(
        code="RPX0302",
        what="a boot device on segment 2",
        changes=(
            ("boot: {device: disk0}", "boot: {device: disk2, placement: segment-zero}"),
            ('  boot: "0000:01:00.0"', '  boot: "0002:81:00.0"'),
        ),
    ),
    Plant(code="RPX0304", what="a guest's device without function 0", changes=(disk("dev: 0, fn: 1"),)),
    Plant(code="RPX0305", what="a guest's device as device 1", changes=(disk("dev: 1"),)),
    # 04 IOMMU and MSI
    Plant(
        code="RPX0401",
        what="a hole in iommu-map",
        changes=(maps(iommu="map: [{rid: 0x4000, id: 0x4000, count: 0x100}]"),),
    ),
    Plant(
        code="RPX0401",
        what="a hole in iommu-map, by ACPI",
        changes=(maps(iommu="map: [{rid: 0x4000, id: 0x4000, count: 0x100}]"),),
        acpi=True,
    ),
    Plant(
        code="RPX0401",
        what="a hole in msi-map",
        changes=(maps(msi="map: [{rid: 0x4000, id: 0x4000, count: 0x100}]"),),
    ),
    Plant(
        code="RPX0404",
        what="no iommu-map for today's Xen",
        changes=(TODAY, NO_IOMMU),
    ),
    Plant(
        code="RPX0405",
        what="StreamIDs of two bridges",
        changes=(DT_ONLY, maps(iommu="map: [{rid: 0x4000, id: 0, count: 0x4000}]")),
    ),
    Plant(
        code="RPX0407",
        what="DeviceIDs of two bridges",
        changes=(maps(msi="map: [{rid: 0x4000, id: 0, count: 0x4000}]"),),
    ),
    Plant(
        code="RPX0408",
        what="DeviceIDs of 17 bits",
        changes=(maps(msi="map: [{rid: 0x4000, id: 0x14000, count: 0x4000}]"),),
    ),
    Plant(
        code="RPX0408",
        what="DeviceIDs of 17 bits, by ACPI",
        changes=(maps(msi="map: [{rid: 0x4000, id: 0x14000, count: 0x4000}]"),),
        acpi=True,
    ),
    # 05 groups and passthrough
    Plant(code="RPX0501", what="an empty slot", changes=(disk("present: false"),)),
    Plant(code="RPX0502", what="a port for a guest", changes=((GUEST, GUEST.replace("disk1", "rp1")),)),
    Plant(
        code="RPX0503",
        what="no IOMMU before the bridge",
        changes=(NO_IOMMU,),
    ),
    Plant(
        code="RPX0504",
        what="a second function",
        changes=((DISK, f'{DISK}\n          - {{name: extra, dev: 0, fn: 1, model: "qemu:nvme"}}'),),
    ),
    Plant(
        code="RPX0505",
        what="the boot device for a guest",
        changes=((GUEST, GUEST.replace("disk1", "disk0")),),
    ),
    Plant(code="RPX0509", what="a pin and no messages", changes=(disk("msix: 0, pin: A"),)),
    Plant(
        code="RPX0512",
        what="VFs beyond the buses",
        changes=(disk("ari: true, sriov: {total: 255, offset: 0x4000, stride: 1, vf_id: 1, enabled: 4}"),),
    ),
    Plant(
        code="RPX0513",
        what="a BAR of less than a page for vPCI",
        changes=(xen("vpci: true"), disk("bars: [{index: 0, space: mem32, size: 256}]")),
    ),
    Plant(
        code="RPX0514",
        what="one device for two guests",
        changes=((GUEST, GUEST + GUEST.replace("storage", "more")),),
    ),
    Plant(code="RPX0514", what="Xen's IOMMU off", changes=(xen("iommu: false"),)),
    # 06 device tree
    Plant(
        code="RPX0601", what="a domain of two cells", changes=(node_property("linux,pci-domain", "[1, 2]"),)
    ),
    Plant(code="RPX0601", what="two address cells", alter=cell("second", "#address-cells", 0, 2)),
    Plant(code="RPX0601", what="one size cell", alter=cell("second", "#size-cells", 0, 1)),
    Plant(code="RPX0602", what="another device type", changes=(TODAY, node_property("device_type", "pcx"))),
    Plant(code="RPX0604", what="no reg", changes=(node_property("reg", "[]"),)),
    Plant(
        code="RPX0030",
        what="registers without configuration space",
        changes=(config("registers: [{name: dbi, base: 0x5000_0000, size: 64KiB}]"),),
    ),
    Plant(code="RPX0121", what="a window of 256 bytes", changes=((WINDOW, WINDOW.replace("MiB", "")),)),
    Plant(code="RPX0626", what="no compatible", changes=(node_property("compatible", "false"),)),
    Plant(code="RPX0618", what="a PPI", alter=cell("second", "interrupt-map", 7, 1)),
    Plant(
        code="RPX0605",
        what="a bridge that Xen does not drive",
        changes=(TODAY, config('compatible: "vendor,pcie"')),
    ),
    Plant(
        code="RPX0606",
        what="a guest's bridge switched off",
        changes=((SECOND, f"{SECOND}    enabled: false\n"),),
    ),
    Plant(
        code="RPX0608", what="three cells of iommu-map", changes=(node_property("iommu-map", "[1, 2, 3]"),)
    ),
    Plant(
        code="RPX0609",
        what="a RID that the mask cuts",
        changes=(maps(iommu="mask: 0x7fff, map: [{rid: 0xc000, id: 0x4000, count: 0x4000}]"),),
    ),
    Plant(code="RPX0610", what="msi-map to nowhere", alter=cell("second", "msi-map", 1, 0x7777)),
    Plant(code="RPX0610", what="iommu-map to nowhere", alter=cell("second", "iommu-map", 1, 0x7777)),
    Plant(
        code="RPX0610",
        what="iommu-map to nowhere, for today's Xen",
        changes=(TODAY,),
        alter=cell("second", "iommu-map", 1, 0x7777),
    ),
    Plant(
        code="RPX0611",
        what="an IOMMU that Xen does not drive",
        changes=(
            TODAY,
            DT_ONLY,
            (
                "host_bridges:\n",
                OTHER_IOMMU + "host_bridges:\n",
            ),
            (MAPS, MAPS.replace("smmu", "other")),
        ),
    ),
    Plant(
        code="RPX0613",
        what="streams of 17 bits",
        changes=(maps(iommu="map: [{rid: 0x4000, id: 0x14000, count: 0x4000}]"),),
    ),
    Plant(
        code="RPX0614",
        what="no MSI controller",
        changes=(NO_MSI,),
    ),
    Plant(code="RPX0615", what="interrupt-map to nowhere", alter=cell("second", "interrupt-map", 4, 0x7777)),
    Plant(
        code="RPX0618",
        what="a PPI for today's Xen",
        changes=(TODAY,),
        alter=cell("second", "interrupt-map", 7, 1),
    ),
    # 07 ACPI
    *(
        Plant(code="RPX0751", what=what, alter=table("iort.aml", offset, data.to_bytes(size, "little")))
        for what, offset, size, data in [
            ("an IORT of six nodes that has five", 36, 4, 6),
            ("an SMMU with a mapping more", 0x48 + 8, 4, 4),
            ("an SMMU whose mappings begin behind its end", 0x48 + 12, 4, 148),
            ("a node of no length", 0xC8 + 1, 2, 0),
            ("a root complex with a mapping more", 0x104 + 8, 4, 2),
            ("a root complex of four bytes more", 0x104 + 1, 2, 64),
        ]
    ),
    Plant(
        code="RPX0623",
        what="inbound ranges that cross",
        changes=(
            DT_ONLY,
            (
                DEVICES,
                "    dma_windows: [{pci: 0, cpu: 4GiB, size: 1GiB}, {pci: 1GiB, cpu: 1GiB, size: 1GiB}]\n"
                + DEVICES,
            ),
        ),
    ),
    Plant(
        code="RPX0127",
        what="inbound ranges beside all memory",
        changes=((DEVICES, "    dma_windows: [{pci: 0, size: 512MiB}]\n" + DEVICES),),
    ),
    Plant(
        code="RPX0128",
        what="a device whose bits end where memory begins",
        changes=(
            (
                '{name: disk2, dev: 0, model: "qemu:nvme"}',
                '{name: disk2, dev: 0, model: "qemu:nvme", dma_bits: 30}',
            ),
        ),
    ),
    Plant(
        code="RPX0631",
        what="a view of 4 GiB at 1 GiB",
        board="raspberry-pi-4",
        changes=(("{pci: 0x0, size: 3GiB}", "{pci: 1GiB, cpu: 0, size: 3GiB}"),),
    ),
    Plant(
        code="RPX0701",
        what="ECAM below that of bus 0",
        changes=((CONFIG, "0x300_0000"),),
    ),
    Plant(
        code="RPX0702",
        what="a window beyond 64 bits",
        changes=((WIDE, WIDE.replace("0xa0_0000_0000", "0xffff_ffff_0000_0000")),),
    ),
    Plant(
        code="RPX0703",
        what="edges of INTx",
        changes=(("irqs: [3, 4, 5, 6]}", "irqs: [3, 4, 5, 6], trigger: edge-rising}"),),
    ),
    Plant(
        code="RPX0704",
        what="coherence of one segment",
        changes=(
            (SEGMENT_2, SEGMENT_1),
            (THIRD, "    dma_coherent: false\n" + THIRD),
        ),
    ),
    Plant(
        code="RPX0705",
        what="ATS of one segment",
        changes=(
            (SEGMENT_2, SEGMENT_1),
            ("smmu}\n" + THIRD, "smmu, ats: true}\n" + THIRD),
        ),
    ),
    Plant(
        code="RPX0706",
        what="streams with two DeviceIDs",
        changes=(maps(iommu="map: [{rid: 0x4000, id: 0, count: 0x4000}]"),),
    ),
    Plant(code="RPX0706", what="streams folded by a mask", changes=(maps(iommu="mask: 0xff00"),)),
    Plant(
        code="RPX0708",
        what="ids of 33 bits",
        changes=(maps(iommu="map: [{rid: 0x4000, id: 0xffff_f000, count: 0x4000}]"),),
    ),
    Plant(code="RPX0710", what="no PNP0A03", changes=(acpi("hid: PNP0A08, cid: []"),), acpi=True),
    Plant(code="RPX0711", what="no _CRS", alter=renamed(b"_CRS", b"_CRX", 1), acpi=True),
    Plant(
        code="RPX0713",
        what="half an entry",
        alter=table("mcfg.aml", 4, struct.pack("<I", 44 + 40)),
        acpi=True,
    ),
    Plant(code="RPX0713", what="no entry", alter=table("mcfg.aml", 4, struct.pack("<I", 44)), acpi=True),
    Plant(
        code="RPX0714",
        what="buses twice",
        alter=table("mcfg.aml", ENTRY + 8, struct.pack("<HBB", 0, 0, 0x3F)),
        acpi=True,
    ),
    Plant(code="RPX0717", what="an entry at 0", alter=table("mcfg.aml", ENTRY, bytes(8)), acpi=True),
    Plant(
        code="RPX0718",
        what="ECAM above 4 GiB in an old table",
        board="q35",
        changes=(("base: 0xb000_0000", "base: 0x10_0000_0000"),),
        alter=table("mcfg.aml", 8, b"\0"),
    ),
    Plant(code="RPX0720", what="no MCFG entry", changes=(acpi("mcfg: false"),), acpi=True),
    Plant(code="RPX0721", what="a narrow MCFG entry", changes=(acpi("mcfg: [0x40, 0x5f]"),), acpi=True),
    Plant(code="RPX0725", what="no segment 0", board="q35", changes=((SEGMENT_0, SEGMENT_1),)),
    Plant(code="RPX0731", what="no _CCA", alter=renamed(b"_CCA", b"_CCX", 1), acpi=True),
    Plant(code="RPX0735", what="reversed buses", alter=table("mcfg.aml", ENTRY + 10, b"\x7f\x40"), acpi=True),
    Plant(code="RPX0636", what="no bit of address", board="q35", alter=table("dmar.aml", 36, b"\0")),
    Plant(code="RPX0636", what="a unit at 0", board="q35", alter=table("dmar.aml", 56, bytes(8))),
    Plant(code="RPX0636", what="a unit off a page", board="q35", alter=table("dmar.aml", 56, b"\x10")),
    Plant(code="RPX0637", what="an SGI", alter=interrupt(3), acpi=True),
    Plant(code="RPX0638", what="an SMMU at 0", alter=table("iort.aml", 0x58, bytes(8)), acpi=True),
    Plant(code="RPX0763", what="a unit beyond DMAR", board="q35", alter=table("dmar.aml", 50, b"\xff\x0f")),
    # 08 device tree against ACPI
    Plant(code="RPX0801", what="another _SEG", changes=(acpi("segment: 5"),)),
    Plant(code="RPX0801", what="no _SEG", changes=(acpi("segment: none"),), acpi=True),
    Plant(code="RPX0801", what="another domain", alter=cell("second", "linux,pci-domain", 0, 7)),
    Plant(code="RPX0801", what="_SEG not there", alter=renamed(b"_SEG", b"_SEX", 1), acpi=True),
    Plant(code="RPX0802", what="another base", changes=(acpi("config: {base: 0x40_1410_0000}"),), acpi=True),
    Plant(code="RPX0802", what="another reg", alter=cell("second", "reg", 1, 0x14100000)),
    Plant(code="RPX0803", what="other buses", changes=(acpi("bus_range: [0x40, 0x5f]"),), acpi=True),
    Plant(code="RPX0804", what="another window", alter=cell("second", "ranges", 2, 0x21000000)),
    Plant(code="RPX0805", what="on in one alone", changes=(acpi("enabled: false"),), acpi=True),
    Plant(
        code="RPX0814",
        what="another DeviceID of the SMMU itself",
        changes=(("host_bridges:\n", OWN_MESSAGES + "host_bridges:\n"),),
        alter=lambda compiled: with_cell(compiled, "/iommu@9050000", "msi-parent", 1, 0xFF01),
    ),
    Plant(code="RPX0808", what="coherence", changes=(node_property("dma-coherent", "false"),)),
    Plant(code="RPX0810", what="another line", alter=cell("second", "interrupt-map", 8, 9)),
    Plant(
        code="RPX0813",
        what="another reach of DMA",
        changes=(REACH,),
        alter=cell("second", "dma-ranges", 4, 0x5000_0000),
    ),
    # 09 Xen
    Plant(
        code="RPX0905",
        what="a late registration",
        changes=(xen("dom0: {registers: after-scan}"),),
    ),
    Plant(
        code="RPX0911",
        what="today's Xen by ACPI",
        changes=(xen("discovery: xen\n  dom0: {firmware: acpi}"),),
    ),
    Plant(
        code="RPX0912",
        what="today's Xen on 32 bits",
        board="qemu-virt-32",
        changes=(("  dom0: {memory: 512MiB}", "  discovery: xen\n  dom0: {memory: 512MiB}"),),
    ),
    Plant(
        code="RPX0915",
        what="a guest's device that also uses another id",
        changes=(
            (
                '{name: disk1, dev: 0, model: "qemu:nvme"}',
                '{name: disk1, dev: 0, model: "qemu:nvme", aliases: [{dev: 0, fn: 1}]}',
            ),
        ),
    ),
    Plant(
        code="RPX0916",
        what="QEMU's machine without EL2",
        changes=(("base: qemu-virt", "base: qemu-virt\n  virtualization: false"),),
    ),
    Plant(
        code="RPX0773",
        what="a virtio-iommu that is mapped to itself",
        board="qemu-virtio-iommu",
        changes=((OWN_LEFT_OUT, "map: [{rid: 0x0, id: 0x0, count: 0x10000}]"),),
    ),
    Plant(
        code="RPX0520",
        what="a virtio-iommu of the device tree where no function is",
        board="qemu-virtio-iommu",
        changes=NO_OWN_FUNCTION,
    ),
    Plant(
        code="RPX0766",
        what="a virtio-iommu of VIOT where no function is",
        board="qemu-virtio-iommu",
        changes=NO_OWN_FUNCTION,
        acpi=True,
    ),
    Plant(
        code="RPX0764",
        what="a node of VIOT that leads nowhere",
        board="qemu-virtio-iommu",
        alter=table("viot.aml", VIOT_RANGE + 16, b"\x31\x00"),
        acpi=True,
    ),
    Plant(
        code="RPX0765",
        what="a virtio-iommu of VIOT in a segment that is not there",
        board="qemu-virtio-iommu",
        alter=table("viot.aml", VIOT_UNIT + 4, b"\x05\x00"),
        acpi=True,
    ),
    Plant(
        code="RPX0768",
        what="a card behind a PCI bridge, on a virtio-iommu",
        board="qemu-virtio-iommu",
        changes=((VIRTIO_DISK, VIRTIO_DISK + CARD_BEHIND_BRIDGE),),
    ),
    Plant(
        code="RPX0758",
        what="an entry of IVRS that no entry ends",
        board="q35-amd",
        alter=table("ivrs.aml", IVRS_RANGE_END, b"\x00"),
        acpi=True,
    ),
    Plant(
        code="RPX0762",
        what="an AMD IOMMU where no function is",
        board="q35-amd",
        changes=(("base: 0xfed8_0000, dev: 1}", "base: 0xfed8_0000, dev: 6}"),),
        acpi=True,
    ),
)

NOT_PLANTED = {
    "RPX0759": "no description has one unit in two blocks: tables made by hand have",
    "RPX0001": "nothing is read, so nothing else is said",
    "RPX0005": "a kind of YAML node in another's place: the rest of the file goes unread with it",
    **dict.fromkeys(
        ("RPX0010", "RPX0011", "RPX0012", "RPX0013", "RPX0014", "RPX0015", "RPX0016", "RPX0017"),
        "what `qemu` refuses: one list, made by one function",
    ),
    "RPX0109": "follows from RPX0108 where the size is too small, and is alone where it is not",
    "RPX0115": "a described bridge sits below no bus: the vendors' trees show it",
    "RPX0117": "no bundled board has a bridge whose driver is 64-bit only",
    "RPX0207": "follows from RPX0201 wherever Linux minds, too",
    "RPX0208": "needs a bridge that Xen drives and one that it does not, which is RPX0605",
    "RPX0209": "follows from RPX0202: the two say it of firmware and of what Dom0 did",
    "RPX0402": "follows from RPX0401, RPX0747 or the fault of the map",
    "RPX0403": "follows from RPX0401, RPX0747 or the fault of the map",
    "RPX0406": "follows from RPX0405 or RPX0612",
    "RPX0409": "no bundled board has two SMMUs: the kernels' truths of such boards show it",
    "RPX0707": "a mask that scatters ids also gives streams two DeviceIDs (RPX0706) on this board",
    "RPX0709": "a board without a base: no other check runs",
    "RPX0510": "of warning level where the device can do with its pin, else it follows from a map's fault",
    "RPX0603": "a backend always writes ranges",
    "RPX0630": "a described bridge sits below no bus: the trees that people reported show it",
    "RPX0619": "no description has a controller without registers, the trees of the standards' tools have",
    "RPX0516": "no bundled board gives a function and its VF away: the tests of passthrough do",
    "RPX0620": "so it is with a reference that lacks its arguments",
    "RPX0716": "a compiled platform has one MCFG: the vendors' dumps show it",
    "RPX0719": "with a description the I/O APIC is below, too (RPX0106)",
    "RPX0723": "a backend always reserves ECAM: the faults of single bytes show it",
    "RPX0724": "on Arm it is RPX0105, and on x86 a warning where a motherboard resource reserves ECAM",
    "RPX0727": "the device tree contradicts one of the two, which is RPX0802",
    "RPX0729": "Xen refuses what other checks show",
    "RPX0730": "no bundled x86 board has two entries",
    "RPX0733": "with a device tree it is RPX0202",
    "RPX0734": "an object that cannot be evaluated: tests of AML have it",
    "RPX0790": "likewise",
    **dict.fromkeys(
        ("RPX0740", "RPX0741", "RPX0744", "RPX0745", "RPX0748", "RPX0806", "RPX0807"),
        "the faults of single bytes have it: `test_injection` asks for one error of each",
    ),
    "RPX0754": "of the faults of single bytes",
    "RPX0517": "no table of ours reserves memory",
    "RPX0755": "no bundled board has a unit of two segments",
    "RPX0038": "a kernel's log alone tells it: tests of pasted texts have it",
    "RPX0770": "no bundled board has RISC-V's IOMMU by ACPI",
    "RPX0756": "no description has a bus beyond 0xff: the vendors' dumps have",
    "RPX0757": "a backend writes the length that there is: the tables of the standards' tools show it",
    "RPX0890": "`validate --against` alone: what it compares is no cause of anything",
    "RPX0901": "a crash follows from what the bytes show",
    "RPX0902": "so does a Dom0 that dies",
    "RPX0903": "a bridge that does not come up follows from what the bytes show",
    "RPX0904": "follows from a map's fault",
    "RPX0906": "follows from RPX0202",
    "RPX0907": "follows from what the bytes show of configuration space",
    "RPX0910": "follows from RPX0205",
    "RPX0913": "follows from RPX0911, or no bundled board has an IOMMU that Xen does not drive",
}
"""The codes of errors without a plant, with the reason why."""
