"""Modules out of an unpacked package: in the order in which a kernel can take them."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from rootplex.tools.modules import wanted
from rootplex.tools.runner import ToolError


def module(folder: Path, name: str, depends: str = "") -> None:
    """As Debian packs one: `.modinfo` is strings with zeros between them."""
    data = b"\x7fELF\0license=GPL\0depends=" + depends.encode() + b"\0name=x\0"
    (folder / f"{name}.ko.xz").write_bytes(lzma.compress(data))


def test_what_is_needed_comes_first_and_once(tmp_path: Path) -> None:
    """Files have a dash where the list of what is needed has an underscore, or not."""
    module(tmp_path, "nvme", "nvme-core")
    module(tmp_path, "nvme-core", "nvme_auth,nvme-keyring")
    module(tmp_path, "nvme-auth", "nvme-keyring")
    module(tmp_path, "nvme-keyring")
    module(tmp_path, "other", "nvme")
    found = wanted(tmp_path, ("nvme", "nvme-core"), "linux-image")
    assert [name for name, _ in found] == ["nvme-keyring", "nvme_auth", "nvme-core", "nvme"]
    assert all(data.startswith(b"\x7fELF") for _, data in found)


def test_modules_that_need_each_other_come_to_an_end(tmp_path: Path) -> None:
    module(tmp_path, "a", "b")
    module(tmp_path, "b", "a")
    assert sorted(name for name, _ in wanted(tmp_path, ("a",), "linux-image")) == ["a", "b"]


def test_a_missing_and_a_damaged_one_are_told(tmp_path: Path) -> None:
    module(tmp_path, "nvme", "gone")
    with pytest.raises(ToolError, match="the package linux-image holds 0 modules gone, not one"):
        wanted(tmp_path, ("nvme",), "linux-image")
    (tmp_path / "gone.ko.xz").write_bytes(b"\xfd7zXZ\0 and no more")
    with pytest.raises(ToolError, match=r"gone\.ko\.xz of the package linux-image is a damaged xz file"):
        wanted(tmp_path, ("nvme",), "linux-image")
