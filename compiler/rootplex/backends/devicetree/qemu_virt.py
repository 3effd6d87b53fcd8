"""QEMU's machine `virt,gic-version=3`, all but its memory, GIC, ITS, SMMU and host bridge.

Addresses, interrupts and names are those of QEMU 7.2 with one CPU (hw/arm/virt.c: base_memmap,
a15irqmap). With `virtualization=on` there is an EL2, and PSCI is called by SMC, else by HVC (machvirt_init).
Interrupts: <type number flags>, type 0 an SPI, 1 a PPI; flags 1 edge-rising, 4 level-high.
"""

from __future__ import annotations

from rootplex.backends.devicetree.tree import Node, Ref, cells, flag, registers, rows, text, wide, word
from rootplex.model.platform import Platform

MODEL = "linux,dummy-virt"
COMPATIBLE = (MODEL,)
CONSOLE = "/pl011@9000000"
BUS, BRIDGE = None, "pcie"

_GIC, _CLOCK, _CPU, _GPIO = "gic", "/apb-pclk", "/cpu0", "/gpio"
_VIRTIO_BASE, _VIRTIO_STEP, _VIRTIO_SPI, _VIRTIO_COUNT = 0xA00_0000, 0x200, 16, 32


def one_cpu(key: str, *around: str) -> Node:
    """`cpu-map` of one core, in what is around it from the inside out."""
    node = Node(name="core0", properties=(cells("cpu", Ref(key)),))
    for name in (*around, "cpu-map"):
        node = Node(name=name, children=(node,))
    return node


def flash(*bases: int, size: int) -> Node:
    """Two banks of flash."""
    return Node(
        name=f"flash@{bases[0]:x}",
        properties=(
            text("compatible", "cfi-flash"),
            rows("reg", *((*wide(base), *wide(size)) for base in bases)),
            cells("bank-width", 4),
        ),
    )


def platform_bus(base: int, parent: str) -> Node:
    """Where QEMU puts devices that are asked for."""
    return Node(
        name=f"platform-bus@{base:x}",
        properties=(
            text("compatible", "qemu,platform", "simple-bus"),
            cells("#address-cells", 1),
            cells("#size-cells", 1),
            cells("ranges", 0, 0, base, 0x200_0000),
            cells("interrupt-parent", Ref(parent)),
        ),
    )


_CPUS = Node(
    name="cpus",
    properties=(cells("#address-cells", 1), cells("#size-cells", 0)),
    children=(
        Node(
            name="cpu@0",
            key=_CPU,
            label="cpu0",
            properties=(text("device_type", "cpu"), text("compatible", "arm,cortex-a57"), cells("reg", 0)),
        ),
        one_cpu(_CPU, "cluster0", "socket0"),
    ),
)


def _psci(method: str) -> Node:
    return Node(
        name="psci",
        properties=(
            text("compatible", "arm,psci-1.0", "arm,psci-0.2", "arm,psci"),
            text("method", method),
            cells("cpu_suspend", 0xC400_0001),
            cells("cpu_off", 0x8400_0002),
            cells("cpu_on", 0xC400_0003),
            cells("migrate", 0xC400_0005),
        ),
    )


_TIMER = Node(
    name="timer",
    properties=(
        text("compatible", "arm,armv8-timer", "arm,armv7-timer"),
        rows("interrupts", *(tuple(word(cell) for cell in (1, ppi, 4)) for ppi in (13, 14, 11, 10))),
        flag("always-on"),
    ),
)

_PMU = Node(
    name="pmu",
    properties=(text("compatible", "arm,armv8-pmuv3"), cells("interrupts", 1, 7, 4)),
)

_APB_CLOCK = Node(
    name="apb-pclk",
    key=_CLOCK,
    label="apb_pclk",
    properties=(
        text("compatible", "fixed-clock"),
        cells("#clock-cells", 0),
        cells("clock-frequency", 24_000_000),
        text("clock-output-names", "clk24mhz"),
    ),
)

_UART = registers(
    "pl011",
    0x900_0000,
    0x1000,
    text("compatible", "arm,pl011", "arm,primecell"),
    cells("interrupts", 0, 1, 4),
    cells("clocks", Ref(_CLOCK), Ref(_CLOCK)),
    text("clock-names", "uartclk", "apb_pclk"),
)

_RTC = registers(
    "pl031",
    0x901_0000,
    0x1000,
    text("compatible", "arm,pl031", "arm,primecell"),
    cells("interrupts", 0, 2, 4),
    cells("clocks", Ref(_CLOCK)),
    text("clock-names", "apb_pclk"),
)

_FW_CFG = registers(
    "fw-cfg",
    0x902_0000,
    0x18,
    text("compatible", "qemu,fw-cfg-mmio"),
    flag("dma-coherent"),
)

_GPIO_PINS = registers(
    "pl061",
    0x903_0000,
    0x1000,
    text("compatible", "arm,pl061", "arm,primecell"),
    cells("interrupts", 0, 7, 4),
    flag("gpio-controller"),
    cells("#gpio-cells", 2),
    cells("clocks", Ref(_CLOCK)),
    text("clock-names", "apb_pclk"),
    key=_GPIO,
)

_KEYS = Node(
    name="gpio-keys",
    properties=(text("compatible", "gpio-keys"),),
    children=(
        Node(
            name="poweroff",
            properties=(
                text("label", "GPIO Key Poweroff"),
                cells("linux,code", 116),
                cells("gpios", Ref(_GPIO), 3, 0),
            ),
        ),
    ),
)


def _virtio(slot: int) -> Node:
    base = _VIRTIO_BASE + slot * _VIRTIO_STEP
    return registers(
        "virtio_mmio",
        base,
        _VIRTIO_STEP,
        text("compatible", "virtio,mmio"),
        cells("interrupts", 0, _VIRTIO_SPI + slot, 1),
        flag("dma-coherent"),
    )


def nodes(platform: Platform) -> tuple[Node, ...]:
    """Its nodes below the root, in the order in which they are written."""
    return (
        _CPUS,
        _psci("smc" if platform.virtualization else "hvc"),
        _TIMER,
        _PMU,
        _APB_CLOCK,
        flash(0, 0x400_0000, size=0x400_0000),
        _UART,
        _RTC,
        _FW_CFG,
        _GPIO_PINS,
        _KEYS,
        *(_virtio(slot) for slot in range(_VIRTIO_COUNT)),
        platform_bus(0xC00_0000, _GIC),
    )
