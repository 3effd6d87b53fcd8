"""What Xen's boot needs of the hardware besides its addresses, taken from the fabric."""

from __future__ import annotations

from rootplex.simulator.hardware import Hardware
from rootplex.simulator.linux.hypervisor import ConfigAccesses
from rootplex.simulator.xen.access import ones
from rootplex.simulator.xen.boot import Wiring
from rootplex.simulator.xen.bridges import XenHostBridge


class Silence:
    """Configuration space behind a window where the hardware has no host bridge."""

    def read(self, bus: int, devfn: int, register: int, size: int) -> int:
        return ones(size)

    def write(self, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        return


def wiring_of(hardware: Hardware) -> Wiring:
    """Stream table widths and outbound windows of the hardware's bridges, found by the base of a
    configuration window (or of one of the bridge's register blocks)."""

    def stream_bits(bridge: XenHostBridge) -> int:
        found = hardware.bridge_at(bridge.root.base)
        return Wiring().stream_bits(bridge) if found is None else found.image.stream_id_bits

    def outbound(base: int) -> ConfigAccesses:
        found = hardware.bridge_at(base)
        return Silence() if found is None else found

    return Wiring(stream_bits=stream_bits, outbound=outbound)
