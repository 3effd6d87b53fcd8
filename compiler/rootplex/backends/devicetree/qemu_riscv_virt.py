"""QEMU's riscv64 machine `virt`, all but its memory and host bridges.

Addresses, interrupts and names are those of hw/riscv/virt.c (`virt_memmap`, `VIRT_*_IRQ`,
`create_fdt_*`) with one CPU: QEMU 7.2's instructions, which later ones have too, and the properties
of the bindings (riscv,aplic.yaml, riscv,imsics.yaml) as QEMU 10 writes them. OpenSBI reads the tree before
Linux does: it needs the CLINT, the machine's level of APLIC and IMSIC, and `riscv,pmu`.
"""

from __future__ import annotations

from msgspec import Struct

from rootplex.backends.devicetree.qemu_virt import flash, one_cpu, platform_bus
from rootplex.backends.devicetree.tree import Node, Property, Ref, Word, cells, flag, registers, rows, text
from rootplex.model.platform import Aia, Platform

MODEL = "riscv-virtio,qemu"
COMPATIBLE = ("riscv-virtio",)
CONSOLE = "/soc/serial@10000000"
BUS, BRIDGE = "soc", "pci"

_CPU, _HART, _TEST = "/cpu0", "/cpu0-intc", "/test"
_MACHINE_SOFTWARE, _MACHINE_TIMER, _MACHINE_EXTERNAL, _SUPERVISOR_EXTERNAL = 3, 7, 11, 9
"""Interrupts of a hart (Privileged Architecture, mcause)."""
_LEVEL_HIGH = 4
_SOURCES, _MESSAGES = 96, 255
_EXTENSIONS = {
    "none": "zicsr_zifencei_zihintpause_zba_zbb_zbc_zbs_sstc",
    "aplic": "zicsr_zifencei_zihintpause_zba_zbb_zbc_zbs_sstc",
    "aplic-imsic": "zicsr_zifencei_zihintpause_zba_zbb_zbc_zbs_smaia_ssaia_sstc",
}
_EVENTS = (
    (0x1, 0x1, 0x7FFF9),
    (0x2, 0x2, 0x7FFFC),
    (0x10019, 0x10019, 0x7FFF8),
    (0x1001B, 0x1001B, 0x7FFF8),
    (0x10021, 0x10021, 0x7FFF8),
)
"""SBI events and the counters that count them (target/riscv/pmu.c)."""


class _Level(Struct, frozen=True):
    """APLIC and IMSIC of one privilege level: their keys, addresses, and the hart's interrupt."""

    aplic: str
    aplic_base: int
    imsic: str
    imsic_base: int
    interrupt: int


_MACHINE = _Level("/aplic-m", 0xC00_0000, "/imsic-m", 0x2400_0000, _MACHINE_EXTERNAL)
_SUPERVISOR = _Level("aplic", 0xD00_0000, "imsic", 0x2800_0000, _SUPERVISOR_EXTERNAL)


def nodes(platform: Platform) -> tuple[Node, ...]:
    """Its nodes below the root, in the order in which they are written."""
    parent = "plic" if platform.aia == "none" else "aplic"
    return (
        Node(name="aliases", properties=(text("serial0", CONSOLE),)),
        _cpus(platform.aia),
        Node(
            name="pmu",
            properties=(
                text("compatible", "riscv,pmu"),
                rows("riscv,event-to-mhpmcounters", *(tuple(Word(each) for each in row) for row in _EVENTS)),
            ),
        ),
        registers("fw-cfg", 0x1010_0000, 0x18, text("compatible", "qemu,fw-cfg-mmio"), flag("dma-coherent")),
        flash(0x2000_0000, 0x2200_0000, size=0x200_0000),
        _switch("poweroff", 0x5555),
        _switch("reboot", 0x7777),
        platform_bus(0x400_0000, parent),
        Node(
            name="soc",
            properties=(
                text("compatible", "simple-bus"),
                cells("#address-cells", 2),
                cells("#size-cells", 2),
                flag("ranges"),
            ),
            children=(
                registers(
                    "test",
                    0x10_0000,
                    0x1000,
                    text("compatible", "sifive,test1", "sifive,test0", "syscon"),
                    key=_TEST,
                ),
                _device(
                    "rtc", 0x10_1000, 0x1000, 11, platform.aia, text("compatible", "google,goldfish-rtc")
                ),
                registers(
                    "clint",
                    0x200_0000,
                    0x1_0000,
                    text("compatible", "sifive,clint0", "riscv,clint0"),
                    _hart(_MACHINE_SOFTWARE, _MACHINE_TIMER),
                ),
                *_interrupt_controllers(platform.aia),
                _device(
                    "serial",
                    0x1000_0000,
                    0x100,
                    10,
                    platform.aia,
                    text("compatible", "ns16550a"),
                    cells("clock-frequency", 3_686_400),
                ),
                *(
                    _device(
                        "virtio_mmio",
                        0x1000_0000 + slot * 0x1000,
                        0x1000,
                        slot,
                        platform.aia,
                        text("compatible", "virtio,mmio"),
                    )
                    for slot in range(1, 9)
                ),
            ),
        ),
    )


