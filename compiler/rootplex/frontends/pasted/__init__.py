"""What was pasted of a machine to a description.

| module | gives |
|---|---|
| `machine` | `PastedMachine`: all texts of one machine, joined |
| `importing` | the description, with what it assumes and what is missing |
| `devices` | the functions below a bus, in the worst case and in the best |
"""
