"""The keys of the platform language, and documents that use all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

# The keys of the language's page, copied by hand, in its order. "" is the top level.
OVERRIDES = "segment bus_range config windows msi iommu enabled present"
KEYS = {
    "": "rootplex platform memory interrupt_controllers msi_controllers iommus host_bridges boot xen linux"
    " guests expect suppress",
    "platform": "name title arch vendor model compatible firmware base aia virtualization oem"
    " bootargs console",
    "memory": "base size",
    "arm-gic-v3": "name kind distributor redistributors maintenance enabled",
    "arm-gic-v2": "name kind distributor cpu_interface maintenance enabled",
    "io-apic": "name kind base gsi_base enabled",
    "arm-gic-v3-its": "name kind base size id device_id_bits enabled",
    "arm-gic-v2m": "name kind base size spi_base spi_count enabled",
    "arm-smmu-v3": "name kind base size interrupts msi_controller device_id stream_id_bits enabled",
    "arm-smmu-v2": "name kind base size interrupts model stream_id_bits enabled",
    "intel-vtd": "name kind base segment enabled",
    "riscv-iommu": "name kind base size interrupts msi_controller parent dev fn enabled",
    "amd-iommu": "name kind base dev fn capability scopes enabled",
    "dt-node": "name kind compatible node base size cells address_cells interrupts controller parent dev fn"
    " enabled",
    "region": "base size",
    "host_bridge": "name segment bus_range config windows dma_windows intx msi iommu dma_coherent proximity"
    " hot_pluggable enabled preserve_boot_config acpi dt devices",
    "config": "kind base size sizes sizes_root_bus special compatible registers",
    "special": "bus dev behaviour register",
    "register": "name base size",
    "window": "space pci cpu size prefetchable",
    "dma_window": "pci cpu size",
    "intx": "controller irqs trigger swizzle map",
    "intx_entry": "dev pin irq",
    "msi": "controller map mask parent",
    "msi_map_entry": "rid id count controller",
    "iommu": "unit map mask ats pri",
    "iommu_map_entry": "rid id count unit",
    "acpi": f"uid hid cid osc mcfg cba {OVERRIDES}",
    "dt": f"label properties {OVERRIDES}",
    "device": "name dev fn type model id subsystem revision class multifunction acs acs_quirk aliases ari ats"
    " flr pm msi msix pin disintx dma_bits bars rom sriov slot hotplug external_facing bus present"
    " properties devices",
    "alias": "dev fn",
    "bar": "index space size prefetchable",
    "sriov": "total offset stride vf_id enabled bars acs msix",
    "boot": "device placement",
    "xen": "version discovery pci_passthrough iommu vpci pci_phantom dom0 guests",
    "dom0": "bits kernel firmware memory probe_order registers lpae vmalloc",
    "linux": "kernel firmware probe_order",
    "guest": "name devices",
    "expect": "addresses segments groups isolated shared boot findings when",
    "expect_when": "firmware kernels addresses segments groups isolated shared boot findings",
    "suppression": "code at reason",
}
NO_ROW = {"disintx", "rom", "properties", "dma_bits"}
"""Keys of a device without a row: two stand in another key's, one is not on the page (the device tree
properties of the function's own node), one is told of below the tables."""

# The page's example.
EXAMPLE = yaml.safe_load("""
rootplex: 1
platform: {name: two-segments, title: QEMU virt with two PCI segments, arch: arm64, base: qemu-virt}
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x3f]
    config: {base: "0x40_1000_0000"}
    windows:
      - {space: io, pci: 0x0, cpu: 0x3eff0000, size: 32KiB}
      - {space: mem32, pci: 0x10000000, size: 256MiB}
      - {space: mem64, pci: "0x80_0000_0000", size: 64GiB}
    intx: {controller: gic, irqs: [3, 4, 5, 6]}
    msi: {controller: its}
    iommu: {unit: smmu}
    devices:
      - {name: rp1, dev: 1, type: root-port, model: "qemu:pcie-root-port",
         devices: [{name: disk, dev: 0, model: "qemu:nvme"}]}
  - name: second
    segment: 1
    bus_range: [0x40, 0x7f]
    config: {base: "0x40_1400_0000"}
    windows: [{space: mem32, pci: 0x20000000, size: 256MiB}]
    msi: {controller: its}
    iommu: {unit: smmu}
    devices:
      - {name: rp2, dev: 0, type: root-port, acs: false,
         devices: [{name: nic, dev: 0, id: "8086:10d3", class: ethernet, msix: 5}]}
boot: {device: disk}
xen: {guests: [{name: router, devices: [nic]}]}
expect:
  addresses: {disk: "0000:01:00.0", nic: "0001:41:00.0"}
  groups: [[disk], [rp1], [rp2, nic]]
""")

