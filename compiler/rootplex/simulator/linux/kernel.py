"""What the whole of one booting kernel shares between its host bridges."""

from __future__ import annotations

from msgspec import Struct, field

from rootplex.known.kernels import Profile
from rootplex.simulator.function import Bus
from rootplex.simulator.hardware import Hardware
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.access import Accessor
from rootplex.simulator.linux.acs import AcsPolicy
from rootplex.simulator.linux.command_line import PciOptions
from rootplex.simulator.linux.hypervisor import Machine
from rootplex.simulator.linux.registration import Registration
from rootplex.simulator.linux.state import Dom0State


class Kernel(Struct):
    """One Dom0 kernel. `options` are those of its command line. `amd_vi`: its firmware has an IVRS.
    `machine` is what is below: the
    hardware, or a hypervisor. `accessors` are those of the root bridges
    scanned so far, by index; `buses` are those that exist, by (segment, number); `mapped` is how much of
    a 32-bit kernel's vmalloc space configuration space has taken, in bytes."""

    profile: Profile
    settings: Settings
    hardware: Hardware
    machine: Machine
    state: Dom0State
    registration: Registration
    acs: AcsPolicy
    options: PciOptions
    amd_vi: bool = False
    accessors: dict[int, Accessor] = field(default_factory=dict)
    buses: dict[tuple[int, int], Bus] = field(default_factory=dict)
    mapped: int = 0

    def map_bus(self, size: int) -> bool:
        """Map a bus's configuration space; False where vmalloc space is used up."""
        if self.settings.bits == 64:
            return True
        if self.mapped + size > self.settings.vmalloc:
            return False
        self.mapped += size
        return True
