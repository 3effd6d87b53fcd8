"""What QEMU cannot be told: a code for each kind of reason."""

from __future__ import annotations

from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

NAMES = {
    "RPX0010": "qemu-machine",
    "RPX0011": "qemu-config-space",
    "RPX0012": "qemu-window",
    "RPX0013": "qemu-id-map",
    "RPX0014": "qemu-intx",
    "RPX0015": "qemu-model",
    "RPX0016": "qemu-register",
    "RPX0017": "qemu-slot",
}

SYNTHETIC = "with --synthetic the topology goes in as configuration space in guest memory"


def refusal(code: str, at: Place, message: str, *, note: str, subject: str, help: str = SYNTHETIC) -> Finding:
    """An error: QEMU would show something else. `note` says what QEMU does."""
    return Finding(
        code=code,
        name=NAMES[code],
        level=Level.ERROR,
        message=message,
        at=at,
        notes=(note,),
        help=help,
        subject=subject,
    )
