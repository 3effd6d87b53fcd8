"""What DMA reaches, on a real kernel: memory above a limit is copied, by `dma-ranges` and by `_DMA`.
`python -m bench.dma_boots` boots all cases (bench/dma_boots.md)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bench.dma_boots import CASES, Case, contradictions, told

from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

pytestmark = pytest.mark.boot


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name == "memory below 4 GiB"], ids=lambda case: str(case.firmware)
)
def test_memory_beyond_the_ranges_is_copied(
    case: Case, tmp_path: Path, kernel: Callable[[Arch, str], Kernel], machine: Callable[[Arch, str], None]
) -> None:
    machine("arm64", case.firmware)
    said, seen = told(case, kernel("arm64", "linux-7.2"), tmp_path)
    (bridge,) = said.machine.bridges
    assert bridge.dma is not None
    assert [(each.base, each.size) for each in bridge.dma.beyond] == [(0x1_0000_0000, 1 << 30)]
    assert list(contradictions(bridge.dma, seen)) == []
    assert any(each.copied for each in seen.mapped)
    assert any(not each.copied for each in seen.mapped)
    assert seen.disk
