"""`rootplex explain vendor:device`: what Linux knows by an id, with the kernel's function."""

from __future__ import annotations

import pytest

from rootplex.cli import main


@pytest.mark.parametrize(
    ("id", "said"),
    [
        (
            "8086:8C10",
            "as a root port: isolates, as with ACS SV, RR, CR and UF on, by registers of its chipset",
        ),
        ("1a03:1150", "passes on the requester ids of what is behind it (only linux-7.2, jgg-v3)"),
        ("1b4b:9172", "Xen knows no such ids: only its option pci-phantom= has it take more than one"),
        ("1234:5678", "1234:5678: Linux knows nothing by this id that bears on groups or requester ids"),
    ],
)
def test_an_id_is_explained(id: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", id]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("id", ["8088:0100", "1d17:0710"])
def test_of_one_function_of_the_kernels_the_first_answer_counts(
    id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`pci_quirk_wangxun_nic_acs`, `pci_quirk_zhaoxin_pcie_ports_acs`: some ids, and all of a vendor."""
    assert main(["explain", id]) == 0
    said = capsys.readouterr().out
    assert "isolates" in said
    assert "does not isolate" not in said
