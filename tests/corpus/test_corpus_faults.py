"""The tables of `README.md`: every fault is found at its place; what looks wrong and is not stays unsaid."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.corpus.board_corpus import DUMPS, TREES, Corpus, validated

from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace, TablePlace

# (file, code, level, place without the file)
FAULTS = (
    ("rk3588-turing-rk1", "RPX0202", "warning", "/pcie@fe160000:linux,pci-domain[0]"),
    ("ac5x-rd-carrier-cn9131", "RPX0101", "error", "/cp0/pcie@f2600000:reg[4]"),
    ("ac5x-rd-carrier-cn9131", "RPX0101", "error", "/cp1/pcie@f4600000:reg[4]"),
    ("ac5x-rd-carrier-cn9131", "RPX0102", "error", "/cp0/pcie@f2600000:ranges[3]"),
    ("ac5x-rd-carrier-cn9131", "RPX0102", "error", "/cp1/pcie@f4600000:ranges[3]"),
    ("juno-r2", "RPX0113", "warning", "/pcie@40000000:ranges[14]"),
    ("zynqmp-zcu102-rev1.0", "RPX0108", "warning", "/axi/pcie@fd0e0000:reg[10]"),
    ("jh7110-starfive-visionfive-2-v1.3b", "RPX0108", "warning", "/soc/pcie@940000000:reg[2]"),
    ("jh7110-starfive-visionfive-2-v1.3b", "RPX0108", "warning", "/soc/pcie@9c0000000:reg[2]"),
    ("cn9132-clearfog", "RPX0205", "warning", "/cp0/pcie@f2600000"),
    ("armada-8040-mcbin", "RPX0401", "warning", "/cp0/pcie@f2600000:iommu-map"),
    ("armada-8040-mcbin", "RPX0610", "warning", "/cp0/pcie@f2600000:iommu-map[0]"),
    ("fsl-lx2160a-rdb", "RPX0401", "note", "/soc/pcie@3400000:iommu-map"),
    ("bcm2711-rpi-4-b", "RPX0211", "note", "/scb/pcie@7d500000"),
    ("bcm2711-rpi-4-b", "RPX0119", "note", "/scb/pcie@7d500000:compatible"),
    ("ideapad-z470", "RPX0106", "error", "MCFG+0x2c"),
    ("imac11-3", "RPX0720", "warning", "DSDT \\_SB.CPBG._CRS+0x0"),
    ("precision-t3600", "RPX0721", "warning", "DSDT \\_SB.PCI1._CRS+0x0"),
    ("prime-z690-p", "RPX0716", "error", "MCFG2"),
)


@pytest.mark.parametrize(("name", "code", "level", "place"), FAULTS)
def test_the_fault_is_found(corpus: Corpus, name: str, code: str, level: str, place: str) -> None:
    found = [
        (finding.level.value, str(finding.at).removeprefix(f"{finding.at.file}: "))
        for cause in validated(corpus(name)).findings
        for finding in cause.every
        if finding.code == code
    ]
    assert (level, place) in found


def test_mcfg_past_4_gib_is_told_over_what_it_lies(corpus: Corpus) -> None:
    """The IO-APIC, and the end of the 32-bit space, by message and by the other party."""
    (finding,) = (each for each in validated(corpus("ideapad-z470")).findings if each.code == "RPX0106")
    told = " ".join((finding.message, *(related.message for related in finding.related), *finding.notes))
    assert "I/O APIC" in told
    assert "local APIC at" in told
    assert "flash" in told
    assert "past 4 GiB" in told


ERRORS = {
    "ac5x-rd-carrier-cn9131": {"RPX0101", "RPX0102"},
    "juno-r2": {"RPX0113"},
    "ideapad-z470": {"RPX0106", "RPX0717", "RPX0724"},
    "precision-t3600": {"RPX0724"},
    "prime-z690-p": {"RPX0716"},
}
"""What is of error level at most, file by file; nothing is in the others."""


@pytest.mark.parametrize("name", [*TREES, *DUMPS])
def test_nothing_else_is_an_error(corpus: Corpus, name: str) -> None:
    result = validated(corpus(name))
    errors = {each.code for each in result.findings if each.level is Level.ERROR}
    assert errors <= ERRORS.get(name, set())
    assert result.verdict == ("inconsistent" if errors else "consistent")
    assert result.not_known == ("devices",)


SOUND = (
    "qemu-virt-gic-version-2-highmem-off",
    "qemu-virt-gic-version-3",
    "qemu-virt-gic-version-3-iommu-smmuv3",
    "hip07-d05",
    "proliant-dl165-g7",
)


@pytest.mark.parametrize("name", SOUND)
def test_sound_files_have_no_findings(corpus: Corpus, name: str) -> None:
    """`highmem=off` among them: 16 MiB of ECAM with bus-range 0-0xf is consistent."""
    assert () == validated(corpus(name)).findings


def test_disabled_bridges_and_placeholders_get_notes_alone(corpus: Corpus) -> None:
    result = validated(corpus("fsl-lx2160a-rdb"))
    assert {Level.NOTE} == {each.level for each in result.findings}


def test_a_folded_map_is_not_one_that_misses_requesters(corpus: Corpus) -> None:
    """Juno's mask is 0: every requester is covered after masking."""
    assert not _about(validated(corpus("juno-r2")).findings, "iommu-map", "RPX0401")


