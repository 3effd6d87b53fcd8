"""One function's configuration space to an entry of `devices`: what registers and capabilities say.

Offsets: PCI Express Base 6.0 §7.5.1 (headers), §7.5.3 (PCI Express capability), §7.7.1-2 (MSI, MSI-X),
§7.7.11 (ACS), §7.8.8 (ARI), §10.5 (ATS), §9.3.3 (SR-IOV).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from rootplex.formats.pci import ACS_BITS, VF_ENABLE, Capability, ExtendedCapability, PcieType, SriovRegister
from rootplex.frontends.document import Hex, listing, record, size, tree
from rootplex.source.node import Node
from rootplex.source.place import Place

_TYPES = {type.value: type.word for type in PcieType}
_PORTS = ("root-port", "downstream-port")
BRIDGES = (*_PORTS, "upstream-port", "pcie-to-pci-bridge", "pci-to-pcie-bridge", "pci-bridge")
_HOST_BRIDGE_CLASS = 0x0600
_IDE = 0x0101


class BarFact(Struct, frozen=True):
    """A BAR's index, space and size in bytes, as the kernel sized it."""

    index: int
    space: str
    size: int
    prefetchable: bool


class FunctionFact(Struct, frozen=True, kw_only=True):
    """One function: its numbers, its configuration space (64 to 4096 bytes), what else is known.
    `parent` is the key of the bridge above, None on a first bus; `bars` None: sizes are not known."""

    key: str
    bus: int
    devfn: int
    parent: str | None
    config: bytes
    place: Place
    bars: Sequence[BarFact] | None = None
    ari: bool = False
    external_facing: bool = False


class Config(Struct, frozen=True):
    """Registers of a configuration space; beyond what was read they are 0."""

    data: bytes
    capabilities: Mapping[int, int] = field(default_factory=dict)
    extended: Mapping[int, int] = field(default_factory=dict)
    ends: bool = False
    """Whether the list of extended capabilities was read to its end."""

    def number(self, offset: int, width: int) -> int:
        return int.from_bytes(self.data[offset : offset + width], "little")

    @property
    def header(self) -> int:
        return self.number(0x0E, 1) & 0x7F

    @property
    def type(self) -> str:
        """The language's word. A root port without a bridge's header (the DMI port of Intel's servers) is the
        root complex's own: for Linux, nothing is below it (`pci_setup_device`)."""
        at = self.capabilities.get(Capability.EXPRESS)
        if at is not None:
            kind = _TYPES.get(self.number(at + 2, 2) >> 4 & 0xF, "endpoint")
            own = kind == PcieType.ROOT_PORT.word and self.header != 1
            return PcieType.INTEGRATED_ENDPOINT.word if own else kind
        if self.header == 1:
            return "pci-bridge"
        return "host-bridge-function" if self.number(0x0A, 2) == _HOST_BRIDGE_CLASS else "pci"

    @property
    def buses(self) -> tuple[int, int] | None:
        """(secondary, subordinate) of a bridge."""
        return (self.number(0x19, 1), self.number(0x1A, 1)) if self.header == 1 else None


def read_config(data: bytes) -> Config:
    """The capabilities of both lists by id, the first of each; loops end."""
    bare = Config(data)
    found: dict[int, int] = {}
    at = bare.number(0x34, 1) & 0xFC if bare.number(0x06, 2) & 0x10 else 0
    for _ in range(48):
        if at < 0x40 or at + 2 > min(len(data), 256):
            break
        found.setdefault(bare.number(at, 1), at)
        at = bare.number(at + 1, 1) & 0xFC
    extended: dict[int, int] = {}
    at = 0x100
    for _ in range(480):
        head = bare.number(at, 4)
        if at < 0x100 or at + 4 > len(data) or head in (0, 0xFFFFFFFF):
            break
        extended.setdefault(head & 0xFFFF, at)
        at = head >> 20 & 0xFFC
    return Config(data, found, extended, ends=at + 4 <= len(data))


def device_record(fact: FunctionFact, below: Sequence[Node], *, name: str | None = None) -> Node:
    """The entry of `devices`, with the devices below it."""
    config = read_config(fact.config)
    place = fact.place
    dev, fn = (0, fact.devfn) if fact.ari and fact.devfn > 7 else (fact.devfn >> 3, fact.devfn & 7)
    plain: dict[str, object] = {
        "name": name,
        "dev": dev,
        "fn": fn or None,
        **register_keys(config),
        "external_facing": fact.external_facing or None,
        "bars": list(map(bar_keys, fact.bars)) if fact.bars else None,
    }
    fields: dict[str, Node | None] = {
        key: None if value is None else tree(value, place) for key, value in plain.items()
    }
    if below and config.type in BRIDGES:
        fields["devices"] = listing(below, place)
    return record(place, fields, fact.key)


