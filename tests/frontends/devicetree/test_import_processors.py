"""Which architecture a device tree's processors make of the description, and what is said of others."""

from __future__ import annotations

import pytest

from rootplex.frontends.devicetree import import_tree
from rootplex.readers.dtb import read_dtb
from rootplex.readers.dts import compile_dts

TREE = """/dts-v1/;
/ {
    #address-cells = <2>; #size-cells = <2>; compatible = "acme,board";
    cpus { #address-cells = <1>; #size-cells = <0>; %s { device_type = "cpu"; reg = <0>; %s }; };
    pcie@40000000 {
        compatible = "pci-host-ecam-generic"; device_type = "pci"; reg = <0 0x40000000 0 0x10000000>;
        #address-cells = <3>; #size-cells = <2>; ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x1000000>;
    };
};
"""

# As QEMU's own trees have them (virt of aarch64, arm, riscv64, riscv32, loongarch64; pseries).
PROCESSORS = [
    ("cpu@0", 'compatible = "arm,cortex-a72";', "arm64", False),
    ("cpu@0", 'compatible = "arm,cortex-a15";', "arm", False),
    ("cpu@0", 'compatible = "riscv"; riscv,isa = "rv64imafdch";', "riscv64", False),
    ("cpu@0", 'compatible = "riscv"; riscv,isa = "rv32imafdch";', "riscv64", True),
    ("cpu@0", 'compatible = "loongarch,Loongson-3A5000";', "arm64", True),
    ("PowerPC,POWER9@0", "", "arm64", True),
]


@pytest.mark.parametrize(("node", "properties", "arch", "other"), PROCESSORS)
def test_an_architecture_that_cannot_be_named_is_said(
    node: str, properties: str, arch: str, other: bool
) -> None:
    found = import_tree(read_dtb(compile_dts(TREE % (node, properties), "x.dts"), "x.dts"))
    head = found.document.get("platform")
    told = None if head is None else head.get("arch")
    assert told is not None
    assert (arch, other) == (told.value, any(each.what == "platform.arch" for each in found.missing))
