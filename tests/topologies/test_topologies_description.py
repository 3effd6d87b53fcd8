"""The bundled descriptions themselves: sound, named as their platform, and with their sources told."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import pytest
from tests.topologies.bundled import FILES, NAMES, checked, platform_of

from rootplex.jobs.bundled import MODELINE


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_named_after_its_platform(name: str) -> None:
    assert name == platform_of(name).name


@pytest.mark.parametrize("name", NAMES)
def test_the_language_has_nothing_against_it(name: str) -> None:
    assert () == checked(name).findings


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_editor_finds_the_schema_by_the_first_line(file: Path) -> None:
    first, *rest = file.read_text().splitlines(keepends=True)
    assert MODELINE == first
    assert MODELINE not in rest
    assert (file.parent / first.partition("=")[2].strip()).is_file()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_comment_at_its_head_says_where_its_facts_are_from(file: Path) -> None:
    heading = list(takewhile(lambda line: line.startswith("#"), file.read_text().splitlines()))
    assert len(heading) >= 3
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
