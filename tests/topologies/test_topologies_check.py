"""`check` of every bundled topology, by either firmware that it has: consistent, with the findings that it
expects (one that does not come is itself a finding) and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.topologies.bundled import CHECKOUT, NAMES, platform_of, rootplex, with_firmware

RUNS = [(name, firmware) for firmware in ("dt", "acpi") for name in with_firmware(firmware)]


@pytest.fixture(scope="module")
def results() -> dict[tuple[str, str], Any]:
    """What `check` says, by topology and firmware."""
    found: dict[tuple[str, str], Any] = {}
    for firmware in ("dt", "acpi"):
        files = [f"topologies/{name}.yaml" for name in with_firmware(firmware)]
        done = rootplex("check", "--firmware", firmware, "--format", "json", *files, cwd=CHECKOUT)
        assert (done.returncode in (0, 1), done.stderr) == (True, "")
        found |= {(each["platform"], firmware): each for each in json.loads(done.stdout)}
    return found


@pytest.mark.parametrize(("name", "firmware"), RUNS)
def test_it_is_consistent(results: dict[tuple[str, str], Any], name: str, firmware: str) -> None:
    result = results[name, firmware]
    unexpected = [f"{each['code']}: {each['message']}" for each in result["findings"] if not each["expected"]]
    assert (unexpected, result["verdict"]) == ([], "consistent")


@pytest.mark.parametrize("name", NAMES)
def test_dom0_sees_every_device_that_is_there(results: dict[tuple[str, str], Any], name: str) -> None:
    platform = platform_of(name)
    firmware = platform.xen.dom0.firmware
    described = {
        device.name
        for bridge in platform.bridges_in(firmware)
        if bridge.enabled
        for device in bridge.walk()
        if device.present and device.name is not None
    }
    assert described == {each["name"] for each in results[name, firmware]["devices"]}
