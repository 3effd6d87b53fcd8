"""The controllers that the tables name (MADT, IORT, DMAR, IVRS, VIOT, RIMT), each with a name of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from rootplex.formats.acpi import SMMU_MODELS
from rootplex.formats.pci import sbdf_text
from rootplex.frontends.acpi.source import AcpiSource
from rootplex.frontends.document import (
    NOT_ON_FIRST_BUS,
    Missing,
    Names,
    address,
    leaf,
    listing,
    record,
    region,
    size,
    told,
    tree,
)
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.acpi.dmar import Drhd
from rootplex.readers.acpi.iort_facts import Iort, IortNode, ItsGroup, Smmu, SmmuV3
from rootplex.readers.acpi.iort_ids import own_messages
from rootplex.readers.acpi.madt import IoApic, Madt, RiscvLines
from rootplex.source.node import Node
from rootplex.source.place import Place

_SPI = 32
_GICD_SIZE = 0x1_0000
_FRAME_SIZE = 0x1000
_FUNCTION_SCOPES = (1, 2)  # endpoint, bridge (VT-d 4.1 §8.3.1)
_V3_FIELDS = {"eventq": "event_gsiv", "priq": "pri_gsiv", "cmdq_sync": "sync_gsiv", "gerror": "gerr_gsiv"}


class X86Unit(Struct, frozen=True):
    """A VT-d unit or one of AMD's: its name in the description, and its place."""

    name: str
    place: Place


