"""iort-ats-differs

What it finds: two bridges of one segment that disagree about ATS or PRI.
Why it matters: IORT has one root complex node for a segment, with one ATS attribute.
Example: `iommu: {unit: smmu, ats: true}` on one of two bridges of segment 0.
What to do: say the same for both, or give them segments of their own.
Source: Arm DEN0049 E.f §3.1.1; Linux drivers/acpi/arm64/iort.c, iort_match_node_callback.
"""

from rootplex.source.rules import ATS_DIFFERS

RULE = ATS_DIFFERS
