"""What the firmware says: facts of a device tree and of ACPI, and where requests, messages and pins go.

| module | what |
|---|---|
| `facts` | `DtFirmware`, `AcpiFirmware`: the artifacts parsed once |
| `routing` | requester ids to streams and messages, pins to lines |
"""
