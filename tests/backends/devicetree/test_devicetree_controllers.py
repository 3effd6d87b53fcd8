"""Controllers' nodes as dtc reads them, against their bindings."""

from __future__ import annotations

from typing import Any

from tests.backends.devicetree.dtc_text import Properties, checked
from tests.backends.platforms import gic, host_bridge, intx, its, msi, platform, smmu

from rootplex.backends.devicetree import device_tree
from rootplex.model.controllers import GicV2, GicV2m, SmmuV2
from rootplex.model.numbers import Region
from rootplex.model.platform import Memory


def nodes_of(bridge: Any = None, **overrides: Any) -> dict[str, Properties]:
    return checked(device_tree(platform(bridge or host_bridge(), **({"base": "none"} | overrides))))


def test_a_gicv2_with_a_message_frame() -> None:
    """arm,gic.yaml: the frame is a child; `arm,msi-base-spi` is an interrupt ID."""
    nodes = nodes_of(
        host_bridge(msi=msi("v2m"), iommu=None),
        interrupt_controllers=(
            GicV2(
                name="gic",
                distributor=Region(0x2C01_0000, 0x1000),
                cpu_interface=Region(0x2C02_F000, 0x2000),
                maintenance=9,
            ),
        ),
        msi_controllers=(GicV2m(name="v2m", base=0x2C1C_0000, size=0x1000, spi_base=64, spi_count=96),),
        iommus=(),
    )
    controller = nodes["/interrupt-controller@2c010000"]
    assert controller["compatible"] == ("arm,gic-400",)
    assert controller["reg"] == (0, 0x2C01_0000, 0, 0x1000, 0, 0x2C02_F000, 0, 0x2000)
    assert controller["interrupts"] == (1, 9, 4)  # a PPI, level-high, as in arm,gic.yaml's example
    assert (controller["#interrupt-cells"], controller["#address-cells"]) == ((3,), (2,))
    frame = nodes["/interrupt-controller@2c010000/v2m@2c1c0000"]
    assert frame["compatible"] == ("arm,gic-v2m-frame",)
    assert (frame["arm,msi-base-spi"], frame["arm,msi-num-spis"]) == ((64,), (96,))
    assert nodes["/pcie@4010000000"]["msi-map"] == (0, *frame["phandle"], 0, 0x1_0000)
    assert nodes["/"]["interrupt-parent"] == controller["phandle"]


def test_an_its_without_a_gic_stands_below_the_root() -> None:
    nodes = nodes_of(host_bridge(intx=None, iommu=None), interrupt_controllers=(), iommus=())
    assert nodes["/msi-controller@8080000"]["compatible"] == ("arm,gic-v3-its",)


def test_every_its_is_inside_the_first_gic() -> None:
    second = its(name="its2", base=0x900_0000)
    nodes = nodes_of(msi_controllers=(its(), second))
    assert [path for path in nodes if "msi-controller" in path] == [
        "/interrupt-controller@8000000/msi-controller@8080000",
        "/interrupt-controller@8000000/msi-controller@9000000",
    ]


def test_an_smmuv3_has_the_lines_that_are_there() -> None:
    nodes = nodes_of(iommus=(smmu(priq=None, cmdq_sync=None),))
    unit = nodes["/iommu@9050000"]
    assert unit["interrupts"] == (0, 74, 1, 0, 77, 1)
    assert unit["interrupt-names"] == ("eventq", "gerror")


def test_an_smmuv2_names_its_global_interrupt_first() -> None:
    unit = SmmuV2(name="smmu", base=0xFD80_0000, size=0x2_0000, interrupts=(155, 156), stream_id_bits=15)
    node = nodes_of(iommus=(unit,))["/iommu@fd800000"]
    assert node["compatible"] == ("arm,smmu-v2",)
    assert node["#global-interrupts"] == (1,)
    assert node["interrupts"] == (0, 155, 4, 0, 156, 4)


def test_an_smmu_of_version_1_and_the_messages_of_one_of_version_3() -> None:
    old = SmmuV2(
        name="smmu", base=0xFD80_0000, size=0x2_0000, interrupts=(155,), stream_id_bits=15, model="mmu-401"
    )
    new = smmu(name="new", msi_controller="its", device_id=0x1_0000)
    nodes = nodes_of(iommus=(old, new))
    assert nodes["/iommu@fd800000"]["compatible"] == ("arm,mmu-401",)
    assert nodes["/iommu@9050000"]["msi-parent"][1:] == (0x1_0000,)


def test_memory_and_the_root() -> None:
    nodes = nodes_of(
        memory=(Memory(base=0x8000_0000, size=0x7F00_0000), Memory(base=0x8_8000_0000, size=0x1_8000_0000)),
        compatible=("arm,juno-r2", "arm,juno"),
        model="ARM Juno development board (r2)",
        console="serial0:115200n8",
    )
    assert nodes["/"]["compatible"] == ("arm,juno-r2", "arm,juno")
    assert nodes["/"]["model"] == ("ARM Juno development board (r2)",)
    assert nodes["/memory@880000000"]["reg"] == (8, 0x8000_0000, 1, 0x8000_0000)
    assert nodes["/chosen"] == {"stdout-path": ("serial0:115200n8",)}


def test_a_disabled_controller_says_so() -> None:
    assert nodes_of(interrupt_controllers=(gic(enabled=False),))["/interrupt-controller@8000000"][
        "status"
    ] == ("disabled",)


def test_bridges_may_have_different_interrupt_controllers() -> None:
    other = gic(
        name="gic2", distributor=Region(0x700_0000, 0x1_0000), redistributors=Region(0x710_0000, 0x4_0000)
    )
    nodes = nodes_of(host_bridge(intx=intx("gic2")), interrupt_controllers=(gic(), other))
    bridge = nodes["/pcie@4010000000"]
    assert bridge["interrupt-map"][4] == nodes["/interrupt-controller@7000000"]["phandle"][0]


def test_the_base_machines_gic_is_the_roots_and_holds_its_its() -> None:
    described = gic(name="other", distributor=Region(0x700_0000, 0x1_0000))
    nodes = nodes_of(base="qemu-virt", interrupt_controllers=(described, gic(built_in=True)))
    assert nodes["/"]["interrupt-parent"] == nodes["/interrupt-controller@8000000"]["phandle"]
    assert "/interrupt-controller@8000000/msi-controller@8080000" in nodes
