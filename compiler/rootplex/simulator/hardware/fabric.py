"""The buses behind one host bridge: which function answers at a bus and devfn, right now.

Routing follows the bus number registers of the type 1 headers as they stand, from the first bus
down (PCIe 6.0 §7.3.3): a bus is reached through the bridge whose secondary..subordinate holds it,
and its functions answer where the secondary number is it. VFs answer at their RID on whatever bus
that falls, within the reach of the bridge above (PCIe 6.0 §9.2.1.2). Ports do not filter by ARI
forwarding: a function that is there answers.

Where two bridges claim a bus, the one with the lower devfn has it.
"""

from __future__ import annotations

from rootplex.simulator.hardware.function import HardwareFunction

Table = dict[int, HardwareFunction]


class Fabric:
    """The functions of one host bridge. Lookup is by dictionary; what was looked up is kept until
    a bus number or an SR-IOV control changes. Only functions that answer are kept."""

    __slots__ = ("first_bus", "last_bus", "root", "routes", "tables")

    def __init__(self, first_bus: int, last_bus: int, root: list[HardwareFunction]) -> None:
        self.first_bus = first_bus
        self.last_bus = last_bus
        self.root = root
        self.tables: dict[int, Table] = {}
        self.routes: Table = {}

    def reroute(self) -> None:
        """Forget what was looked up."""
        self.tables.clear()
        self.routes.clear()

    def at(self, bus: int, devfn: int) -> HardwareFunction | None:
        """The function that answers, or None."""
        rid = bus << 8 | devfn
        function = self.routes.get(rid)
        if function is None:
            table = self.tables.get(bus)
            if table is None:
                table = self.tables[bus] = self._table(bus)
            function = table.get(devfn)
            if function is not None:
                self.routes[rid] = function
        return function

    def _table(self, bus: int) -> Table:
        """The functions of a bus, by devfn."""
        table: Table = {}
        if not self.first_bus <= bus <= self.last_bus:
            return table
        level, number = self.root, self.first_bus
        while True:
            if number == bus:
                for function in level:
                    table.setdefault(function.devfn, function)
            below: HardwareFunction | None = None
            for function in level:
                if function.sriov:
                    for rid, virtual in function.virtual_at(number):
                        if rid >> 8 == bus:
                            table.setdefault(rid & 0xFF, virtual)
                elif number != bus and below is None and function.below is not None:
                    secondary, subordinate = function.bus_numbers()
                    if secondary <= bus <= subordinate:
                        below, next_number = function, secondary
            if below is None or below.below is None:
                return table
            level, number = below.below, next_number
