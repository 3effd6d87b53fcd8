"""The virtual SBDFs of a guest (§5.4): segment 0, bus 0, the lowest free slot, function 0."""

from __future__ import annotations

from msgspec import Struct, field

from rootplex.formats.errno import Errno
from rootplex.simulator.xen.records import Record

SLOTS = 32


class Slots(Struct):
    """A guest's virtual bus 0: slot → record."""

    taken: dict[int, Record] = field(default_factory=dict)

    def give(self, record: Record) -> int:
        """The slot (0…31), -EOPNOTSUPP (the physical function is not function 0) or -ENOSPC."""
        if record.devfn & 7:
            return -Errno.EOPNOTSUPP
        free = next((slot for slot in range(SLOTS) if slot not in self.taken), None)
        if free is None:
            return -Errno.ENOSPC
        self.taken[free] = record
        return free

    def take_back(self, record: Record) -> None:
        self.taken = {slot: one for slot, one in self.taken.items() if one is not record}

    def find(self, segment: int, bus: int, devfn: int) -> Record | None:
        """The device at a virtual address."""
        return self.taken.get(devfn >> 3) if (segment, bus, devfn & 7) == (0, 0, 0) else None
