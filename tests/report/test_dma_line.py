"""What DMA reaches, in one line: boards, given trees, `explain` and the page say the same."""

from __future__ import annotations

import pytest
from tests.checks.cases import changed
from tests.checks.two_bridges import SOUND
from tests.checks.windows.test_inbound import BARE, DOORBELL, NO_UNIT, RAM, dma

from rootplex.jobs.check import examine, result_of
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions
from rootplex.report.dma import line

MEMORY = "memory:\n  - {base: 0x8000_0000, size: 2GiB}\n"
NO_MEMORY = (MEMORY, "")
MORE = (
    MEMORY,
    f"{MEMORY}  - {{base: 0x1_0000_0000, size: 2GiB}}\n  - {{base: 0x80_0000_0000, size: 1GiB}}\n",
)
SHIFTED = "{pci: 0x10_0000_0000, cpu: 0x8000_0000, size: 2GiB}"

CASES: list[tuple[list[tuple[str, str]], str]] = [
    ([], "PCI 0x80000000-0xffffffff is memory 0x80000000-0xffffffff"),
    ([MORE], ("PCI 0x80000000-0x17fffffff is memory 0x80000000-0x17fffffff, PCI 0x8000000000-0x803fffffff is "
     "memory 0x8000000000-0x803fffffff")),
    ([MORE, dma(SHIFTED, mark="")],
     ("PCI 0x1000000000-0x107fffffff is memory 0x80000000-0xffffffff (dma-ranges); "
     "memory 0x100000000-0x17fffffff, 0x8000000000-0x803fffffff is out of reach, "
     "and copied through bounce buffers")),
    ([dma("{pci: 0, size: 1GiB}", mark="")], "no memory is reached (dma-ranges)"),
    ([NO_MEMORY], "PCI addresses are the CPU's; no memory is described here"),
    ([NO_MEMORY, dma(SHIFTED, mark="")],
     ("PCI 0x1000000000-0x107fffffff is 0x80000000-0xffffffff of the CPU (dma-ranges); no memory is "
     "described here")),
    ([BARE], "an IOMMU translates; the kernel chooses PCI addresses freely"),
    ([BARE, dma(RAM, DOORBELL, mark="")],
     ("an IOMMU translates; the kernel chooses PCI addresses within PCI 0x80000000-0xffffffff, "
     "0x8000000-0x80fffff (dma-ranges)")),
    ([BARE, NO_UNIT], "PCI 0x80000000-0xffffffff is memory 0x80000000-0xffffffff"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), CASES)
def test_one_line(changes: list[tuple[str, str]], said: str) -> None:
    text = changed(SOUND, *changes)
    result = result_of(examine(read_checked(text.encode(), "case.yaml"), RunOptions()), "case.yaml")
    two = next(each.dma for each in result.machine.bridges if each.name == "two")
    assert two is not None
    assert line(two) == f"DMA: {said}"
