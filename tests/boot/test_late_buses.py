"""A bus that comes into a port's reach only when all are numbered: nobody finds what is on it.

Firmware left the second root port without numbers, and the bridge below it with 15-16. The kernel gives
the port the bus 13 that the first one's bridges have as well, with no room behind; bus 15 is asked for and
nothing answers; at the end the port's range is wide enough. Seen on Linux 6.1, 6.12 and 7.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
import yaml

from rootplex.campaign.booted import boot, platform_of
from rootplex.jobs.qemu.preparation import prepare
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

Machine: TypeAlias = Callable[[Arch, str], None]

LATE = """
rootplex: 1
platform: {name: late-bus, arch: x86_64}
iommus: [{name: unit0, kind: intel-vtd, base: 0xfec1_0000, segment: 0}]
host_bridges:
  - name: b0
    segment: 0
    bus_range: [0x10, 0x17]
    config: {base: 0x50_0000_0000}
    windows: [{space: mem32, pci: 0xc000_0000, size: 128MiB}]
    iommu: {unit: unit0}
    devices:
      - dev: 13
        type: root-port
        bus: [0x11, 0x12]
        devices:
          - dev: 0
            type: upstream-port
            bus: [0x12, 0x13]
            devices: [{dev: 3, type: downstream-port, bus: [0x13, 0x13]}]
      - dev: 17
        type: root-port
        devices:
          - dev: 0
            type: upstream-port
            bus: [0x15, 0x16]
            devices: [{dev: 31, type: downstream-port, bus: [0x12, 0x14]}]
"""


@pytest.mark.parametrize("profile", ["linux-6.1", "linux-7.2"])
def test_what_did_not_answer_when_asked_is_not_in_memory(profile: str) -> None:
    made = prepare(platform_of(yaml.safe_load(LATE)), "acpi", profile, in_memory=True)
    spaces = {name for name in made.files if name.startswith("config-")}
    assert spaces == {f"config-0-{bus}.bin" for bus in (10, 11, 12, 13)}


@pytest.mark.boot
@pytest.mark.parametrize("profile", ["linux-6.1", "linux-7.2"])
def test_a_kernel_finds_the_same(
    profile: str, kernel: Callable[[Arch, str], Kernel], machine: Machine
) -> None:
    machine("x86_64", "acpi")
    _, compared = boot(yaml.safe_load(LATE), kernel("x86_64", profile))
    assert compared.agreed
    assert (compared.figures.functions, compared.figures.not_shown) == (5, 0)
