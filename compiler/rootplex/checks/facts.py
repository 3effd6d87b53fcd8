"""What checks look at: the description, the bytes read back, what the simulation did, and who is who.

Nothing here is computed from the description: `dt` and `acpi` are readings of artifact bytes, compiled
ones and vendors' alike, so a check on them holds for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Literal

from msgspec import Struct, field

from rootplex.model.bridge import Firmware, HostBridge
from rootplex.model.device import Device
from rootplex.model.platform import Platform
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.readers.acpi.tables import AcpiTables
from rootplex.readers.buses import Buses
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.platform_dt import DtController
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware
from rootplex.simulator.function import Function
from rootplex.simulator.inputs import Settings
from rootplex.source.finding import Finding
from rootplex.source.place import Place


class Joined(Struct, frozen=True):
    """One host bridge as the artifacts have it; None or empty where one does not.

    `name` is the description's, else the device tree's path or the AML path.
    """

    name: str
    dt: DtHostBridge | None = None
    acpi: AcpiHostBridge | None = None
    mcfg: tuple[McfgEntry, ...] = ()

    @property
    def is_on(self) -> bool:
        """Whether the firmware has it switched on: by the device tree where that has it, else by ACPI."""
        if self.dt is not None:
            return self.dt.is_on
        return self.acpi is None or self.acpi.is_on is not False

    @property
    def buses(self) -> Buses | None:
        """Its buses, likewise."""
        if self.dt is not None:
            return self.dt.buses
        return None if self.acpi is None else self.acpi.buses


def unmapped(place: Place) -> Place:
    """The place itself: for artifacts that no description made."""
    return place


class Facts(Struct, frozen=True, kw_only=True, dict=True):
    """The facts about one platform, as far as they are known.

    A check is called only where what it needs is there (`Needs` in the registry). `names` are all names that
    the author wrote, also of parts too faulty to be in `platform`. `pages` gives the author's name of a
    hardware page, `devices` the description's device. `source` gives the description's place for an
    artifact's, where there is a description; the driver places findings by it. `hypervisor` is None on bare
    metal, `for_xen` whether a description speaks of Xen: this one, or the one that a board is held against.
    `settings` is how the machine is simulated, where it is. `reserved` are (base, end) that a running
    machine's memory map reserves. `found` is what earlier checks have said.
    """

    described: Platform | None = None
    names: frozenset[str] = frozenset()
    pages: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, Device] = field(default_factory=dict)
    arch: str = "arm64"
    hypervisor: Literal["xen"] | None = "xen"
    for_xen: bool = False
    settings: Settings | None = None
    dt: DtFirmware | None = None
    acpi: AcpiFirmware | None = None
    bridges: tuple[Joined, ...] = ()
    outcome: Outcome | None = None
    reserved: tuple[tuple[int, int], ...] = ()
    source: Callable[[Place], Place] = unmapped
    found: tuple[Finding, ...] = ()

    @property
    def platform(self) -> Platform:
        """The description; only checks that need `description` may ask for it."""
        assert self.described is not None
        return self.described

    @property
    def described_bridges(self) -> tuple[HostBridge, ...]:
        """The description's host bridges; none without one."""
        return () if self.described is None else self.described.host_bridges

    @cached_property
    def described_in(self) -> dict[Firmware, tuple[HostBridge, ...]]:
        """The description's host bridges as each firmware has them; none without one."""
        described = self.described
        return {each: () if described is None else described.bridges_in(each) for each in ("dt", "acpi")}

    def described_bridge(self, name: str) -> HostBridge | None:
        """The description's host bridge of a name."""
        return self._described_by_name.get(name)

    @cached_property
    def _described_by_name(self) -> dict[str, HostBridge]:
        return {bridge.name: bridge for bridge in reversed(self.described_bridges)}

    @property
    def dt_bridges(self) -> tuple[DtHostBridge, ...]:
        """All host bridges of the device tree, disabled ones too."""
        return () if self.dt is None else self.dt.bridges

    @cached_property
    def dt_controllers(self) -> dict[str, DtController]:
        """The controllers and IOMMUs of the device tree by their paths, disabled ones too."""
        return {} if self.dt is None else {each.path: each for each in self.dt.platform.controllers}

    @property
    def acpi_bridges(self) -> tuple[AcpiHostBridge, ...]:
        """All host bridges of AML, also those that are not there."""
        return () if self.acpi is None else self.acpi.namespace.bridges

    @property
    def tables(self) -> AcpiTables:
        """The ACPI tables; none without any."""
        return AcpiTables(()) if self.acpi is None else self.acpi

    @property
    def host(self) -> str:
        """What messages call the owner of devices that no guest has."""
        return "the host" if self.hypervisor is None else "Dom0"

    def device_name(self, function: Function) -> str:
        """What messages call a function: the author's name for it, else its SBDF."""
        return self.pages.get(function.page) or function.sbdf

    def joined(self, path: str) -> Joined | None:
        """The bridge at a device tree path or an AML path."""
        return self._by_path.get(path)

    def name_of(self, path: str) -> str:
        """The description's name of the bridge at a device tree path or an AML path, else the path."""
        joined = self.joined(path)
        return path if joined is None else joined.name

    def named(self, name: str) -> Joined | None:
        """The bridge of a name."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Joined]:
        return {each.name: each for each in reversed(self.bridges)}

    @cached_property
    def _by_path(self) -> dict[str, Joined]:
        sides = ((side.path, each) for each in self.bridges for side in (each.dt, each.acpi) if side)
        found: dict[str, Joined] = {}
        for path, each in sides:
            found.setdefault(path, each)
        return found

    def owner_of(self, entry: McfgEntry) -> str | None:
        """The name of the bridge that an MCFG entry means."""
        return self._owners.get(entry.offset)

    @cached_property
    def _owners(self) -> dict[int, str]:
        return {entry.offset: each.name for each in reversed(self.bridges) for entry in each.mcfg}

    def pairs(self) -> Iterator[tuple[Joined, DtHostBridge, AcpiHostBridge]]:
        """The bridges that both firmwares have and enable."""
        for each in self.bridges:
            if each.dt is not None and each.acpi is not None:
                yield each, each.dt, each.acpi
