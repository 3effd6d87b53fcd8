"""iort-map-too-long

What it finds: a map that would take thousands of IORT mappings.
Why it matters: IORT has no mask: each run of ids is a mapping of its own, and all of them are searched for
each device.
Example: `iommu: {unit: smmu, mask: 0x5555}`.
What to do: keep the low bits in the mask, or describe fewer buses.
Source: Arm DEN0049 E.f §3.1.1.5.
"""

from rootplex.source.rules import MAP_TOO_LONG

RULE = MAP_TOO_LONG
