"""`rootplex explain vendor:device`: what Linux knows by an id, with the kernel's function."""

from __future__ import annotations

import pytest

from rootplex.cli import main
from rootplex.jobs.known_device import _before
from rootplex.known.devices import Row, Version


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


def row(effect: str, since: Version = (0, 0), until: Version = (99, 0), types: tuple[str, ...] = ()) -> Row:
    return Row(
        kind="acs",
        effect=effect,
        source="f",
        devices={0x1234: ((1, 1),)},
        since=since,
        until=until,
        types=types,
    )


@pytest.mark.parametrize(
    ("earlier", "later", "answers"),
    [
        (row("isolates"), row("isolates-not"), True),
        (row("isolates", since=(5, 1)), row("isolates-not"), False),
        (row("isolates", until=(6, 2)), row("isolates-not"), False),
        (row("isolates", types=("root-port",)), row("isolates-not"), False),
        (row("isolates", types=("root-port",)), row("isolates-not", types=("root-port",)), True),
        (row("isolates"), row("isolates-not", types=("root-port",)), True),
    ],
)
def test_an_earlier_answer_counts_alone_where_it_is_for_all_that_the_later_is_for(
    earlier: Row, later: Row, answers: bool
) -> None:
    """Linux returns at the first that fits, and comes to the other by another kernel or another type."""
    assert _before(earlier, later) is answers
