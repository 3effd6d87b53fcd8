"""Descriptions of more values than all of whose faults are told."""

from __future__ import annotations

import pytest

from rootplex.frontends.description import reading
from rootplex.frontends.description.reading import read_description

HEAD = "rootplex: 1\nplatform: {name: big, arch: arm64, base: qemu-virt}\n"
BRIDGE = "host_bridges: [{name: main, segment: 0, config: {base: 0x40_1000_0000}, devices: [%s]}]\n"


def described(monkeypatch: pytest.MonkeyPatch, *devices: str) -> reading.Description:
    monkeypatch.setattr(reading, "MANY", 20)
    return read_description(HEAD + BRIDGE % ", ".join(devices), "big.yaml")


def test_a_sound_one_is_read_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    found = described(monkeypatch, *(f"{{name: d{n}, dev: {n}}}" for n in range(9)))
    assert () == found.findings
    assert found.platform is not None
    assert 9 == len(found.platform.host_bridges[0].devices)


def test_of_faults_one_is_told_and_that_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found = described(monkeypatch, *(f"{{name: d{n}, dve: {n}}}" for n in range(9)))
    (finding,) = found.findings
    assert found.platform is None
    assert finding.code in ("RPX0003", "RPX0004")
    assert finding.notes[-1] == (
        "of a document of more than 20 values one fault of its form is told at a time"
    )
