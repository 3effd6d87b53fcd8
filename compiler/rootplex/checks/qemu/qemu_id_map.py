"""qemu-id-map

What it finds: an `iommu` or `msi` map that is not the identity.
Why it matters: in QEMU the StreamID and the DeviceID of a device are its requester id; a driver would program
another.
Example: `msi: {controller: its, map: [{rid: 0, id: 0x1000, count: 0x10000}]}`.
What to do: leave the map out, or run it with `rootplex qemu --synthetic`.
Source: QEMU 7.2 hw/arm/smmu-common.c, hw/intc/arm_gicv3_its.c.
"""

from rootplex.source.rules import QEMU_ID_MAP

RULE = QEMU_ID_MAP
