"""The bundled descriptions themselves: sound, named as their platform, and with their sources told."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import pytest
from tests.topologies.bundled import FILES, NAMES, checked, platform_of


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_named_after_its_platform(name: str) -> None:
    assert name == platform_of(name).name


@pytest.mark.parametrize("name", NAMES)
def test_the_language_has_nothing_against_it(name: str) -> None:
    assert () == checked(name).findings


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_comment_at_its_head_says_where_its_facts_are_from(file: Path) -> None:
    heading = list(takewhile(lambda line: line.startswith("#"), file.read_text().splitlines()))
    assert len(heading) >= 2
    assert any(word in line for line in heading for word in ("Facts:", "hw/arm/virt.c"))


def test_what_issue_2_names_is_there() -> None:
    wanted = {
        "qemu-virt",
        "qemu-virt-three-segments",
        "qemu-switches",
        "q35",
        "juno-r2",
        "amd-seattle",
        "hisilicon-d05",
        "raspberry-pi-4",
        "macchiatobin",
        "lx2160a-rdb",
        "synquacer",
        "thinkpad-x13s",
        "zynqmp-zcu102",
    }
    assert wanted <= set(NAMES)
    assert any(platform_of(name).arch == "arm" for name in NAMES)
