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


def boot(name: str, truth: dict[str, Any]) -> Outcome:
    """The platform on the kernel that really booted it."""
    checked = read_checked((HERE / f"{name}.yaml").read_bytes(), f"{name}.yaml")
    assert checked.platform is not None
    compiled = compile_platform(checked.platform)
    artifacts = artifacts_of(compiled)
    options = RunOptions(firmware=truth["firmware"], kernel=profile_of(truth["kernel"]))
    settings = settings_of(checked.platform, compiled, options)
    dt = read_dt(artifacts, profile(settings.kernel).map_cells)
    return simulate(artifacts, replace(settings, hypervisor=None), dt, read_acpi(artifacts))


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
