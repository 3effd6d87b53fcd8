"""The Linux column of xen.md §12: the simulated 6.12 as Dom0 of the simulated Xen, on the lab's trees.

The hardware is what the lab's QEMU had at each window: a host bridge function and a virtio card on the
first bus; so no window shows the other's devices, as with the lab's second window (§12, c2).
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.dom0_boots import xen_of
from tests.hardware_images import Image, Page
from tests.simulator.xen.known_answers import BASE, CASES, SECOND
from tests.simulator.xen.xen_machines import case_text, tree_of

from rootplex.known.kernels import profile
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.boots.run import simulate
from rootplex.simulator.firmware.facts import dt_firmware
from rootplex.simulator.inputs import Artifacts, Settings
from rootplex.simulator.linux.state import Death

ENOSPC, ENODEV, EINVAL = -28, -19, -22


@dataclass(frozen=True)
class Linux:
    """What Dom0 came to. `bridges`: (segment, first bus, last mapped bus) of those that are up, in
    order; `failed`: the errno of each that is not; `seen`: how many functions; `refused`: the result of
    every report that Xen did not take."""

    bridges: tuple[tuple[int, int, int], ...] = ()
    failed: tuple[int, ...] = ()
    seen: int = 2
    refused: tuple[int, ...] = ()


WHOLE = (0, 0, 0xFF)
REFUSED = (ENODEV, ENODEV)

# xen.md §12, column "Dom0 outcome"; where it says nothing more, its rules (§1.9, linux.md §1.2-§1.6).
ANSWERS = {
    "a": Linux((WHOLE,)),
    "b": Linux(((5, 0, 0xFF),)),
    "b2": Linux((WHOLE,)),
    "c": Linux(((0, 0, 0x7F),), (ENOSPC,)),
    "c2": Linux(((0, 0, 0x7F), (1, 0x80, 0xFF)), seen=4),
    "c3": Linux(((0, 0, 0x7F), (1, 0x80, 0xFF)), seen=4),
    "c4": Linux(((9, 0, 0x7F), (3, 0x80, 0xFF)), seen=4),
    "d1": Linux(((0, 0, 0x7F),), (ENOSPC,)),
    "d2": Linux(((0, 0, 0xF),)),
    "d5": Linux((WHOLE,)),
    "d6": Linux((), (EINVAL,), seen=0),
    "d7": Linux(((0, 0x100, 0x10F),), seen=0),
    "d8": Linux(((0, 0, 0xF),)),
    "d9": Linux((WHOLE,)),
    "d9b": Linux(((0, 0, 0x7F),), (ENOSPC,)),
    "d10": Linux(((0xFFFF, 0, 0xFF),)),
    "d12": Linux((), seen=0),
    "d13": Linux((), seen=0),
    "d14": Linux((), (EINVAL,), seen=0),
    "d19": Linux((WHOLE,), refused=REFUSED),
    "d20": Linux((WHOLE,)),
    "d21": Linux((WHOLE,)),
}


def booted(name: str) -> Outcome:
    """The lab's tree under today's Xen, with Debian's 6.12 as Dom0."""
    image = Image()
    for index, (base, first) in enumerate(((BASE, 0), (SECOND, 0x80))):
        second = name in ("c", "c2", "c3", "c4")
        if index and not second:
            break
        size = 0x800_0000 if second else 0x1000_0000
        id = f"h{index}"
        image.bridge(id, base=base, size=size, first_bus=first, last_bus=first + (size >> 20) - 1)
        image.function(f"{id}-host", Page(0x1B36, 8, 0x060000), bridge=id)
        image.function(f"{id}-net", Page(0x1AF4, 0x1000), bridge=id, devfn=8)
    config, pages = image.blobs()
    firmware = dt_firmware(tree_of(case_text(name)), profile("linux-6.12").map_cells)
    settings = Settings(arch="arm64", firmware="dt", kernel="linux-6.12", discovery="xen")
    return simulate(Artifacts(config=config, pages=pages), settings, firmware, None)


@pytest.mark.parametrize(("name", "answer"), ANSWERS.items(), ids=ANSWERS)
def test_dom0_on_xen(name: str, answer: Linux) -> None:
    outcome = booted(name)
    dom0 = outcome.dom0
    assert xen_of(outcome).crash is None
    up = tuple((each.segment, each.first_bus, each.effective_end) for each in dom0.root_bridges if each.is_up)
    failed = tuple(each.fault.errno for each in dom0.root_bridges if each.fault is not None)
    refused = tuple(each.result for each in dom0.events if each.kind == "device-added" and each.result)
    assert (up, failed, len(dom0.functions), refused) == (
        answer.bridges,
        answer.failed,
        answer.seen,
        answer.refused,
    )
    if answer.seen and not answer.refused:
        assert all(
            xen_of(outcome).segment_of(each.path) == each.segment for each in dom0.root_bridges if each.is_up
        )


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.crash is not None])
def test_a_xen_that_stops_at_boot_boots_no_dom0(name: str) -> None:
    outcome = booted(name)
    crash = xen_of(outcome).crash
    assert crash is not None
    assert crash.kind == CASES[name].crash
    assert outcome.dom0.died == Death("hypervisor")
    assert outcome.dom0.root_bridges == []


def test_linux_takes_one_window_for_one_bridge() -> None:
    """d18: domains 0 and 1 over the same window; Linux claims it once (linux.md §1.6)."""
    dom0 = booted("d18").dom0
    assert [each.is_up for each in dom0.root_bridges] == [True, False]


def test_the_trimmed_window_hides_what_would_crash_xen() -> None:
    """d2: Linux stays within 16 buses; a report of bus 0x10 by hand takes Xen down."""
    xen = xen_of(booted("d2"))
    assert xen.crash is None
    call = xen.call("pci_device_add", {"seg": 0, "bus": 0x10, "devfn": 0, "flags": 0})
    assert call.crash is not None
    assert call.crash.kind == "data abort"


@pytest.mark.parametrize("name", ["d11", "e"])
def test_what_xen_does_not_drive_it_does_not_take(name: str) -> None:
    """Linux may drive the bridge; every report of its devices is answered -19 with the IOMMU on."""
    events = booted(name).dom0.events
    assert {each.result for each in events if each.kind == "device-added"} <= {ENODEV}


@pytest.mark.parametrize("name", ["d16", "d17"])
def test_nothing_is_found_where_no_device_decodes(name: str) -> None:
    assert not booted(name).dom0.functions
