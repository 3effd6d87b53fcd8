"""A machine of which there is what was pasted.

| module | gives |
|---|---|
| `simulation` | the result: both simulations, and what they agree in |
| `bounds` | the groups at least and at most |
| `beside` | the same with a board's firmware, or a snapshot, that stands beside the texts |
| `contradictions` | a finding where texts are of two machines |
| `kernels_groups` | findings where the kernel's groups are others |
"""
