"""What is different in a virtual function (PCIe 6.0 §9.3.4 and §9.3.6).

Its vendor and device id read ffff (the PF's SR-IOV capability has the real one), it decodes no BAR of
its own, has no INTx pin, and most of its control bits are the PF's.
"""

from __future__ import annotations

from rootplex.backends.configspace import express
from rootplex.backends.configspace.header import CAPABILITY_LIST, COMMON, STATUS_ERRORS, TYPE_0
from rootplex.backends.configspace.page import Bits, Page
from rootplex.backends.configspace.shape import Shape
from rootplex.model.device import PCIE_TYPE

BUS_MASTER = 0x0004


def shape_of_virtual(physical: Shape) -> Shape:
    """A VF's shape: it can be reset alone, and has the capabilities that are said of it, else its PF's; of
    its interrupts the messages."""
    sriov = physical.sriov
    assert sriov is not None
    return physical._replace(
        acs=sriov.acs if sriov.own_acs else physical.acs,
        multifunction=False,
        next_function=0,
        flr=True,
        pm=False,
        msi=0,
        msix=(physical.msix or physical.msi) if sriov.msix is None else sriov.msix,
        pin=None,
        disintx=False,
        bars=(),
        rom=None,
        sriov=None,
        function=0,
    )


def write_header(page: Page, shape: Shape, capabilities: int) -> None:
    vendor, device = shape.subsystem or (0, 0)
    page.write(
        0,
        COMMON,
        vendor=0xFFFF,
        device=0xFFFF,
        command=Bits(0, BUS_MASTER),
        status=Bits(CAPABILITY_LIST, 0, STATUS_ERRORS),
        revision=shape.revision,
        class_code=shape.class_code,
        cache_line_size=Bits(),
        capabilities=capabilities,
        interrupt_line=Bits(),
    )
    page.write(0, TYPE_0, subsystem_vendor=vendor, subsystem=device)


def write_express(page: Page, at: int, shape: Shape) -> None:
    """Device status is the VF's own; device and link control are the PF's and read as zero."""
    page.write(
        at,
        express.TABLE,
        capabilities=express.VERSION | PCIE_TYPE[shape.type] << 4,
        device_capabilities=express.ROLE_BASED_ERRORS | express.FUNCTION_LEVEL_RESET,
        device_control=Bits(),
        link_capabilities=express.LINK if shape.type != "integrated-endpoint" else 0,
        device_capabilities_2=express.COMPLETION_TIMEOUT_DISABLE,
    )
