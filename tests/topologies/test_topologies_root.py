"""What the root of a bundled topology's tree says of the machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.topologies.bundled import with_firmware

from rootplex.readers.dtb import read_dtb

VENDOR_AND_MODEL = re.compile(r"[a-z0-9]+,[a-z0-9.-]+")
"""Devicetree Specification 0.4 §2.3.1: "manufacturer,model"."""


@pytest.mark.parametrize("name", with_firmware("dt"))
def test_each_compatible_is_a_vendor_and_a_model(compiled: Path, name: str) -> None:
    """A comma outside of quotes parts one string of a YAML list into two."""
    file = compiled / name / f"{name}.dtb"
    compatible = read_dtb(file.read_bytes(), file.name).root.compatible
    assert compatible
    # QEMU's own word
    assert all(VENDOR_AND_MODEL.fullmatch(each) or each == "riscv-virtio" for each in compatible), compatible
