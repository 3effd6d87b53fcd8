"""iort-id-beyond-32-bits

What it finds: a StreamID or DeviceID of more than 32 bits.
Why it matters: the output base of an IORT mapping has 32 bits, and so have the ids of SMMU and ITS.
Example: `map: [{rid: 0, id: 0xffff_ff00, count: 0x1000}]`.
What to do: begin the ids lower, or map fewer requester ids.
Source: Arm DEN0049 E.f §3.1.1.5.
"""

from rootplex.source.rules import ID_BEYOND_32_BITS

RULE = ID_BEYOND_32_BITS
