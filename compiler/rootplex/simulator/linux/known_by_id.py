"""What this kernel does with a function since it knows its id (`drivers/pci/quirks.c`; `known/linux.yaml`).

What the hardware image says of a function, since its description does, comes before what is known by the id.
"""

from __future__ import annotations

from collections.abc import Sequence

from rootplex.formats.pci import Capability, PcieType
from rootplex.known.devices import Identity, Row, known
from rootplex.simulator.function import ACS_SV, PCIE_TO_PCI, AcsAnswer, Function
from rootplex.simulator.linux import capabilities
from rootplex.simulator.linux.access import Accessor
from rootplex.simulator.linux.kernel import Kernel

LPC, RCBA, RCBA_ENABLED = 0x1F << 3, 0xF0, 1
"""The chipset's bridge to its registers in memory, and whether they are there (`INTEL_LPC_RCBA_REG`)."""

QAT_EXPRESS = 0x50
DWORD_CONTROL = 8


def apply(kernel: Kernel, access: Accessor, function: Function) -> None:
    """Fill in `acs_quirk`, `aliases`, `bridge_alias` and where ACS control is, and correct class and type."""
    image = kernel.hardware.functions.get(function.page)
    rows = known(_identity(function), kernel.profile.knows)
    for row in rows:
        _correct(row, access, function)
    by_id = set()
    told = image.told_aliases if image is not None else None
    if told is not None:
        function.aliases = told
    else:
        found = (alias for row in rows if row.kind == "alias" for alias in row.aliases(function.devfn))
        function.aliases = tuple(dict.fromkeys(found))
        by_id |= {"alias"} if function.aliases else set()
    if image is not None and image.acs_quirk is not None:
        function.acs_quirk = "isolated" if image.acs_quirk == "isolated" else None
    else:
        function.acs_quirk = _answer(rows, kernel, access, function)
        by_id |= {"acs"} if function.acs_quirk else set()
    function.known_by_id = frozenset(by_id)


def _identity(function: Function) -> Identity:
    kind = function.pcie_type
    return Identity(
        vendor=function.vendor,
        device=function.device,
        type=PcieType(kind).word if kind in list(PcieType) else None,
        class_code=function.class_code,
        revision=function.revision,
        subsystem=function.subsystem,
    )


def _correct(row: Row, access: Accessor, function: Function) -> None:
    """What a row changes of the function at once. ATS is looked at later: `ats` rows are `ats_is_off`."""
    match row.kind, row.effect:
        case "class", int(code):
            function.class_code = code
        case "bridge", "secondary":
            function.bridge_alias = "secondary" if _hides_express(function) else None
        case "bridge", str(effect):
            function.bridge_alias = effect
        case "acs", "dword-control":
            function.acs_control = DWORD_CONTROL
        case "acs", "pch-registers":
            function.acs_elsewhere = True
        case "acs", "without-sv":
            function.acs_hidden = ACS_SV
        case "ats", "off":
            function.ats_is_off = True
        case "registers", "hidden-express":
            _find_express(access, function)


def _hides_express(bridge: Function) -> bool:
    """A conventional bridge right below PCIe leads from PCIe to PCI (`quirk_use_pcie_bridge_dma_alias`)."""
    above = bridge.bus.bridge
    conventional = bridge.is_bridge and bridge.pcie_type is None
    return conventional and above is not None and above.pcie_type not in (None, PCIE_TO_PCI)


def _find_express(access: Accessor, function: Function) -> None:
    """The PCIe capability behind the end of a list that ends too early (`quirk_intel_qat_vf_cap`)."""
    bus, devfn = function.bus.number, function.devfn
    listed = capabilities.standard(access, bus, devfn, function.header)
    msi = listed.get(Capability.MSI)
    if Capability.EXPRESS in listed or msi is None or access.read(bus, devfn, msi + 1, 1):
        return
    if access.read(bus, devfn, QAT_EXPRESS, 2) == Capability.EXPRESS:
        function.pcie_capability = QAT_EXPRESS
        function.pcie_type = access.read(bus, devfn, QAT_EXPRESS + 2, 2) >> 4 & 0xF
        if access.read(bus, devfn, capabilities.EXTENDED_START, 4) != capabilities.ALL_ONES:
            function.config_size = capabilities.CONFIG_SIZE


def _answer(rows: Sequence[Row], kernel: Kernel, access: Accessor, function: Function) -> AcsAnswer | None:
    """The first row's answer (`pci_dev_specific_acs_enabled`); None: the capability is asked."""
    for row in rows:
        match row.kind, row.effect:
            case "acs", "isolated" | "shared" as answer:
                return answer
            case "acs", "southbridge" if kernel.amd_vi:
                return "southbridge"
            case "acs", "pch-registers":
                return "isolated" if _sets_registers(kernel, access, function) else "shared"
    return None


def _sets_registers(kernel: Kernel, access: Accessor, function: Function) -> bool:
    """Whether the kernel gets at the chipset's registers (`pci_quirk_enable_intel_pch_acs`); where there is
    no bridge to them, all bits read as one."""
    enabled = access.read(function.bus.number, LPC, RCBA, 4) & RCBA_ENABLED
    return kernel.acs.requested and bool(enabled)
