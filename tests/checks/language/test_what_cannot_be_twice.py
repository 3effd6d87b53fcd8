"""Registers and interrupt lines that two controllers have, and ACS bits of the wrong type of device."""

from __future__ import annotations

import pytest
from tests.checks.cases import changed, findings_of, line_of, marked_line
from tests.checks.two_bridges import SOUND

ITS = "{name: its, kind: arm-gic-v3-its, base: 0x808_0000}"
SMMU = "{name: smmu, kind: arm-smmu-v3, base: 0x905_0000}"
OTHER_SMMU = "  - {name: other, kind: arm-smmu-v3, base: %s}%s\n"
FRAME = "  - {name: frame, kind: arm-gic-v2m, base: 0x900_0000, size: 4KiB, spi_base: %d, spi_count: %d}%s\n"
MBI = '  - {name: mbi, kind: dt-node, compatible: ["arm,gic-v3"], base: 0x800_0000, size: 64KiB}\n'
CARD = "- {name: card, dev: 1, type: integrated-endpoint, pin: A, msix: 2}"
AFTER_SMMU, AFTER_ITS = f"  - {SMMU}\n", f"  - {ITS}\n"

# What it shows, code, changes; the mark is where the finding points.
FIRES = [
    ("two SMMUs at one base", "RPX0027", [(AFTER_SMMU, AFTER_SMMU + OTHER_SMMU % ("0x905_0000", " #<"))]),
    ("the second page of one", "RPX0027", [(AFTER_SMMU, AFTER_SMMU + OTHER_SMMU % ("0x906_0000", " #<"))]),
    ("an ITS over the redistributors", "RPX0027", [(ITS, ITS.replace("0x808_0000", "0x80a_0000") + " #<")]),
    ("INTB is the SMMU's", "RPX0028",
     [(SMMU, SMMU.replace("}", ", interrupts: {eventq: 4, gerror: 77}}")),
      ("irqs: [3, 4, 5, 6]}", "irqs: [3, 4, 5, 6]} #<")]),
    ("a message is INTD", "RPX0028",
     [(AFTER_ITS, AFTER_ITS + FRAME % (32 + 10, 8, "")),
      ("irqs: [7, 8, 9, 10]}", "irqs: [7, 8, 9, 10]} #<")]),
    ("messages are all four", "RPX0028",
     [(AFTER_ITS, AFTER_ITS + FRAME % (32 + 7, 8, "")),
      ("irqs: [7, 8, 9, 10]}", "irqs: [7, 8, 9, 10]} #<")]),
    ("two lines of one SMMU", "RPX0028",
     [(SMMU, SMMU.replace("}", ", interrupts: {eventq: 44, gerror: 44}} #<"))]),
    ("two frames", "RPX0028",
     [(AFTER_ITS, AFTER_ITS + FRAME % (32 + 64, 8, "")
       + (FRAME % (32 + 71, 8, "")).replace("frame", "more").replace("0x900", "0x901").rstrip() + " #<\n")]),
    ("source validation of an endpoint", "RPX0024", [(CARD, CARD.replace("}", ", acs: [rr, sv]}") + " #<")]),
    ("upstream forwarding of an upstream port", "RPX0024",
     [("class: nvme\n", "type: upstream-port\n            acs: [uf] #<\n"),
      ("            msix: 8\n            bars: [{index: 0, space: mem64, size: 16KiB}]\n", "")]),
]  # fmt: skip

SILENT = [
    ("the sound platform", []),
    ("two SMMUs side by side", [(AFTER_SMMU, AFTER_SMMU + OTHER_SMMU % ("0x907_0000", ""))]),
    ("one that is off", [(AFTER_SMMU, AFTER_SMMU + OTHER_SMMU % ("0x905_0000, enabled: false", ""))]),
    ("lines that two bridges share", [("irqs: [7, 8, 9, 10]", "irqs: [3, 4, 5, 6]")]),
    ("a line of an SMMU that nobody asks for",
     [(SMMU, SMMU.replace("}", ", interrupts: {eventq: 44, cmdq_sync: 44, gerror: 45}}"))]),
    ("messages beside INTx", [(AFTER_ITS, AFTER_ITS + FRAME % (32 + 64, 8, ""))]),
    ("a GIC that takes messages by itself",
     [(AFTER_ITS, AFTER_ITS + MBI)]),
    ("what an endpoint has", [(CARD, CARD.replace("}", ", acs: [rr, cr, dt]}"))]),
]  # fmt: skip

CODES = {"RPX0024", "RPX0027", "RPX0028"}


@pytest.mark.parametrize(("code", "changes"), [case[1:] for case in FIRES], ids=[case[0] for case in FIRES])
def test_fires_at_the_line(code: str, changes: list[tuple[str, str]]) -> None:
    text = changed(SOUND, *changes)
    found = [each for each in findings_of(text) if each.code in CODES]
    level = "warning" if code == "RPX0024" else "error"
    assert [(each.code, str(each.level), line_of(each.at)) for each in found] == [
        (code, level, marked_line(text))
    ]


@pytest.mark.parametrize("changes", [case[1] for case in SILENT], ids=[case[0] for case in SILENT])
def test_stays_silent(changes: list[tuple[str, str]]) -> None:
    assert [each for each in findings_of(changed(SOUND, *changes)) if each.code in CODES] == []
