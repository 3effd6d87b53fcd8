"""Every finding's text is asserted once: what no other test of checks gives has its case here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.checks.cases import changed, dts_findings
from tests.checks.golden import FOLDER, golden_case, hold
from tests.checks.plants import maps

from rootplex.backends.compilation import compile_platform
from rootplex.backends.refusal import CannotCompile
from rootplex.checks.registry import every_page
from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.preparation import refuse_impossible
from rootplex.source.finding import Finding, Unreadable


def findings(text: str) -> tuple[Finding, ...]:
    """What reading and compiling a description say."""
    try:
        checked = read_checked(text.encode(), "case.yaml")
        if checked.is_sound:
            assert checked.platform is not None
            compile_platform(checked.platform)
    except (Unreadable, CannotCompile) as error:
        return error.findings
    return checked.findings


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("RPX0001", "rootplex: 1\nplatform: {name: x, name: y}\n"),
        ("RPX0005", "rootplex: 1\nplatform: {name: x, arch: arm64}\nhost_bridges: [one]\n"),
    ],
)
def test_what_reading_says(code: str, text: str) -> None:
    found = findings(text)
    hold(found)
    assert code in {each.code for each in found}


def test_a_machine_that_is_none_of_qemus(checkout: Path) -> None:
    checked = read_checked((checkout / "topologies" / "juno-r2.yaml").read_bytes(), "case.yaml")
    assert checked.platform is not None
    with pytest.raises(CannotCompile) as refused:
        refuse_impossible(checked.platform, "dt", in_memory=False)
    hold(refused.value.findings)
    assert "RPX0010" in {each.code for each in refused.value.findings}


def test_a_mask_that_scatters_ids(checkout: Path) -> None:
    board = (checkout / "topologies" / "qemu-virt-three-segments.yaml").read_text()
    found = findings(changed(board, maps(msi="mask: 0x7ffe", iommu="mask: 0x7ffe")))
    hold(found)
    assert {"RPX0707"} == {each.code for each in found}


def test_a_tree_with_every_bridge_off(program: object) -> None:
    off = """
    /dts-v1/;
    / {
        #address-cells = <2>; #size-cells = <2>;
        pcie@40000000 {
            compatible = "pci-host-ecam-generic"; device_type = "pci"; status = "disabled";
            #address-cells = <3>; #size-cells = <2>; reg = <0 0x40000000 0 0x1000000>;
            bus-range = <0 0xf>; ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x1000000>;
        };
    };
    """
    found = dts_findings(off, "dtc")
    assert ["RPX0607"] == [each.code for each in found]


def test_every_code_has_its_text(checkout: Path) -> None:
    """And the test that asserts it is there."""
    codes = {each.rule.code for each in every_page()}
    held = {file.stem for file in FOLDER.glob("*.txt")}
    assert held == codes
    for code in held:
        case = golden_case(code) or ""
        file, _, name = case.partition("::")
        if name:
            function = re.split(r"[\[ ]", name)[0]
            assert f"def {function}(" in (checkout / file).read_text(encoding="utf-8"), code
