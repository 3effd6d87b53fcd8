"""The place map: what is in the tree leads back to the line it was described on."""

from __future__ import annotations

from msgspec.structs import replace
from tests.backends.devicetree.dtc_text import read, rows
from tests.backends.platforms import device, host_bridge, intx, iommu, msi, places, platform, window

from rootplex.backends.devicetree import device_tree
from rootplex.model.bridge import DtView
from rootplex.source.place import DtPlace, Place, Span

NODE = "/pcie@4010000000"


def line(source: Place | None) -> int:
    assert isinstance(source, Span)
    return source.line


def test_properties_and_cells_lead_to_their_lines() -> None:
    windows = (
        replace(window("mem32", 0x1000_0000, 0x1000), places=places("pci", whole=100)),
        replace(window("mem32", 0x2000_0000, 0x1000), places=places("space", "pci", "size", whole=200)),
    )
    wires = replace(intx(), places=places("controller", "irqs.0", "irqs.1", "irqs.2", "irqs.3", whole=300))
    ids = msi()
    ids = replace(ids, entries=(replace(ids.entries[0], places=places("rid", "id", "count", whole=400)),))
    streams = replace(iommu(mask=0xFF00), places=places("unit", "mask", whole=500))
    streams = replace(streams, entries=(replace(streams.entries[0], places=places(whole=500)),))
    port = device(1, type="root-port", external_facing=True)
    bridge = host_bridge(
        windows=windows,
        intx=wires,
        msi=ids,
        iommu=streams,
        dt=DtView(properties=(("num-lanes", 4),), places=places("properties.num-lanes", whole=600)),
        places=places("segment", "bus_range", "bus_range.0", "bus_range.1", "windows", whole=10),
        devices=(replace(port, places=places("dev", "external_facing", whole=700)),),
    )
    bridge = replace(bridge, config=replace(bridge.config, places=places("base", whole=20)))
    tree = device_tree(platform(bridge, base="none"))

    def at(name: str | None = None, cell: int | None = None, node: str = NODE) -> int:
        return line(tree.dtb().places.source(DtPlace("x.dtb", node, name, cell)))

    assert at() == 10
    assert at("linux,pci-domain") == at("linux,pci-domain", 0) == 11
    assert (at("bus-range"), at("bus-range", 0), at("bus-range", 1)) == (12, 13, 14)
    assert (at("reg"), at("reg", 1), at("reg", 3)) == (21, 21, 20)
    assert (at("ranges"), at("ranges", 0), at("ranges", 2), at("ranges", 6)) == (15, 100, 101, 100)
    assert (at("ranges", 7), at("ranges", 8), at("ranges", 11), at("ranges", 13)) == (201, 202, 202, 203)
    assert at("msi-map", 0) == 401
    assert (at("msi-map", 1), at("msi-map", 2), at("msi-map", 3)) == (400, 402, 403)
    assert (at("iommu-map", 2), at("iommu-map-mask", 0)) == (500, 502)
    assert at("num-lanes") == 601
    assert at("device_type") == 10  # the nearest thing that somebody wrote
    assert at(node=f"{NODE}/pcie@1") == 700
    assert at("external-facing", node=f"{NODE}/pcie@1") == 702
    entries = rows(read(tree.dtb().data)[NODE]["interrupt-map"], 10)
    for index, entry in enumerate(entries):
        assert at("interrupt-map", index * 10 + 8) == 302 + (3, 4, 5, 6).index(entry[8])
        assert at("interrupt-map", index * 10 + 4) == 301


def test_the_text_has_the_same_map() -> None:
    tree = device_tree(platform())
    assert tree.dts().places is tree.dtb().places


def test_what_the_machine_brought_has_no_place() -> None:
    tree = device_tree(platform())
    assert tree.places.source(DtPlace("x.dtb", "/pl011@9000000", "reg", 0)) is None
