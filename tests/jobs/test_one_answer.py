"""What several parts ask of firmware has one answer: of several bus descriptors the last, as Linux takes it
(drivers/acpi/pci_root.c, get_root_bridge_busnr_callback), and `_DMA`, which is read as it
is written."""

from __future__ import annotations

import pytest
from tests.acpica import compiled, needs_acpiexec

from rootplex.backends.artifact import Compiled
from rootplex.backends.compilation import compile_platform
from rootplex.checks.acpi_tables import bridges
from rootplex.checks.facts import Facts
from rootplex.frontends.acpi import import_acpi, source_of
from rootplex.frontends.description.reading import description_of
from rootplex.jobs.describe import read_checked
from rootplex.jobs.joining import acpi_traits, join_boards
from rootplex.jobs.readback import artifacts_of
from rootplex.jobs.validate import bridge_of
from rootplex.model.bridge import HostBridge
from rootplex.readers.acpi.header import Table, read_table
from rootplex.readers.buses import Buses
from rootplex.simulator.firmware.facts import AcpiFirmware, acpi_firmware
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.resources import AddressMap, PortMap
from rootplex.simulator.linux.rootbridges_acpi import AcpiProbe, bring_up, find_bridges

pytestmark = needs_acpiexec

SOURCE = """
DefinitionBlock ("", "DSDT", 2, "VENDOR", "BOARD", 1) {{ Scope (\\_SB) {{ Device (PCI0)
{{
    Name (_HID, EisaId ("PNP0A08")) Name (_CID, EisaId ("PNP0A03")) Name (_CBA, 0x40000000)
    Name (_CCA, One)
    Name (_CRS, ResourceTemplate () {{
        {buses}
        DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
            0, 0x10000000, 0x1FFFFFFF, 0, 0x10000000)
    }})
    {more}
}} }} }}
"""
RANGE = "WordBusNumber (ResourceProducer, {fixed}, PosDecode, 0, {first}, {last}, 0, {length})"


def buses(*ranges: tuple[int, int]) -> str:
    """Bus descriptors; of a range that begins where it ends an empty one."""
    return " ".join(
        RANGE.format(
            fixed="MinFixed, MaxFixed" if first < last else "MinNotFixed, MaxNotFixed",
            first=first,
            last=last,
            length=last - first + 1 if first < last else 0,
        )
        for first, last in ranges
    )


def dsdt(buses: str, more: str = "") -> Table:
    return compiled(SOURCE.format(buses=buses, more=more), "dsdt.aml")


def imported(*tables: Table) -> HostBridge:
    document = import_acpi(source_of(tables, "dump")).document
    platform = description_of(document, "dump").platform
    assert platform is not None
    return platform.host_bridges[0]


def simulated(acpi: AcpiFirmware) -> tuple[int, int]:
    """The buses that Dom0 takes the only bridge to have."""
    settings = Settings(arch="arm64", firmware="acpi", kernel="linux-7.2")
    probe = AcpiProbe(settings, acpi, AddressMap(), PortMap())
    ((bridge, root),) = find_bridges(probe)
    bring_up(bridge, root, probe)
    return root.first_bus, root.last_bus


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        (((0, 0x3F), (0x80, 0x8F)), (0x80, 0x8F)),
        (((0x80, 0x8F), (0, 0x3F)), (0, 0x3F)),
        (((0x20, 0x2F), (0x10, 0x10)), (0x20, 0x2F)),
    ],
    ids=["two", "the other way round", "the last one empty"],
)
def test_of_several_bus_ranges_all_take_the_last_that_is_not_empty(
    ranges: tuple[tuple[int, int], ...], expected: tuple[int, int]
) -> None:
    table = dsdt(buses(*ranges))
    acpi: AcpiFirmware = acpi_firmware([table])
    (bridge,) = acpi.namespace.bridges
    assert Buses(*expected) == bridge.buses
    assert Buses(*expected) == acpi_traits(bridge, ()).buses
    (joined,) = join_boards(None, acpi)
    assert expected == bridge_of(joined).bus_range
    assert [Buses(*expected)] == [each.buses for each in bridges(Facts(acpi=acpi))]
    assert expected == simulated(acpi)
    read = imported(table).bus_range
    assert expected == (read.first, read.last)


def test_import_reads_what_devices_reach() -> None:
    dma = """
    Name (_DMA, ResourceTemplate () {
        QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
            0, 0x0, 0x3FFFFFFF, 0x80000000, 0x40000000)
        DWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
            0, 0xC0000000, 0xFFFFFFFF, 0, 0x40000000)
    })
    """
    windows = imported(dsdt(buses((0, 0xFF)), dma)).dma_windows
    assert windows is not None
    assert [(0, 0x80000000, 1 << 30), (0xC0000000, 0xC0000000, 1 << 30)] == [
        (each.pci, each.cpu, each.size) for each in windows
    ]


def test_import_of_a_bridge_that_reaches_all() -> None:
    assert imported(dsdt(buses((0, 0xFF)))).dma_windows is None


def test_what_is_compiled_comes_back() -> None:
    """`dma_windows` through `dma-ranges` and `_DMA` to `dma_windows`."""
    text = """\
rootplex: 1
platform: {name: reach, arch: arm64}
memory: [{base: 0x8000_0000, size: 1GiB}]
host_bridges:
  - name: one
    segment: 0
    config: {base: 0x4000_0000}
    windows: [{space: mem32, pci: 0x1000_0000, size: 256MiB}]
    dma_windows: [{pci: 0, cpu: 0x8000_0000, size: 1GiB}]
"""
    checked = read_checked(text.encode(), "reach.yaml")
    assert checked.platform is not None
    done: Compiled = compile_platform(checked.platform, simulated_only=True)
    tables = [read_table(blob.data, blob.file) for blob in artifacts_of(done).tables]
    windows = imported(*tables).dma_windows
    assert windows is not None
    assert [(0, 0x80000000, 1 << 30)] == [(each.pci, each.cpu, each.size) for each in windows]