class AcpiControllers:
    """All controllers of one source."""

    def __init__(
        self,
        source: AcpiSource,
        names: Names,
        missing: list[Missing],
        bridges: Sequence[tuple[AcpiHostBridge, str]],
    ) -> None:
        """`bridges` with their names: an IOMMU may be a function of one."""
        self.source = source
        self.names = names
        self.missing = missing
        self.its: dict[int, str] = {}
        """ITS id → name."""
        self.units: dict[int, str] = {}
        """Offset of an SMMU's node in IORT → name."""
        self._rest: dict[int, X86Unit] = {}
        self._named: dict[tuple[int, int], X86Unit] = {}
        self._ids: list[tuple[int, int, int, X86Unit]] = []
        """Segment, first and last bus of what a unit of IVRS names, and the unit."""
        self.virtio: dict[object, str] = {}
        """Offset of a virtio-iommu's node in VIOT → name."""
        self.riscv: dict[object, str] = {}
        """Offset of an IOMMU's node in RIMT → name."""
        self.lines: list[tuple[RiscvLines, str]] = []
        """RISC-V's PLICs or APLICs with their names."""
        self.entries_of: dict[int, str] = {}
        """Index of an MCFG entry → the first bridge that it covers."""
        self.gic: str | None = None
        self.frame: tuple[str, Place] | None = None
        """The first GICv2m frame, where there is no ITS; on RISC-V the IMSICs."""
        self.ioapics: list[tuple[IoApic, str]] = []
        self._interrupt: list[Node] = []
        self._msi: list[Node] = []
        self._iommus: list[Node] = []
        self._read_madt()
        if source.iort is not None:
            self._read_iort(source.iort)
        self._read_dmar()
        first = {
            (bridge.segment or 0, bridge.buses.first): name
            for bridge, name in bridges
            if bridge.buses is not None
        }
        self._read_ivrs(first)
        self._read_viot(first)
        self._read_rimt(first)

    def entries(self) -> dict[str, Node | None]:
        """The three lists, as far as they have entries."""
        lists = {
            "interrupt_controllers": self._interrupt,
            "msi_controllers": self._msi,
            "iommus": self._iommus,
        }
        return {key: listing(nodes, nodes[0].place) if nodes else None for key, nodes in lists.items()}

    def controller_of(self, gsi: int) -> tuple[str, int] | None:
        """(name, the language's number) of a global system interrupt; None: nobody known has it."""
        if self.source.is_arm:
            return None if self.gic is None or gsi < _SPI else (self.gic, gsi - _SPI)
        on_riscv = [(each.gsi_base, name) for each, name in self.lines if each.gsi_base <= gsi]
        if on_riscv:
            base, name = max(on_riscv)
            return name, gsi - base
        below = [(apic.gsi_base, name) for apic, name in self.ioapics if apic.gsi_base <= gsi]
        return (max(below)[1], gsi) if below else None

    def unit_of(self, segment: int, bus: int) -> X86Unit | None:
        """The unit of a host bridge on x86. DMAR: the one that names all functions of its first bus, as far
        as they are known, else the one for all the rest of its segment. IVRS: the last that names an id of
        its first bus."""
        ivrs = [unit for where, first, last, unit in self._ids if where == segment and first <= bus <= last]
        return self._named.get((segment, bus)) or self._rest.get(segment) or (ivrs[-1] if ivrs else None)

    def ats_of(self, segment: int, bus: int) -> Place | None:
        """Where ATSR names the root ports of a host bridge on x86: those of the segment, or of its first
        bus."""
        for each in () if self.source.dmar is None else self.source.dmar.atsrs:
            named = each.all_ports or any(scope.start_bus == bus for scope in each.scopes)
            if each.segment == segment and named:
                return each.place
        return None

    def _read_madt(self) -> None:
        madt = self.source.madt
        if madt is None:
            place = self.source.tables[0].place()
            self.missing.append(Missing("interrupt controllers", "there is no MADT (APIC table)", place))
            return
        for apic in madt.ioapics:
            name = self.names.take("ioapic" if len(madt.ioapics) == 1 else f"ioapic{apic.id}", "ioapic")
            self.ioapics.append((apic, name))
            self._add(self._interrupt, name, "io-apic", apic.place, base=apic.address, gsi_base=apic.gsi_base)
        self._read_gic()
        self._read_riscv(madt)
        for its in madt.its:
            name = self.names.take("its" if len(madt.its) == 1 else f"its{its.id}", "its")
            self.its[its.id] = name
            self._add(self._msi, name, "arm-gic-v3-its", its.place, base=its.base, id=its.id)
        for frame in madt.msi_frames:
            if not frame.flags & 1:
                why = "the registers of the frame say them (flag SPI Count/Base Select)"
                self.missing.append(Missing("the MSI frame's interrupts", why, frame.place))
                continue
            name = self.names.take("v2m" if len(madt.msi_frames) == 1 else f"v2m{frame.id}", "v2m")
            if self.frame is None and not madt.its:
                self.frame = name, frame.place
            self._add(
                self._msi,
                name,
                "arm-gic-v2m",
                frame.place,
                base=frame.base,
                length=_FRAME_SIZE,
                spi_base=frame.spi_base,
                spi_count=frame.spi_count,
            )

    def _read_riscv(self, madt: Madt) -> None:
        """APLICs or PLICs, and the IMSICs, as a device tree calls them."""
        for kind, compatible, cells, each in (
            *(("aplic", "riscv,aplic", 2, each) for each in madt.aplics),
            *(("plic", "riscv,plic0", 1, each) for each in madt.plics),
        ):
            alone = len(madt.aplics) + len(madt.plics) == 1
            name = self.names.take(kind if alone else f"{kind}{each.id}", kind)
            self.lines.append((each, name))
            self._add_node(self._interrupt, name, compatible, each.place, each.base, each.size, cells)
        imsic = madt.imsic
        if imsic is not None:
            name = self.names.take("imsic", "imsic")
            self.frame = name, imsic.place
            self._add_node(self._msi, name, "riscv,imsics", imsic.place, imsic.imsic, imsic.imsic_size, 0)

    def _add_node(
        self,
        entries: list[Node],
        name: str,
        compatible: str,
        place: Place,
        base: int,
        length: int,
        cells: int,
    ) -> None:
        fields: dict[str, Node | None] = {
            "name": leaf(name, place),
            "kind": leaf("dt-node", place),
            "compatible": tree([compatible], place),
            "base": leaf(address(base), place),
            "size": leaf(size(length), place),
            "cells": leaf(cells, place),
        }
        entries.append(record(place, fields, told(place)))

    def _read_gic(self) -> None:
        madt = self.source.madt
        assert madt is not None
        for gicd in madt.distributors[:1]:
            if not madt.redistributors:
                why = "MADT gives its second register block for each CPU, and the language has one"
                self.missing.append(Missing("the interrupt controller", why, gicd.place))
                return
            self.gic = self.names.take("gic", "gic")
            first = madt.redistributors[0]
            fields = {
                "name": leaf(self.gic, gicd.place),
                "kind": leaf("arm-gic-v3", gicd.place),
                "distributor": region(gicd.base, _GICD_SIZE, gicd.place),
                "redistributors": region(first.base, first.size, first.place),
            }
            self._interrupt.append(record(gicd.place, dict(fields), told(gicd.place)))
            for more in madt.redistributors[1:]:
                why = "the language has one region of redistributors"
                self.missing.append(Missing(f"redistributors at {more.base:#x}", why, more.place))

    def _read_iort(self, iort: Iort) -> None:
        smmus = [node for node in iort.nodes if isinstance(node.data, Smmu | SmmuV3)]
        for index, node in enumerate(smmus):
            name = self.names.take("smmu" if len(smmus) == 1 else f"smmu{index}", "smmu")
            self.units[node.offset] = name
            self._add_smmu(iort, node, name)
        for node in iort.nodes:
            if isinstance(node.data, ItsGroup):
                for its in node.data.ids:
                    if its not in self.its:
                        why = f"IORT names ITS {its}, which MADT does not have"
                        self.missing.append(Missing(f"ITS {its}", why, node.place))

    def _add_smmu(self, iort: Iort, node: IortNode, name: str) -> None:
        data = node.data
        if isinstance(data, SmmuV3):
            lines = {key: getattr(data, field) for key, field in _V3_FIELDS.items()}
            there = {key: gsi - _SPI for key, gsi in lines.items() if gsi >= _SPI}
            interrupts = tree(there, iort.place(node)) if there else None
            own = own_messages(iort, node)
            its = None if own is None else self.its.get(own.its)
            self._add(
                self._iommus,
                name,
                "arm-smmu-v3",
                node.place,
                base=data.base,
                interrupts=interrupts,
                msi_controller=its,
                device_id=None if own is None or its is None else own.id or None,
            )
        elif isinstance(data, Smmu):
            model = next((word for word, number in SMMU_MODELS.items() if number == data.model), None)
            if model is None:
                why = f"IORT has it as model {data.model}, and the language has no word for that"
                self.missing.append(Missing(f"the kind of the SMMU at {data.base:#x}", why, node.place))
            self._add(
                self._iommus,
                name,
                "arm-smmu-v2",
                node.place,
                base=data.base,
                length=data.span,
                model=None if model == "smmu-v2" else model,
            )

    def _read_dmar(self) -> None:
        dmar = self.source.dmar
        if dmar is None:
            return
        for unit in dmar.drhds:
            whole, single = self._buses_named(unit)
            if single or not (whole or unit.include_all):
                why = "it is for single devices, and the language gives a whole bridge to a unit"
                self.missing.append(Missing(f"the VT-d unit at {unit.base:#x}", why, unit.place))
            if not (whole or unit.include_all):
                continue
            name = self.names.take("vtd" if unit.segment == 0 else f"vtd{unit.segment}", "vtd")
            found = X86Unit(name, unit.place)
            if unit.include_all:
                self._rest[unit.segment] = found
            for bus in whole:
                self._named.setdefault((unit.segment, bus), found)
            self._add(self._iommus, name, "intel-vtd", unit.place, base=unit.base, segment=unit.segment)

    def _read_ivrs(self, first: Mapping[tuple[int, int], str]) -> None:
        """`first`: the bridges by segment and first bus."""
        ivrs = self.source.ivrs
        for unit in () if ivrs is None else ivrs.used:
            if (unit.segment, unit.device_id >> 8) not in first:
                what = sbdf_text(unit.segment, unit.device_id >> 8, unit.device_id & 0xFF)
                self.missing.append(
                    Missing(f"the AMD IOMMU at {unit.base:#x}, {what}", NOT_ON_FIRST_BUS, unit.place)
                )
                continue
            name = self.names.take("amd" if unit.segment == 0 else f"amd{unit.segment}", "amd")
            found = X86Unit(name, unit.place)
            own = unit.device_id & 0xFF
            self._add(
                self._iommus,
                name,
                "amd-iommu",
                unit.place,
                base=unit.base,
                dev=own >> 3,
                fn=own & 7,
                capability=unit.capability,
            )
            named = [each for each in unit.ids if each.special is None and each.name is None]
            self._ids += [(unit.segment, each.first >> 8, each.last >> 8, found) for each in named]

    def _read_viot(self, first: Mapping[tuple[int, int], str]) -> None:
        """Each unit as what a device tree calls it: a child node of its bridge. `first`: the bridges by
        segment and first bus."""
        viot = self.source.viot
        for unit in () if viot is None else viot.units:
            if unit.segment is None or unit.rid is None:
                why = "it is no PCI function, and the language has no words for that"
                self.missing.append(Missing(f"the virtio-iommu at {unit.base:#x}", why, unit.place))
                continue
            parent = first.get((unit.segment, unit.rid >> 8))
            if parent is None:
                what = f"the virtio-iommu {sbdf_text(unit.segment, unit.rid >> 8, unit.rid & 0xFF)}"
                self.missing.append(Missing(what, NOT_ON_FIRST_BUS, unit.place))
                continue
            name = self.virtio[unit.offset] = self.names.take("viommu", "viommu")
            fields: dict[str, Node | None] = {
                "name": leaf(name, unit.place),
                "kind": leaf("dt-node", unit.place),
                "compatible": tree(["virtio,pci-iommu"], unit.place),
                "parent": leaf(parent, unit.place),
                "dev": leaf(unit.rid >> 3 & 31, unit.place),
                "fn": leaf(unit.rid & 7, unit.place) if unit.rid & 7 else None,
                "cells": leaf(1, unit.place),
            }
            self._iommus.append(record(unit.place, fields, told(unit.place)))

    def _read_rimt(self, first: Mapping[tuple[int, int], str]) -> None:
        """Each unit, with registers of its own or as a function of its bridge."""
        rimt = self.source.rimt
        if rimt is None:
            return
        for unit in rimt.units:
            own: dict[str, Node | None]
            if unit.segment is None or unit.rid is None:
                wires = rimt.wires.get(unit.offset, ())
                lines = [each[1] for gsi in wires if (each := self.controller_of(gsi)) is not None]
                if len(lines) < len(wires):
                    why = "no PLIC and no APLIC of MADT has them"
                    self.missing.append(
                        Missing(f"interrupts of the IOMMU at {unit.base:#x}", why, unit.place)
                    )
                own = {"base": leaf(address(unit.base or 0), unit.place)}
                own["interrupts"] = tree(lines, unit.place) if lines else None
            else:
                parent = first.get((unit.segment, unit.rid >> 8))
                if parent is None:
                    what = f"the RISC-V IOMMU {sbdf_text(unit.segment, unit.rid >> 8, unit.rid & 0xFF)}"
                    self.missing.append(Missing(what, NOT_ON_FIRST_BUS, unit.place))
                    continue
                own = {
                    "parent": leaf(parent, unit.place),
                    "dev": leaf(unit.rid >> 3 & 31, unit.place),
                    "fn": leaf(unit.rid & 7, unit.place) if unit.rid & 7 else None,
                }
            name = self.riscv[unit.offset] = self.names.take("riommu", "riommu")
            fields = {"name": leaf(name, unit.place), "kind": leaf("riscv-iommu", unit.place), **own}
            self._iommus.append(record(unit.place, fields, told(unit.place)))

    def _buses_named(self, unit: Drhd) -> tuple[list[int], bool]:
        """The root buses all of whose functions the unit names, and whether it names others'."""
        named = {
            (scope.start_bus, device << 3 | function)
            for scope in unit.scopes
            if scope.type in _FUNCTION_SCOPES and len(scope.path) == 1
            for device, function in scope.path
        }
        there: dict[int, set[tuple[int, int]]] = {}
        for segment, bus, devfn in self.source.present:
            if segment == unit.segment:
                there.setdefault(bus, set()).add((bus, devfn))
        whole = [bus for bus, functions in sorted(there.items()) if functions <= named]
        single = any(functions & named and bus not in whole for bus, functions in there.items())
        return whole, single

    def _add(
        self,
        entries: list[Node],
        name: str,
        kind: str,
        place: Place,
        *,
        base: int,
        length: int | None = None,
        interrupts: Node | None = None,
        **values: int | str | None,
    ) -> None:
        fields: dict[str, Node | None] = {
            "name": leaf(name, place),
            "kind": leaf(kind, place),
            "base": leaf(address(base), place),
            "size": None if length is None else leaf(size(length), place),
            **{key: leaf(value, place) for key, value in values.items() if value is not None},
            "interrupts": interrupts,
        }
        entries.append(record(place, fields, told(place)))
