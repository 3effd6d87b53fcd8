"""A machine of which there is what was pasted.

| module | gives |
|---|---|
| `simulation` | the result: both simulations, and what they agree in |
| `bounds` | the groups at least and at most |
| `kernels_groups` | findings where the kernel's groups are others |
"""
