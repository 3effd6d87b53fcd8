"""`check` of every bundled topology: consistent, with the findings that it expects and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.topologies.bundled import CHECKOUT, NAMES, platform_of, rootplex


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """What `check` says of every topology, by name."""
    files = [f"topologies/{name}.yaml" for name in NAMES]
    done = rootplex("check", "--format", "json", *files, cwd=CHECKOUT)
    assert done.stderr == ""
    assert done.returncode in (0, 1)
    return {each["platform"]: each for each in json.loads(done.stdout)}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_consistent(results: dict[str, Any], name: str) -> None:
    unexpected = [
        f"{each['code']}: {each['message']}" for each in results[name]["findings"] if not each["expected"]
    ]
    assert (unexpected, results[name]["verdict"]) == ([], "consistent")


@pytest.mark.parametrize("name", NAMES)
def test_what_it_expects_is_what_is_found(results: dict[str, Any], name: str) -> None:
    found = {each["code"] for each in results[name]["findings"]}
    assert set(platform_of(name).expect.findings) == found


@pytest.mark.parametrize("name", NAMES)
def test_dom0_sees_every_device_that_is_there(results: dict[str, Any], name: str) -> None:
    platform = platform_of(name)
    described = {
        device.name
        for bridge in platform.bridges_in(platform.xen.dom0.firmware)
        if bridge.enabled
        for device in bridge.walk()
        if device.present and device.name is not None
    }
    assert described == {each["name"] for each in results[name]["devices"]}
