"""Our pages beside those of a live QEMU: every function of the zoo, register by register.

Where the two differ on purpose, the register stands in `DIFFERENT` with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.backends.qemu.qemu_zoo import described, running, zoo
from tests.qtest_machine import Machine, bars, facts

from rootplex.backends.configspace import config_space
from rootplex.known.reader import model
from rootplex.model.device import Device

Pair = tuple[bytes, bytes]
At = tuple[int, int, int]

PM, MSI, MSIX, EXPRESS, AER, ACS = 0x01, 0x05, 0x11, 0x10, 0x01, 0x0D

SECONDARY_RESET = 0x0040_0000

# Registers of the header (dwords) that differ, with the bits in question.
DIFFERENT = {
    ("writable", 0x04): (0x0000_0040, "QEMU has no parity error response"),
    ("writable", 0x0C): (0x0000_FF00, "QEMU has no latency timer; a conventional function of ours does"),
    ("writable", 0x18): (0xFF00_0000, "QEMU lets the latency timer of a PCI Express port be written"),
    ("reset", 0x18): (0x00FF_FFFF, "the test's own bus numbers"),
    ("reset", 0x04): (
        0x00A0_0000,
        "QEMU's PCI bridges say 66 MHz and fast back-to-back; a simulated bus has none",
    ),
    ("reset", 0x1C): (0x00A0_F1F1, "QEMU's I/O windows have 16 bits, and are open at 0 on some bridges"),
    ("reset", 0x20): (0x0000_FFF0, "QEMU leaves the window of some bridges open at 0 after reset"),
    ("reset", 0x24): (0x0000_FFF0, "as at 0x20"),
    ("writable", 0x30): (0xFFFF_FFFF, "QEMU's I/O windows have 16 bits"),
    ("reset", 0x34): (0xFF, "capabilities stand where they come to stand"),
    ("writable", 0x3C): (SECONDARY_RESET, "not tried: it would reset everything below"),
}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[Device, Pair, Machine, At]]]:
    """Each described function: (device, our (reset, writable), the machine, where it is there)."""
    value = zoo()
    made = config_space(value)
    pages = made.pages.data
    numbers = dict(_pages(made.config.data, dict(made.ids)))
    with running(value, tmp_path_factory.mktemp("qemu")) as (chip, found):
        yield [
            (device, _pair(pages, numbers[bridge.name, device.key]), chip, found[path])
            for path, (bridge, device) in described(value).items()
        ]


def _pages(config: bytes, ids: dict[str, tuple[str, str]]) -> Iterator[tuple[tuple[str, str], int]]:
    import json

    for function in json.loads(config)["functions"]:
        yield ids[function["id"]], function["page"]


def _pair(pages: bytes, page: int) -> Pair:
    at = page * 8192
    return pages[at : at + 4096], pages[at + 4096 : at + 8192]


def dword(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def test_headers_are_qemus_but_for_the_listed_bits(
    compared: list[tuple[Device, Pair, Machine, At]],
) -> None:
    wrong, used = [], set()
    for device, (reset, writable), chip, at in compared:
        live = chip.page(*at)
        for offset in range(0, 0x40, 4):
            bars_end, rom = (0x18, 0x38) if device.is_bridge else (0x28, 0x30)
            if 0x10 <= offset < bars_end or offset == rom:
                continue  # BARs and ROMs: below, by what they decode
            keep = SECONDARY_RESET if offset == 0x3C else 0
            for kind, ours, theirs in (
                ("reset", dword(reset, offset), dword(live, offset)),
                ("writable", dword(writable, offset), chip.writable(*at, offset, keep=keep)),
            ):
                if ours != theirs:
                    used.add((kind, offset))
                if (ours ^ theirs) & ~DIFFERENT.get((kind, offset), (0, ""))[0]:
                    wrong.append(f"{device.model} {kind} {offset:#x}: {ours:#x}, QEMU {theirs:#x}")
    assert wrong == []
    assert used == set(DIFFERENT), "a listed difference is none"


def test_a_kernel_sizes_the_same_bars(compared: list[tuple[Device, Pair, Machine, At]]) -> None:
    for device, (reset, writable), chip, at in compared:
        theirs, rom = bars(chip, *at)
        ours = []
        for bar in theirs:
            offset = 0x10 + 4 * int(str(bar["index"]))
            assert dword(reset, offset) & 0xF == dword(chip.page(*at), offset) & 0xF
            mask = dword(writable, offset)
            if bar["space"] == "mem64":
                mask |= dword(writable, offset + 4) << 32
            ours.append({**bar, "size": mask & -mask})
        assert ours == theirs, device.model
        if rom is not None:
            mask = dword(writable, 0x38 if device.is_bridge else 0x30) & ~1
            assert mask & -mask == rom, device.model


def test_capabilities_say_the_same(compared: list[tuple[Device, Pair, Machine, At]]) -> None:
    """What the language describes is equal; AER is on each of our PCI Express functions."""
    for device, (reset, _), chip, at in compared:
        ours, theirs = facts(reset), facts(chip.page(*at))
        for key in ("id", "class_code", "revision", "subsystem", "header", "multifunction", "pin"):
            assert getattr(ours, key) == getattr(theirs, key), (device.model, key)
        for key in ("pcie_type", "acs", "ari", "ats", "flr", "pm", "msi", "msix", "sriov"):
            assert getattr(ours, key) == getattr(theirs, key), (device.model, key)
        assert ours.aer == (device.pcie_type is not None)
        assert device.model is not None
        assert device.acs is not None or theirs.acs is None or "acs" in model(device.model)


def test_capability_registers_can_be_written_as_in_qemu(
    compared: list[tuple[Device, Pair, Machine, At]],
) -> None:
    """MSI, MSI-X and ACS control, and PCI Express bits that Linux uses: (capability, offset, bits)."""
    registers = {
        "capabilities": ((MSI, 0x00, 0x0001_0000), (MSI, 0x04, 0xFFFF_FFFC), (MSIX, 0x00, 0xFFFF_0000)),
        "extended": ((ACS, 0x04, 0xFFFF_FFFF),),
    }
    for device, (reset, writable), chip, at in compared:
        for kind, entries in registers.items():
            ours, theirs = getattr(facts(reset), kind), getattr(facts(chip.page(*at)), kind)
            for id, offset, bits in entries:
                if id in ours:
                    mask = chip.writable(*at, theirs[id] + offset)
                    assert (dword(writable, ours[id] + offset) ^ mask) & bits == 0, (device.model, id)
        express = facts(reset).capabilities.get(EXPRESS)
        if express and device.type in ("root-port", "downstream-port"):
            live = facts(chip.page(*at)).capabilities[EXPRESS]
            for offset, bits in ((0x24, 0x20), (0x14, 0x40), (0x00, 0x01F0_0000)):
                mask = dword(reset, express + offset) ^ dword(chip.page(*at), live + offset)
                assert mask & bits == 0, (device.model, hex(offset))
            assert dword(writable, express + 0x28) & 0x20 == 0x20  # ARI forwarding can be switched on
            assert chip.writable(*at, live + 0x28) & 0x20 == 0x20


def test_a_conventional_function_has_no_extended_space(
    compared: list[tuple[Device, Pair, Machine, At]],
) -> None:
    for device, (reset, _), chip, at in compared:
        if device.pcie_type is None:
            assert set(reset[0x100:]) == {0xFF} == set(chip.page(*at)[0x100:]), device.model


def test_the_pcie_root_port_has_its_capabilities_where_qemu_has_them(
    compared: list[tuple[Device, Pair, Machine, At]],
) -> None:
    _, (reset, _), chip, at = next(each for each in compared if each[0].model == "qemu:pcie-root-port")
    assert facts(reset).capabilities == facts(chip.page(*at)).capabilities
    assert facts(reset).extended == facts(chip.page(*at)).extended
