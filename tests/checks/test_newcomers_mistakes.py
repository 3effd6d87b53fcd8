"""Mistakes of people who describe their first board: each has one message, which alone leads to the mend.

The board is the bundled one of three segments without what it expects; a change is made in its second bridge
where it is found there. The texts are in `newcomers_mistakes.txt`; `ROOTPLEX_RENEW=1` writes it anew, to be
read aloud.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.checks.golden import hold, told

from rootplex.backends.refusal import CannotCompile
from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions
from rootplex.source.finding import Finding, Level, Unreadable, in_order

SEGMENT, BUSES, CONFIG = "segment: 1\n", "bus_range: [0x40, 0x7f]", "{base: 0x40_1400_0000}"
WINDOW = "{space: mem32, pci: 0x2000_0000, size: 256MiB}"
IO = "{space: io, pci: 0x0, cpu: 0x3eff_0000, size: 64KiB}"
WINDOWS = f"windows:\n      - {WINDOW}\n      - {{space: mem64, pci: 0xa0_0000_0000, size: 128GiB}}\n"
MSI, IOMMU, INTX = (
    "{controller: its}",
    "{unit: smmu}",
    "{controller: gic, irqs: [3, 4, 5, 6], swizzle: false}",
)


def window(new: str) -> tuple[str, str]:
    return WINDOW, f"{{{new}}}"


def iommu(map: str) -> tuple[str, str]:
    return IOMMU, f"{{unit: smmu, {map}}}"


def config(new: str) -> tuple[str, str]:
    return CONFIG, f"{{{new}}}"


def node(new: str) -> tuple[str, str]:
    return f"intx: {INTX}\n", f"intx: {INTX}\n    dt: {{properties: {{{new}}}}}\n"


MISTAKES: dict[str, dict[str, tuple[str, str]]] = {
    "segments and buses": {
        "one number for two bridges": (SEGMENT, "segment: 0\n"),
        "a bridge copied whole": (BUSES, "bus_range: [0, 0x3f]"),
        "a number left out": (SEGMENT, "hot_pluggable: false\n"),
        "a name for a number": (SEGMENT, "segment: pci1\n"),
        "the device tree's word": (SEGMENT, "domain: 1\n"),
        "eight bits too many": (SEGMENT, "segment: 0x10000\n"),
        "buses as people say them": (BUSES, "bus_range: 0x40-0x7f"),
        "hexadecimal without 0x": (BUSES, "bus_range: [40, 7f]"),
        "the last bus first": (BUSES, "bus_range: [0x7f, 0x40]"),
        "how many instead of the last": (BUSES, "bus_range: [0x40, 64]"),
        "all buses at a part of the space": (BUSES, "bus_range: [0, 0xff]"),
        "the address of bus 0": (CONFIG, "{base: 0x40_1000_0000}"),
        "an address with a digit moved": (CONFIG, "{base: 0x40_1400_1000}"),
        "below zero": (SEGMENT, "segment: -1\n"),
        "nothing behind the colon": (SEGMENT, "segment:\n"),
        "a list of one": (SEGMENT, "segment: [1]\n"),
        "an address for a segment": (SEGMENT, "segment: 0x40_1400_0000\n"),
        "one bus too many": (BUSES, "bus_range: [0x40, 0x100]"),
        "the first bus alone": (BUSES, "bus_range: [0x40]"),
        "a dash for an underscore": (BUSES, "bus-range: [0x40, 0x7f]"),
        "first and last by name": (BUSES, "bus_range: {first: 0x40, last: 0x7f}"),
        "the next bridge's space": (CONFIG, "{base: 0x40_1800_0000}"),
        "a size without its unit": (CONFIG, "{base: 0x40_1400_0000, size: 64}"),
        "one bus for a port": ("slot: 2\n", "slot: 2\n        bus: 0x41\n"),
        "one name for two bridges": ("name: second", "name: main"),
        "an MCFG of one bus": (SEGMENT, "segment: 1\n    acpi: {mcfg: [0x40, 0x40]}\n"),
    },
    "windows": {
        "a unit of ten": window("space: mem32, pci: 0x2000_0000, size: 256MB"),
        "a unit forgotten": window("space: mem32, pci: 0x2000_0000, size: 256"),
        "the last address as a size": window("space: mem32, pci: 0x2000_0000, size: 0x2fff_ffff"),
        "an end for a size": window("space: mem32, pci: 0x2000_0000, end: 0x2fff_ffff"),
        "hexadecimal digits as decimal": window("space: mem32, pci: 20000000, size: 256MiB"),
        "hexadecimal with an h": window("space: mem32, pci: 20000000h, size: 256MiB"),
        "32 bits beyond 4 GiB": window("space: mem32, pci: 0xb0_0000_0000, size: 256MiB"),
        "a window in RAM": window("space: mem32, pci: 0x4000_0000, size: 256MiB"),
        "another bridge's window": window("space: mem32, pci: 0x1000_0000, size: 256MiB"),
        "over the interrupt controller": window("space: mem32, pci: 0x0800_0000, size: 256MiB"),
        "over its own configuration space": window(
            "space: mem32, pci: 0x2000_0000, cpu: 0x40_1400_0000, size: 256MiB"
        ),
        "a word for a space": window("space: memory, pci: 0x2000_0000, size: 256MiB"),
        "pci and cpu swapped": (IO, "{space: io, pci: 0x3eff_0000, cpu: 0x0, size: 64KiB}"),
        "ports without an address": (IO, "{space: io, pci: 0x0, size: 64KiB}"),
        "one window, no list": (WINDOWS, f"windows: {WINDOW}\n"),
        "yes": window("space: mem32, pci: 0x2000_0000, size: 256MiB, prefetchable: yes"),
        "no windows": (f"    {WINDOWS}", ""),
        "no size": window("space: mem32, pci: 0x2000_0000"),
        "base for pci": window("space: mem32, base: 0x2000_0000, size: 256MiB"),
        "the binding's word for all": (f"windows:\n      - {WINDOW}", f"ranges:\n      - {WINDOW}"),
        "a space before the unit": window("space: mem32, pci: 0x2000_0000, size: 256 MiB"),
        "all of 32 bits": window("space: mem32, pci: 0x2000_0000, size: 4GiB"),
        "less than a port passes on": window("space: mem32, pci: 0x2000_0000, size: 4KiB"),
        "off a page": window("space: mem32, pci: 0x2000_0010, size: 128MiB"),
        "over the SMMU": window("space: mem32, pci: 0x0900_0000, size: 1MiB"),
        "one twice": (WINDOW, f"{WINDOW}\n      - {WINDOW}"),
        "beyond the address bits": window(
            "space: mem32, pci: 0x2000_0000, cpu: 0x20_0000_0000_0000, size: 1MiB"
        ),
        "prefetchable for all": window("space: mem32, pci: 0x2000_0000, size: 256MiB, prefetchable: true"),
        "over another's configuration space": window(
            "space: mem32, pci: 0x2000_0000, cpu: 0x40_1000_0000, size: 16MiB"
        ),
    },
    "maps": {
        "a name for a map": (f"msi: {MSI}", "msi: its"),
        "the other's key": (IOMMU, "{controller: smmu}"),
        "the other's controller": (f"msi: {MSI}", "msi: {controller: smmu}"),
        "an entry, no list": iommu("map: {rid: 0x4000, id: 0x4000, count: 0x4000}"),
        "cells as in a device tree": iommu("map: [0x4000, smmu, 0x4000, 0x4000]"),
        "bus, device and function": iommu('map: [{rid: "41:00.0", id: 0x4100, count: 1}]'),
        "the bus for the requester": iommu("map: [{rid: 0x40, id: 0x4000, count: 0x4000}]"),
        "requesters of another bus": iommu("map: [{rid: 0, id: 0x4000, count: 0x4000}]"),
        "another bridge's ids": iommu("map: [{rid: 0x4000, id: 0, count: 0x4000}]"),
        "ids beyond the unit": iommu("map: [{rid: 0x4000, id: 0x10000, count: 0x4000}]"),
        "a mask of functions": iommu("mask: 0xff"),
        "the binding's word": iommu("map: [{rid: 0x4000, id: 0x4000, length: 0x4000}]"),
        "an entry over another": iommu(
            "map: [{rid: 0x4000, id: 0x4000, count: 0x4000}, {rid: 0x4100, id: 0x8000, count: 0x100}]"
        ),
        "a map beside the parent": (
            f"msi: {MSI}",
            "msi: {controller: its, parent: true, map: [{rid: 0x4000, id: 0x4000, count: 0x4000}]}",
        ),
        "no MSIs": (f"msi: {MSI}\n", "proximity: 0\n"),
        "no count": iommu("map: [{rid: 0x4000, id: 0x4000}]"),
        "the segment in the requester": iommu("map: [{rid: 0x14000, id: 0x4000, count: 0x4000}]"),
        "another name for a stream": iommu("map: [{rid: 0x4000, sid: 0x4000, count: 0x4000}]"),
        "a mask of the upper half": iommu("mask: 0xffff0000"),
        "one id for all": iommu("map: [{rid: 0x4000, id: 0x4000, count: 1}]"),
        "a list for the unit": (IOMMU, "{unit: [smmu]}"),
        "a controller that is none": (
            MSI,
            "{controller: its, map: [{rid: 0x4000, id: 0x4000, count: 0x4000, controller: its2}]}",
        ),
        "the interrupt controller": (MSI, "{controller: gic}"),
        "DeviceIDs beyond the ITS": (
            MSI,
            "{controller: its, map: [{rid: 0x4000, id: 0x1_0000, count: 0x4000}]}",
        ),
        "the other bridge's DeviceIDs": (
            MSI,
            "{controller: its, map: [{rid: 0x4000, id: 0, count: 0x4000}]}",
        ),
        "lines of the SMMU": (INTX, "{controller: gic, irqs: [74, 75, 76, 77]}"),
        "lines of the ITS": (INTX, "{controller: its, irqs: [3, 4, 5, 6]}"),
        "device 40": (INTX, "{controller: gic, map: [{dev: 40, pin: A, irq: 3}]}"),
    },
    "the device tree of a bridge": {
        "a kind in capitals": config("kind: ECAM, base: 0x40_1400_0000"),
        "an address for a map": (CONFIG, "0x40_1400_0000"),
        "words in another order": config("base: 0x40_1400_0000, compatible: pci-host-generic-ecam"),
        "a comma without quotes": config("base: 0x40_1400_0000, compatible: [vendor,pcie]"),
        "registers without the space": config(
            "base: 0x40_1400_0000, registers: [{name: dbi, base: 0x5000_0000, size: 64KiB}]"
        ),
        "three lines": (INTX, "{controller: gic, irqs: [3, 4, 5], swizzle: false}"),
        "interrupt ids beyond": (INTX, "{controller: gic, irqs: [1035, 1036, 1037, 1038], swizzle: false}"),
        "an edge": (INTX, "{controller: gic, irqs: [3, 4, 5, 6], trigger: edge-rising}"),
        "ranges a cell short": node("ranges: [0x02000000, 0, 0x20000000, 0, 0x20000000, 0x10000000]"),
        "reg in one cell each": node("reg: [0x40, 0x14000000]"),
        "two cells of address": node('"#address-cells": 2'),
        "a status that is none": node("status: enabled"),
        "a mask of three cells": node("interrupt-map-mask: [0, 0, 7]"),
        "a property misspelt": node("dma-coherant: true"),
        "another domain": node('"linux,pci-domain": 0'),
        "a string of another layout": config("base: 0x40_1400_0000, compatible: pci-host-cam-generic"),
        "a string of registers": config('base: 0x40_1400_0000, compatible: "brcm,bcm2711-pcie"'),
        "a quirk without one": config("kind: quirk, base: 0x40_1400_0000"),
        "bits for bytes": config("base: 0x40_1400_0000, sizes: 32"),
        "a property beside properties": (
            f"intx: {INTX}\n",
            f'intx: {INTX}\n    dt: {{"linux,pci-domain": 5}}\n',
        ),
        "a label of two words": (f"intx: {INTX}\n", f"intx: {INTX}\n    dt: {{label: pcie 1}}\n"),
        "a comma in a name": node("linux,pci-domain: 1"),
        "a type that is none": node("device_type: pcie"),
        "buses of nine bits": node("bus-range: [0x40, 0x140]"),
        "half a bus range": node("bus-range: [0x40]"),
        "numbers in a text": node('reg: "0x40 0x14000000 0x0 0x4000000"'),
        "a phandle by number": node("iommu-map: [0x4000, 1, 0x4000, 0x4000]"),
        "a line without a controller": node("interrupt-map: [0, 0, 0, 1, 3]"),
        "a mask of messages": node("msi-map-mask: 0xff"),
        "one cell of size": node('"#size-cells": 1'),
        "three cells of a pin": node('"#interrupt-cells": 3'),
    },
}

CASES = [(part, what) for part, mistakes in MISTAKES.items() for what in mistakes]
TEXTS = Path(__file__).parent / "newcomers_mistakes.txt"


def board(checkout: Path, old: str, new: str) -> bytes:
    """The board with the mistake in its second bridge, or in the first where only that has the text."""
    text = (checkout / "topologies" / "qemu-virt-three-segments.yaml").read_text(encoding="utf-8")
    text = text.partition("expect:")[0]
    begin = text.index("  - name: second")
    at = text.find(old, begin)
    at = text.index(old) if at < 0 else at
    return (text[:at] + new + text[at + len(old) :]).encode()


def reported(data: bytes) -> tuple[Finding, ...]:
    try:
        checked = read_checked(data, "board.yaml")
    except Unreadable as error:
        return error.findings
    if not checked.is_sound:
        return in_order(checked.findings)
    try:
        return examine(checked, RunOptions()).findings
    except CannotCompile as refusal:
        return (*checked.findings, *refusal.findings)


def test_twenty_of_each() -> None:
    assert all(len(mistakes) >= 20 for mistakes in MISTAKES.values())


@pytest.mark.parametrize(("part", "what"), CASES)
def test_one_message_leads_to_the_mend(checkout: Path, part: str, what: str) -> None:
    found = [
        each for each in reported(board(checkout, *MISTAKES[part][what])) if each.level is not Level.NOTE
    ]
    assert len(found) == 1, [each.message for each in found]
    hold(found)
    assert found[0].help is not None or found[0].code == "RPX0006"  # whose message has the form
    head = f"== {part}: {what}\n"
    text = head + told(found[0])
    if os.environ.get("ROOTPLEX_RENEW"):
        texts = TEXTS.read_text(encoding="utf-8").split("== ") if TEXTS.exists() else [""]
        kept = {each.partition("\n")[0]: each for each in texts if each}
        kept[head[3:-1]] = text[3:]
        order = [f"{part}: {what}" for part, what in CASES]
        written = "".join(f"== {kept[each]}" for each in order if each in kept)
        TEXTS.write_text(written, encoding="utf-8")
    assert f"{text}" in TEXTS.read_text(encoding="utf-8")
