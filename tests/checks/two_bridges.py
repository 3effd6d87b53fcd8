"""A sound platform of two host bridges, to be broken one line at a time."""

SOUND = """\
rootplex: 1
platform:
  name: two-bridges
  arch: arm64
  firmware: [dt]
memory:
  - {base: 0x8000_0000, size: 2GiB}
interrupt_controllers:
  - name: gic
    kind: arm-gic-v3
    distributor: {base: 0x800_0000, size: 64KiB}
    redistributors: {base: 0x80a_0000, size: 0x20_0000}
msi_controllers:
  - {name: its, kind: arm-gic-v3-its, base: 0x808_0000}
iommus:
  - {name: smmu, kind: arm-smmu-v3, base: 0x905_0000}
host_bridges:
  - name: one
    segment: 0
    bus_range: [0, 0x0f]
    config: {base: 0x40_1000_0000}
    windows:
      - {space: io, pci: 0, cpu: 0x3eff_0000, size: 64KiB}
      - {space: mem32, pci: 0x1000_0000, size: 128MiB}
      - {space: mem64, pci: 0x80_0000_0000, size: 1GiB}
    intx: {controller: gic, irqs: [3, 4, 5, 6]}
    msi: {controller: its}
    iommu: {unit: smmu}
    dt: {label: first}
    devices:
      - name: port
        dev: 1
        type: root-port
        acs: true
        devices:
          - name: disk
            dev: 0
            class: nvme
            msix: 8
            bars: [{index: 0, space: mem64, size: 16KiB}]
  - name: two
    segment: 1
    bus_range: [0x10, 0x1f]
    config: {base: 0x40_1100_0000}
    windows:
      - {space: mem32, pci: 0x2000_0000, size: 128MiB}
    intx: {controller: gic, irqs: [7, 8, 9, 10]}
    msi: {controller: its}
    iommu: {unit: smmu}
    dt: {label: second}
    devices:
      - {name: card, dev: 1, type: integrated-endpoint, pin: A, msix: 2}
xen:
  dom0: {kernel: linux-7.2}
  discovery: dom0
"""