def test_endpoints_twin_nodes_are_no_host_bridges(corpus: Corpus) -> None:
    """rk3588 has `*-ep` nodes with the same registers and windows."""
    named = [
        finding
        for finding in validated(corpus("rk3588-turing-rk1")).findings
        if isinstance(finding.at, DtPlace) and "pcie-ep" in finding.at.node
    ]
    assert [] == named


def test_two_segments_may_share_an_mcfg_base(checkout: Path) -> None:
    """D05: segments 4 and 6, 5 and 7 lie in one MCFG base each, with disjoint buses."""
    result = validated(checkout / "generated" / "hisilicon-d05")
    overlaps = [each for each in result.findings if each.code in ("RPX0103", "RPX0714", "RPX0715")]
    assert [] == overlaps


def _about(findings: tuple[Finding, ...], property: str, code: str) -> list[Finding]:
    return [
        each
        for each in findings
        if each.code == code and isinstance(each.at, DtPlace) and each.at.property == property
    ]


# Board: the tree, the topology whose ACPI it is held against, and (code, level, place) of every difference.
FIRMWARES = {
    "hisilicon-d05": (
        "hip07-d05",
        {
            ("RPX0801", "error", "\\_SB.PC00._SEG"),
            *(("RPX0812", "note", f"\\_SB.PC0{n}") for n in range(1, 8)),
        },
    ),
    "lx2160a-rdb": (
        "fsl-lx2160a-rdb",
        {
            *(("RPX0801", "note", f"\\_SB.PC0{n}._SEG") for n in range(2)),
            *(("RPX0805", "warning", f"\\_SB.PC0{n}._STA") for n in range(2)),
        },
    ),
    "macchiatobin": (
        "armada-8040-mcbin",
        {
            ("RPX0803", "error", "\\_SB.PC00._CRS"),
            ("RPX0804", "error", "\\_SB.PC00._CRS"),
            ("RPX0811", "note", None),
        },
    ),
    "thinkpad-x13s": (
        "sc8280xp-lenovo-thinkpad-x13s",
        {
            *(("RPX0803", "error", f"\\_SB.PC0{n}._CRS") for n in range(3)),
            ("RPX0806", "error", None),
            ("RPX0811", "note", None),
        },
    ),
}
"""By facts.yaml: D05's segment 2 against probe order, and one of eight bridges in the tree; LX2160A's 2
and 4 against 0 and 1, once the boot loader enables the bridges; MACCHIATObin's buses, windows and ECAM;
X13s's buses and SMMUv3, with the same segments, windows and (composed) DeviceIDs."""


@pytest.mark.parametrize("board", FIRMWARES)
def test_device_tree_against_acpi_has_the_differences_of_the_facts(
    corpus: Corpus, checkout: Path, tmp_path: Path, board: str
) -> None:
    tree, wanted = FIRMWARES[board]
    tables = _tables(checkout, board, tmp_path)
    found = set()
    for each in (each for cause in validated(corpus(tree), tables).findings for each in cause.every):
        if each.code.startswith("RPX08"):
            path = each.at.path if isinstance(each.at, TablePlace) else None
            found.add((each.code, each.level.value, path))
    assert wanted == found


def _tables(checkout: Path, board: str, folder: Path) -> Path:
    """The tables alone of a bundled topology's artifacts."""
    out = folder / board
    out.mkdir()
    for table in sorted((checkout / "generated" / board).glob("*.aml")):
        (out / table.name).write_bytes(table.read_bytes())
    return out


def test_synquacer_agrees_but_for_the_luck_of_probe_order(checkout: Path, tmp_path: Path) -> None:
    """The corpus has no blob of it: the topology's own tree stands in, written from the same sources."""
    out = _tables(checkout, "synquacer", tmp_path)
    (out / "synquacer.dtb").write_bytes((checkout / "generated/synquacer/synquacer.dtb").read_bytes())
    found = validated(out).findings
    assert [] == [each for each in found if each.code.startswith("RPX08")]
    assert ["RPX0205"] == [each.code for each in found if each.code.startswith("RPX02")]
