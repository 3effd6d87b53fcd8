"""Every configuration access, trap, forward and hypercall of a boot, one numbered line each."""

from __future__ import annotations

from rootplex.simulator.hardware import Hardware
from rootplex.simulator.xen.machine import Xen

MAX_LINES = 2_000_000


class Trace:
    """Collects lines from the hardware and from Xen, in the order in which things happen."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.xen: Xen | None = None

    def listen(self, hardware: Hardware, xen: Xen | None) -> None:
        """Hear what both do from now on."""
        self.xen = xen
        hardware.tracer = self._hardware
        if xen is not None:
            xen.tracer = self._xen

    def _line(self, text: str) -> None:
        if len(self.lines) < MAX_LINES:
            self.lines.append(f"{len(self.lines) + 1:>6} {text}")

    def _hardware(self, kind: str, address: int, size: int, value: int) -> None:
        self._line(f"{kind:<14} {address:#014x} {size} {value:#0{2 + size * 2}x}")

    def _xen(self, kind: str, address: int, size: int, value: int) -> None:
        if kind != "hypercall" or self.xen is None:
            self._line(f"{kind:<14} {address:#014x} {size} {value:#0{2 + size * 2}x}")
            return
        call = self.xen.calls[address]
        words = ", ".join(
            f"{name} {arg:#x}" if isinstance(arg, int) else f"{name} {arg}" for name, arg in call.args.items()
        )
        self._line(f"{kind:<14} {call.op} {words} = {call.result}")
