"""Every ACPI dump of the corpus as a description: its bridges are those that `acpiexec` and `iasl` show."""

from __future__ import annotations

from typing import Any

import pytest
from tests.corpus.board_corpus import DUMPS, Corpus, described, expected, imported, platform_of

from rootplex.backends.compilation import compile_platform

ADDRESS_KINDS = {"Word", "DWord", "QWord", "Extended"}


@pytest.mark.parametrize("name", DUMPS)
def test_the_bridges_are_those_of_the_file(corpus: Corpus, name: str) -> None:
    platform = platform_of(corpus(name))
    known = expected(name)
    source = imported(corpus(name))
    assert [each["path"] for each in known["host_bridges"]] == list(source.bridges)
    for each, bridge in zip(known["host_bridges"], platform.host_bridges, strict=True):
        assert each["seg"] == bridge.segment
        assert each["bus"][0] == [bridge.bus_range.first, bridge.bus_range.last]
        unsure = {
            item.what.split()[-1] for item in source.missing if item.what.startswith(f"{bridge.name}: window")
        }
        shown = [
            ("io" if window.space == "io" else "mem", window.pci, window.cpu, window.size)
            for window in bridge.windows
        ]
        told = [_window(window) for window in each["windows"] if _passes(window)]
        assert [window for window in told if window in shown] == shown
        assert len(told) - len(shown) <= len(unsure)


def _passes(window: dict[str, Any]) -> bool:
    return window["kind"] in ADDRESS_KINDS and window["len"] > 0 and not window["consumer"]


def _window(window: dict[str, Any]) -> tuple[str, int, int, int]:
    """As Linux takes it: minimum and maximum count, whatever the length (`acpi_dev_resource_len_valid`)."""
    size = window["max"] - window["min"] + 1
    return window["type"], window["min"], window["min"] + window["tra"], size


@pytest.mark.parametrize("name", DUMPS)
def test_configuration_space_is_mcfgs_or_the_ports(corpus: Corpus, name: str) -> None:
    tables = expected(name)["mcfg_tables"]
    entries = tables[0]["entries"] if tables else []
    for bridge in platform_of(corpus(name)).host_bridges:
        first = bridge.bus_range.first
        bases = [
            each["base"] + (first << 20)
            for each in entries
            if each["segment"] == (bridge.segment or 0) and each["start_bus"] <= first <= each["end_bus"]
        ]
        if bases:
            assert (bridge.config.kind, bridge.config.base) == ("ecam", bases[0])
        else:
            assert (bridge.config.kind, bridge.config.base, bridge.config.size) == ("windowed", 0xCF8, 8)


@pytest.mark.parametrize("name", DUMPS)
def test_the_description_compiles(corpus: Corpus, name: str) -> None:
    checked = described(corpus(name))
    assert () == checked.findings
    assert checked.platform is not None
    assert "ssdt.aml" in compile_platform(checked.platform).files
