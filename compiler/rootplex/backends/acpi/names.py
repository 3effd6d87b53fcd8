"""The AML names of what is described: made from places in the file, never from segments or buses."""

from __future__ import annotations

from rootplex.model.bridge import HostBridge
from rootplex.model.device import Device

SYSTEM_BUS = "\\_SB"
RESERVATION = "ECAM"

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHORT = 0x100


def bridge_name(bridge: HostBridge) -> str:
    """By the bridge's place in the description: `PC00`…`PCFF`, then `Q000`, `Q001`, … in base 36."""
    if bridge.index < _SHORT:
        return f"PC{bridge.index:02X}"
    rest = bridge.index - _SHORT
    letters = []
    for _ in range(3):
        rest, digit = divmod(rest, len(_DIGITS))
        letters.append(_DIGITS[digit])
    return chr(ord("Q") + rest) + "".join(reversed(letters))


def bridge_path(bridge: HostBridge) -> str:
    """The full path of the bridge's device, as `acpiexec` prints it."""
    return f"{SYSTEM_BUS}.{bridge_name(bridge)}"


def device_name(device: Device) -> str:
    """The name of a function below its parent: `S` and its devfn."""
    return f"S{device.devfn:03X}"