# Everything else that the page allows, in small documents (mutations of small ones are judged fast).
PLATFORM = "rootplex: 1\nplatform: {name: x, arch: arm64}\n"
BRIDGE = "host_bridges: [{name: main, config: {base: 0}}]\n"
SAMPLES = [
    EXAMPLE,
    *(
        yaml.safe_load(text)
        for text in (
            PLATFORM + BRIDGE,
            PLATFORM
            + BRIDGE
            + """
xen: false
linux: {kernel: linux-6.12, firmware: dt, probe_order: [main]}
guests: [{name: g, devices: [nic]}]
""",
            "rootplex: 1\nplatform: {name: x, arch: arm64, base: qemu-virt, virtualization: false}\n"
            + BRIDGE,
            "rootplex: 1\nplatform: {name: x, arch: riscv64, base: qemu-riscv-virt, aia: aplic-imsic}\n"
            + BRIDGE,
            """
rootplex: 1
platform: {name: x, title: X, arch: arm, vendor: ACME, model: X1, compatible: ["acme,x1"], firmware: [dt],
  base: none, oem: {id: ACME, table_id: X1, revision: 0}, bootargs: quiet, console: "/uart"}
memory: [{base: 0x80000000, size: 2GiB}]
host_bridges: [{name: main, config: {kind: windowed, base: 0, size: 4096}}]
""",
            PLATFORM
            + BRIDGE
            + """
interrupt_controllers:
  - {name: gic, kind: arm-gic-v3, distributor: {base: 0, size: 64KiB}, redistributors: {base: 0, size: 1MiB},
     maintenance: 9}
  - {name: gic2, kind: arm-gic-v2, distributor: {base: 0, size: 4KiB}, cpu_interface: {base: 0, size: 8KiB},
     maintenance: 0}
  - {name: apic, kind: io-apic, base: 0xfec00000, gsi_base: 24, enabled: false}
  - {name: l2, kind: dt-node, compatible: "acme,l2", node: l2-intc, base: 0, size: 4KiB, cells: 1,
     address_cells: 0, interrupts: [3], controller: gic, parent: main}
""",
            PLATFORM
            + BRIDGE
            + """
msi_controllers:
  - {name: its, kind: arm-gic-v3-its, base: 0x8080000, size: 128KiB, id: 0, device_id_bits: 16}
  - {name: v2m, kind: arm-gic-v2m, base: 0x8020000, size: 4KiB, spi_base: 80, spi_count: 64}
  - {name: own, kind: dt-node, compatible: ["acme,msi", "acme,msi-old"]}
iommus:
  - {name: s3, kind: arm-smmu-v3, base: 0, msi_controller: its, device_id: 1, stream_id_bits: 16,
     interrupts: {eventq: 74, priq: 75, cmdq_sync: 76, gerror: 77}}
  - {name: s2, kind: arm-smmu-v2, base: 0, size: 64KiB, interrupts: [1, 2], stream_id_bits: 15,
     model: mmu-500}
  - {name: vtd, kind: intel-vtd, base: 0xfed90000, segment: 1}
  - {name: amd, kind: amd-iommu, base: 0xfeb80000, dev: 0, fn: 2, capability: 0x40, scopes: [nic]}
  - {name: own, kind: riscv-iommu, base: 0x3010000, size: 4KiB, interrupts: [36], msi_controller: imsic}
  - {name: function, kind: riscv-iommu, parent: main, dev: 1, fn: 1, enabled: false}
  - {name: dart, kind: dt-node, compatible: "apple,t8103-dart", cells: 1}
  - {name: paravirtual, kind: dt-node, compatible: "virtio,pci-iommu", cells: 1, parent: main, dev: 3, fn: 1}
""",
            PLATFORM
            + """
host_bridges:
  - name: odd
    config: {kind: quirk, base: 0, size: 1MiB, sizes: [4], sizes_root_bus: [1, 2, 4], compatible: "acme,pcie",
      special: [{bus: first, dev: 0, behaviour: elsewhere, register: 0x1000}, {bus: 1, behaviour: hidden}]}
    dma_windows: [{pci: 0, cpu: 0, size: 3GiB}]
    intx: {controller: gic, map: [{dev: 1, pin: A, irq: 3}], trigger: level-high}
    msi: {map: [{rid: 0, id: 0x10000, count: 0x100, controller: its}], mask: 0xff00, parent: false}
    iommu: {unit: smmu, map: [{rid: 0, id: 0, count: 256}], ats: true, pri: true}
    dma_coherent: false
    proximity: 1
    hot_pluggable: true
    enabled: false
    preserve_boot_config: true
    acpi: {uid: PCI0, hid: PNP0A08, cid: [PNP0A03], osc: [pme], mcfg: [0, 255], cba: true, segment: none,
      bus_range: [0, 1], config: {kind: cam, registers: [{name: config, base: 0, size: 64KiB}]},
      windows: [], msi: none, iommu: {unit: smmu, map: [{rid: 0, id: 0, count: 1}]}, enabled: true,
      present: false}
    dt: {label: pcie0, properties: {num-lanes: 4, dma-coherent: true, names: [a, b]}, segment: 3,
      msi: {controller: odd}, iommu: none}
  - name: four-lines
    config: {base: 0}
    intx: {controller: gic, irqs: [1, 1, 1, 1], swizzle: false}
""",
            PLATFORM
            + """
host_bridges:
  - name: main
    config: {base: 0}
    devices:
      - {dev: 0, type: host-bridge-function, class: 0x060000, present: false}
      - {dev: 1, type: downstream-port, slot: 1, hotplug: true, external_facing: true, bus: [1, 2], ari: true,
         acs: [sv, tb, dt], devices: []}
      - {dev: 2, type: pci-bridge, bus: [3, 3], devices: [{dev: 31, fn: 7, type: pci, pin: A}]}
      - {dev: 3, model: "qemu:x3130-upstream", devices: []}
      - {name: nic, dev: 4, fn: 255, id: "8086:10c9", subsystem: "8086:0001", revision: 1, class: ethernet,
         multifunction: true, acs: true, acs_quirk: isolated, aliases: [{dev: 0, fn: 1}], ari: true,
         ats: true, flr: true, pm: true, msi: 1, msix: 10, pin: none, disintx: true, dma_bits: 32,
         rom: 256KiB,
         bars: [{index: 0, space: mem64, size: 16KiB, prefetchable: true}, {index: 2, space: io, size: 32}],
         sriov: {total: 7, offset: 0x80, stride: 2, vf_id: 0x10ca, enabled: 2, bars: [], acs: false, msix: 3},
         properties: {a: [1, b]}}
""",
            PLATFORM
            + BRIDGE
            + """
boot: {device: disk, placement: any}
xen:
  version: xen-4.17
  discovery: xen
  pci_passthrough: true
  iommu: true
  vpci: false
  pci_phantom: ["0000:01:00,1"]
  dom0: {bits: 32, kernel: linux-6.1-vanilla, firmware: dt, memory: 2GiB, probe_order: [main], lpae: true,
    registers: after-first-device, vmalloc: 240MiB}
  guests: [{name: router, devices: []}]
expect: {addresses: {nic: "0000:00:1f.7"}, segments: {main: 0}, groups: [[a]], isolated: [a], shared: [[a]],
  boot: "0000:00:00.0", findings: [RPX0203],
  when: [{firmware: acpi, kernels: [jgg-v3], boot: "0001:00:00.0"}]}
suppress: [{code: RPX0502, at: nic, reason: both go to one guest}]
""",
        )
    ),
]


def subschemas(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every schema inside a schema, with the keys that lead there."""
    yield name, node
    for keyword in ("properties", "definitions"):
        for key, below in node.get(keyword, {}).items():
            yield from subschemas(below, f"{name}.{key}".removeprefix("."))
    for keyword in ("items", "additionalProperties", "propertyNames", "not", "if", "then", "else"):
        if isinstance(node.get(keyword), dict):
            yield from subschemas(node[keyword], f"{name}[{keyword}]")
    for index, below in enumerate(node.get("allOf", [])):
        yield from subschemas(below, f"{name}[{index}]")