def _cpus(aia: Aia) -> Node:
    hart = Node(
        name="interrupt-controller",
        key=_HART,
        label="cpu0_intc",
        properties=(
            text("compatible", "riscv,cpu-intc"),
            flag("interrupt-controller"),
            cells("#address-cells", 0),
            cells("#interrupt-cells", 1),
        ),
    )
    cpu = Node(
        name="cpu@0",
        key=_CPU,
        label="cpu0",
        properties=(
            text("device_type", "cpu"),
            text("compatible", "riscv"),
            cells("reg", 0),
            text("status", "okay"),
            text("riscv,isa", f"rv64imafdch_{_EXTENSIONS[aia]}"),
            text("riscv,isa-base", "rv64i"),
            text("riscv,isa-extensions", *"imafdch", *_EXTENSIONS[aia].split("_")),
            text("mmu-type", "riscv,sv48"),
        ),
        children=(hart,),
    )
    return Node(
        name="cpus",
        properties=(
            cells("#address-cells", 1),
            cells("#size-cells", 0),
            cells("timebase-frequency", 10_000_000),
        ),
        children=(cpu, one_cpu(_CPU, "cluster0")),
    )


def _interrupt_controllers(aia: Aia) -> tuple[Node, ...]:
    if aia == "none":
        plic = registers(
            "interrupt-controller",
            0xC00_0000,
            0x60_0000,
            text("compatible", "sifive,plic-1.0.0", "riscv,plic0"),
            flag("interrupt-controller"),
            cells("#address-cells", 0),
            cells("#interrupt-cells", 1),
            _hart(_MACHINE_EXTERNAL, _SUPERVISOR_EXTERNAL),
            cells("riscv,ndev", _SOURCES - 1),
            key="plic",
        )
        return (plic,)
    imsics = tuple(_imsic(level) for level in (_MACHINE, _SUPERVISOR)) if aia == "aplic-imsic" else ()
    # OpenSBI 1.1 reads `riscv,delegate`, later ones and the binding have the other word.
    delegation = tuple(
        cells(name, Ref(_SUPERVISOR.aplic), 1, _SOURCES) for name in ("riscv,delegation", "riscv,delegate")
    )
    children = cells("riscv,children", Ref(_SUPERVISOR.aplic))
    return (*imsics, _aplic(_MACHINE, aia, children, *delegation), _aplic(_SUPERVISOR, aia))


def _aplic(level: _Level, aia: Aia, *more: Property) -> Node:
    return registers(
        "interrupt-controller",
        level.aplic_base,
        0x8000,
        text("compatible", "qemu,aplic", "riscv,aplic"),
        flag("interrupt-controller"),
        cells("#address-cells", 0),
        cells("#interrupt-cells", 2),
        cells("msi-parent", Ref(level.imsic)) if aia == "aplic-imsic" else _hart(level.interrupt),
        cells("riscv,num-sources", _SOURCES),
        *more,
        key=level.aplic,
    )


def _imsic(level: _Level) -> Node:
    return registers(
        "interrupt-controller",
        level.imsic_base,
        0x1000,
        text("compatible", "qemu,imsics", "riscv,imsics"),
        flag("interrupt-controller"),
        cells("#address-cells", 0),
        cells("#interrupt-cells", 0),
        flag("msi-controller"),
        cells("#msi-cells", 0),
        _hart(level.interrupt),
        cells("riscv,num-ids", _MESSAGES),
        key=level.imsic,
    )


def _hart(*interrupts: int) -> Property:
    """Where a controller's output goes: lines of the one hart."""
    return cells("interrupts-extended", *(cell for line in interrupts for cell in (Ref(_HART), line)))


def _device(name: str, base: int, size: int, line: int, aia: Aia, *properties: Property) -> Node:
    """A device with a line of its own."""
    plic = aia == "none"
    return registers(
        name,
        base,
        size,
        *properties,
        cells("interrupt-parent", Ref("plic" if plic else _SUPERVISOR.aplic)),
        cells("interrupts", line, *(() if plic else (_LEVEL_HIGH,))),
    )


def _switch(name: str, value: int) -> Node:
    return Node(
        name=name,
        properties=(
            text("compatible", f"syscon-{name}"),
            cells("regmap", Ref(_TEST)),
            cells("offset", 0),
            cells("value", value),
        ),
    )
