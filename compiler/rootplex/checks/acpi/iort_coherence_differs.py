"""iort-coherence-differs

What it finds: two bridges of one segment of which one is coherent and the other is not.
Why it matters: IORT has one root complex node for a segment, with one memory attribute.
Example: `dma_coherent: false` on one of two bridges of segment 0.
What to do: say the same for both, or give them segments of their own.
Source: Arm DEN0049 E.f §3.1.1; Linux drivers/acpi/arm64/iort.c, iort_match_node_callback.
"""

from rootplex.source.rules import COHERENCE_DIFFERS

RULE = COHERENCE_DIFFERS
