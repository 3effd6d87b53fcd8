"""iort-device-id-not-a-function

What it finds: requester ids that share a StreamID and have different DeviceIDs.
Why it matters: behind an SMMU, IORT makes the DeviceID from the StreamID; it cannot tell such requesters
apart.
Example: `iommu: {unit: smmu, mask: 0}` beside an identity `msi` map.
What to do: let requester ids that share a StreamID share their DeviceID, or give them different StreamIDs.
Source: Arm DEN0049 E.f §3.1.1.5; Linux drivers/acpi/arm64/iort.c, iort_node_map_id.
"""

from rootplex.source.rules import DEVICE_ID_NOT_A_FUNCTION

RULE = DEVICE_ID_NOT_A_FUNCTION
