"""The kernel's command line, as far as it concerns PCI: `pci=` (`pci.c:pci_setup`, on x86 first
`arch/x86/pci/common.c:pcibios_setup`; Documentation/admin-guide/kernel-parameters.txt).

Options are told by how they begin, as the kernel does. What a kernel does not know it ignores with a line
in its log; what it knows and is not simulated is said, so that nobody takes the simulation for the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

Effect: TypeAlias = Literal["simulated", "indifferent", "other"]
"""What an option does: something that is simulated with it; nothing to what is simulated; something to what
is simulated, which is not."""

EXACT: dict[str, Effect] = {
    "nomsi": "other",
    "noaer": "indifferent",
    "earlydump": "indifferent",
    "nodomains": "other",
}
BEGINNINGS: dict[str, Effect] = {
    "cbiosize=": "indifferent",
    "cbmemsize=": "indifferent",
    "noats": "simulated",
    "realloc": "other",
    "noari": "simulated",
    "notph": "indifferent",
    "resource_alignment=": "other",
    "ecrc=": "indifferent",
    "hpiosize=": "other",
    "hpmmiosize=": "other",
    "hpmmioprefsize=": "other",
    "hpmemsize=": "other",
    "hpbussize=": "simulated",
    "pcie_bus_tune_off": "indifferent",
    "pcie_bus_safe": "indifferent",
    "pcie_bus_perf": "indifferent",
    "pcie_bus_peer2peer": "indifferent",
    "pcie_scan_all": "simulated",
    "disable_acs_redir=": "simulated",
    "config_acs=": "simulated",
}

X86_EXACT: dict[str, Effect] = {
    "off": "other",
    "bfsort": "indifferent",
    "nobfsort": "indifferent",
    "bios": "other",
    "nobios": "indifferent",
    "biosirq": "indifferent",
    "conf1": "other",
    "conf2": "other",
    "nommconf": "other",
    "check_enable_amd_mmconf": "other",
    "noacpi": "other",
    "noearly": "indifferent",
    "usepirqmask": "indifferent",
    "rom": "other",
    "norom": "other",
    "nobar": "other",
    "assign-busses": "simulated",
    "use_crs": "indifferent",
    "nocrs": "other",
    "use_e820": "other",
    "no_e820": "indifferent",
    "big_root_window": "other",
    "routeirq": "indifferent",
    "skip_isa_align": "indifferent",
    "noioapicquirk": "indifferent",
    "ioapicreroute": "indifferent",
    "noioapicreroute": "indifferent",
}
X86_BEGINNINGS: dict[str, Effect] = {
    "irqmask=": "indifferent",
    "pirqaddr=": "indifferent",
    "lastbus=": "other",
}

DEFAULT_HOTPLUG_BUSES = 1
_LINE = re.compile(r"\s+")


class Unheeded(Struct, frozen=True):
    """An option that is not followed: it does `other` things, or is `unknown` to the kernel."""

    word: str
    why: Literal["other", "unknown"]


class PciOptions(Struct, frozen=True, kw_only=True):
    """What `pci=` says. `hotplug_buses`: bus numbers that a hot-plug bridge is given at least. `scan_all`:
    all device numbers are looked at below a port. `assign_buses`: bus numbers are given anew (x86).
    `disable_acs_redir` and `config_acs` are the texts behind those words, as `acs` reads them."""

    ari: bool = True
    ats: bool = True
    scan_all: bool = False
    assign_buses: bool = False
    hotplug_buses: int = DEFAULT_HOTPLUG_BUSES
    disable_acs_redir: str = ""
    config_acs: str = ""
    unheeded: tuple[Unheeded, ...] = ()


def pci_options(line: str | None, *, arch: str, config_acs: bool) -> PciOptions:
    """The options of a command line; None: there is none. `config_acs`: this kernel knows that option."""
    exact, beginnings = dict(EXACT), dict(BEGINNINGS)
    if arch == "x86_64":
        exact, beginnings = X86_EXACT | exact, X86_BEGINNINGS | beginnings
    if not config_acs:
        del beginnings["config_acs="]
    found: dict[str, str] = {}
    unheeded: list[Unheeded] = []
    for word in _options(line or ""):
        name = word if word in exact else next((each for each in beginnings if word.startswith(each)), None)
        if name is None:
            unheeded.append(Unheeded(word, "unknown"))
            continue
        effect = exact.get(name) or beginnings[name]
        if effect == "other":
            unheeded.append(Unheeded(word, "other"))
        elif effect == "simulated":
            found[name] = word.removeprefix(name)
    return PciOptions(
        ari="noari" not in found,
        ats="noats" not in found,
        scan_all="pcie_scan_all" in found,
        assign_buses="assign-busses" in found,
        hotplug_buses=_hotplug_buses(found.get("hpbussize=")),
        disable_acs_redir=found.get("disable_acs_redir=", ""),
        config_acs=found.get("config_acs=", ""),
        unheeded=tuple(unheeded),
    )


def _options(line: str) -> Iterator[str]:
    """The comma-separated words of every `pci=`, up to `--`, behind which a line is the first program's."""
    for argument in _LINE.split(line.strip()):
        if argument == "--":
            return
        if argument.startswith("pci="):
            yield from filter(None, argument.removeprefix("pci=").strip('"').split(","))


def _hotplug_buses(text: str | None) -> int:
    """`simple_strtoul`, base 0: what does not begin with a digit is 0; more than 0xff is the default."""
    if text is None:
        return DEFAULT_HOTPLUG_BUSES
    match = re.match(r"0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([0-9]+)", text)
    if match is None:
        return 0
    hexadecimal, octal, decimal = match.groups()
    number = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
    return DEFAULT_HOTPLUG_BUSES if number > 0xFF else number
