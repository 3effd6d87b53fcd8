"""Platforms whose boot by a real Linux is known (real_boots/README.md), simulated on bare metal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rootplex.backends.compilation import compile_platform
from rootplex.jobs.describe import read_checked
from rootplex.jobs.readback import artifacts_of, read_acpi, read_dt
from rootplex.jobs.settings import RunOptions, settings_of
from rootplex.known.kernels import profile, profile_of
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.boots.run import simulate

HERE = Path(__file__).parent / "real_boots"
CASES = sorted(path.stem for path in HERE.glob("*.yaml"))


def boot(name: str, truth: dict[str, Any], *, named: bool = False) -> Outcome:
    """The platform on the kernel that really booted it; `named`: outward ports are named as a USB4 host's."""
    checked = read_checked((HERE / f"{name}.yaml").read_bytes(), f"{name}.yaml")
    assert checked.platform is not None
    compiled = compile_platform(checked.platform)
    artifacts = artifacts_of(compiled)
    options = RunOptions(firmware=truth["firmware"], kernel=profile_of(truth["kernel"]))
    settings = settings_of(checked.platform, compiled, options)
    dt = read_dt(artifacts, profile(settings.kernel).map_cells)
    acpi = read_acpi(artifacts)
    if named:
        assert acpi is not None
        bridges = [replace(each, tunnels=each.external_facing) for each in acpi.namespace.bridges]
        acpi = replace(acpi, namespace=replace(acpi.namespace, bridges=tuple(bridges)))
    return simulate(artifacts, replace(settings, hypervisor=None), dt, acpi)


@pytest.mark.parametrize("name", CASES)
def test_the_simulation_is_what_a_real_linux_saw(name: str) -> None:
    truth = json.loads((HERE / f"{name}.json").read_text())
    outcome = boot(name, truth)
    kernel, grouping = outcome.dom0, outcome.linux
    if "dies" in truth:
        assert kernel.died is not None
        return
    assert kernel.died is None
    assert {
        function.sbdf: {
            "parent": None if function.parent is None else function.parent.sbdf,
            "vendor": function.vendor,
            "device": function.device,
            "class": function.class_code,
            "header_type": function.header,
            "secondary": function.secondary,
            "subordinate": function.subordinate,
        }
        for function in kernel.functions
    } == truth["devices"]
    assert {f.sbdf: list(f.acs) for f in kernel.functions if f.acs is not None} == truth["acs"]
    groups = [sorted(function.sbdf for function in group.members) for group in grouping.groups]
    assert sorted(groups) == sorted(truth["groups"])
    assert sorted(reason.function.sbdf for reason in grouping.ungrouped) == sorted(truth["no_group"])
    roots = [root for root in kernel.root_bridges if root.is_up]
    bridges = [{"bus_range": [root.first_bus, root.last_bus], "segment": root.segment} for root in roots]
    assert bridges == truth["bridges"]


def test_what_is_below_a_port_of_a_usb4_host_is_tunneled() -> None:
    """Booted with 7.2.13 and 6.12.117, `usb4-host-interface` in each `_DSD` of the outward ports: the first
    switch's ports block translated requests, too. The rest is as without it."""
    truth = json.loads((HERE / "x86-external-linux7.json").read_text())
    kernel = boot("x86-external-linux7", truth, named=True).dom0
    blocked = {"0005:03:00.0", "0005:03:01.0"}
    assert {f.sbdf: list(f.acs) for f in kernel.functions if f.acs is not None} == {
        sbdf: [can, 0x1F] if sbdf in blocked else [can, control]
        for sbdf, (can, control) in truth["acs"].items()
    }