def register_keys(config: Config) -> dict[str, object]:
    """A device's keys by its registers; None where there is nothing to say."""
    kind = config.type
    return {
        "type": kind,
        "id": f"{config.number(0, 2):04x}:{config.number(2, 2):04x}",
        "subsystem": _subsystem(config),
        "revision": Hex(config.number(8, 1)) or None,
        "class": Hex(config.number(9, 3)),
        **_pcie(config, kind),
        **_interrupts(config),
        "pm": True if Capability.POWER_MANAGEMENT in config.capabilities else None,
        "sriov": _sriov(config),
        "bus": [Hex(bus) for bus in config.buses] if config.buses and kind in BRIDGES else None,
    }


def _subsystem(config: Config) -> str | None:
    at = config.capabilities.get(Capability.SUBSYSTEM)
    if config.header == 0:
        at = 0x28
    if at is None:
        return None
    vendor, device = config.number(at + 4, 2), config.number(at + 6, 2)
    return f"{vendor:04x}:{device:04x}" if vendor not in (0, 0xFFFF) else None


def _pcie(config: Config, kind: str) -> dict[str, object]:
    out: dict[str, object] = {}
    at = config.capabilities.get(Capability.EXPRESS)
    acs = config.extended.get(ExtendedCapability.ACS)
    if acs is not None:
        bits = config.number(acs + 4, 2)
        out["acs"] = [word for word, bit in ACS_BITS.items() if bits & bit]
    if at is not None and kind in _PORTS:
        if not config.number(at + 0x24, 4) >> 5 & 1:
            out["ari"] = False
        if config.number(at + 2, 2) & 0x100:
            slot = config.number(at + 0x14, 4)
            out["slot"] = slot >> 19 or None
            out["hotplug"] = True if slot >> 6 & 1 else None
    elif ExtendedCapability.ARI in config.extended:
        out["ari"] = True
    if ExtendedCapability.ATS in config.extended:
        out["ats"] = True
    advanced = config.capabilities.get(Capability.ADVANCED_FEATURES)
    resets = at is not None and config.number(at + 4, 4) >> 28 & 1
    if resets or (advanced is not None and config.number(advanced + 3, 1) & 2):
        out["flr"] = True
    return out


def _interrupts(config: Config) -> dict[str, object]:
    out: dict[str, object] = {}
    msi, msix = config.capabilities.get(Capability.MSI), config.capabilities.get(Capability.MSIX)
    if msi is not None:
        out["msi"] = 1 << min(config.number(msi + 2, 2) >> 1 & 7, 5)
    if msix is not None:
        out["msix"] = (config.number(msix + 2, 2) & 0x7FF) + 1
    pin = config.number(0x3D, 1)
    if 1 <= pin <= 4:
        out["pin"] = "ABCD"[pin - 1]
    return out


def bar_keys(bar: BarFact) -> dict[str, object]:
    """An entry of `bars`."""
    prefetchable = {"prefetchable": True} if bar.prefetchable and bar.space != "io" else {}
    return {"index": bar.index, "space": bar.space, "size": size(bar.size), **prefetchable}


def is_legacy_ide(class_code: int, index: int) -> bool:
    """Whether the kernel shows the ISA ports of an IDE channel there, in place of a BAR: the channel is in
    compatibility mode (bits 0 and 2 of the programming interface; PCI IDE Controller 1.0 §2.1-2.2)."""
    native = 1 if index < 2 else 4
    return class_code >> 8 == _IDE and index < 4 and not class_code & native


def _sriov(config: Config) -> dict[str, object] | None:
    at = config.extended.get(ExtendedCapability.SRIOV)
    if at is None:
        return None
    found: dict[str, object] = {
        "total": config.number(at + SriovRegister.TOTAL_VFS, 2),
        "offset": config.number(at + SriovRegister.FIRST_VF_OFFSET, 2),
        "stride": config.number(at + SriovRegister.VF_STRIDE, 2),
        "vf_id": Hex(config.number(at + SriovRegister.VF_DEVICE, 2)),
    }
    enabled = config.number(at + SriovRegister.NUM_VFS, 2)
    if config.number(at + SriovRegister.CONTROL, 2) & VF_ENABLE and enabled:
        found["enabled"] = enabled
    return found
