"""Random and malformed load on what the tool reads and on what the simulated hypervisor is asked.

| module | gives |
|---|---|
| `steps` | what Dom0 and guests do to a Xen, as data; a `Play` is a machine and its steps |
| `machines` | what is played on and damaged |
| `ground` | a machine made ready: its hardware as Linux numbered it, and what is true of it |
| `stage` | one running Xen on it, watched: steps in, answers out |
| `state` | all that Xen and the hardware remember, part by part |
| `invariants` | what holds after each step, a table of small functions |
| `playing` | a play from its start to its end, or to the first invariant that does not hold |
| `drawing` | random plays |
| `mutation` | damage to bytes: any, and by a format's structure |
| `limit` | the time that a case has |
| `inputs` | what a damaged input is given to |
| `smallest` | the smallest case that still fails |
| `targets` | the five surfaces under one interface |
| `campaign` | many cases of a target: seeds, counts, coverage, failures, going on where one stopped |
"""
