"""What `tests/corpus` has of the collected facts is what was collected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.corpus.board_corpus import FIRMWARES, TREES, expected
from tests.corpus.machine_tables import MACHINES


@pytest.mark.parametrize("name", [*TREES, *MACHINES])
def test_what_is_expected_of_a_file(shared: Path, name: str) -> None:
    stem = f"acpi-{MACHINES[name].dump}" if name in MACHINES else name.replace("qemu-virt", "qemu-7.2-virt")
    assert json.loads((shared / "corpus" / "expected" / f"{stem}.json").read_text()) == expected(name)


def test_every_file_has_its_copy(shared: Path) -> None:
    collected = (shared / "corpus" / "expected").glob("*.json")
    assert len([*TREES, *MACHINES]) == len(list(collected))


def test_facts_of_firmwares(shared: Path) -> None:
    collected = (shared / "corpus" / "facts" / "facts.yaml").read_text()
    assert yaml.safe_load(collected) == yaml.safe_load(FIRMWARES.read_text())


def test_the_labs_trees(shared: Path, checkout: Path) -> None:
    collected = {file.name: file.read_text() for file in (shared / "cases" / "xen").glob("*.dts")}
    assert collected == {file.name: file.read_text() for file in (checkout / "tests/cases/xen").glob("*.dts")}
