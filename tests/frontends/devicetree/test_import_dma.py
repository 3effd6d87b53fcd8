"""What limits DMA is imported, whichever node says it: the tree made of the description says the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.checks.cases import changed

from rootplex.backends.devicetree import device_tree
from rootplex.formats.devicetree import MapCells
from rootplex.frontends.writer import to_yaml
from rootplex.jobs.describe import read_checked
from rootplex.jobs.importing import import_source
from rootplex.jobs.sources import read_source
from rootplex.readers.dtb import read_dtb
from rootplex.readers.hostbridge import pci_host_bridges

pytestmark = pytest.mark.skipif(shutil.which("dtc") is None, reason="needs dtc")

OWN = "dma-ranges = <0x03000000 0x1 0x0 0x0 0x0 0x1 0x0>;"
ABOVE = "dma-ranges = <0 0 0 0 4 0>;"
GIB = 1 << 30

Limits = list[tuple[int, int, int]] | None


@pytest.mark.parametrize(
    ("changes", "limits"),
    [
        ([], [(4 * GIB, 0, 4 * GIB)]),
        ([(ABOVE, "")], [(4 * GIB, 0, 4 * GIB)]),
        ([(ABOVE, "dma-ranges = <0 0 8 0 4 0>;")], [(4 * GIB, 32 * GIB, 4 * GIB)]),
        ([(OWN, "")], [(0, 0, 16 * GIB)]),
        ([(OWN, "dma-ranges;")], [(0, 0, 16 * GIB)]),
        ([(OWN, "dma-ranges;"), (ABOVE, "")], None),
        ([(OWN, ""), (ABOVE, "")], None),
    ],
    ids=["its own", "alone", "moved", "the bus's", "an empty one passes to it", "empty", "absent"],
)
def test_the_limits_come_back(
    checkout: Path, tmp_path: Path, changes: list[tuple[str, str]], limits: Limits
) -> None:
    text = (checkout / "tests/cases/reports/dt/cm4-inbound-over-outbound-64.dts").read_text()
    file = tmp_path / "board.dts"
    file.write_text(changed(text, *changes))
    platform = read_checked(
        to_yaml(import_source(read_source(file, file.name)).document).encode(), "board.yaml"
    ).platform
    assert platform is not None
    (bridge,) = pci_host_bridges(read_dtb(device_tree(platform).dtb().data, "ours"), MapCells.TARGET)
    found = bridge.inbound
    assert limits == (None if found is None else [(each.bus, each.cpu, each.size) for each in found])
