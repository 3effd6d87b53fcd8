"""A wrong device tree is seen by the boot: `rootplex qemu --boot` says what differs and exits 1.

In guest memory: with real disks the kernel would wait minutes for their answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.json_report import is_document

from rootplex.cli import main
from rootplex.jobs.qemu.files import files
from rootplex.jobs.qemu.preparation import Preparation
from rootplex.readers.dts import compile_dts
from rootplex.source.shipped import shipped_folder
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

pytestmark = pytest.mark.boot

NAME = "qemu-virt-three-segments"

Machine: TypeAlias = Callable[[Arch, str], None]

# What is written otherwise in the tree's text, and what of the second host bridge then differs.
ALTERATIONS = {
    "domain": (("linux,pci-domain = <1>", "linux,pci-domain = <7>"), {"host bridge", "function"}),
    "ecam": (("<0x0 0x94000000 0x0 0x4000000>", "<0x0 0xb4000000 0x0 0x4000000>"), {"function"}),
    "streams": (("<0x4000 &smmu 0x4000 0x4000>", "<0x4000 &smmu 0x4000 0x100>"), {"group"}),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_a_boot_on_an_altered_tree_differs(
    alteration: str,
    tmp_path: Path,
    kernel: Callable[[Arch, str], Kernel],
    machine: Machine,
    program: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine("arm64", "dt")
    program("dtc")
    image = kernel("arm64", "linux-6.1").image
    (old, new), kinds = ALTERATIONS[alteration]

    def altered(preparation: Preparation) -> dict[str, bytes]:
        found = files(preparation)
        text = found[f"{NAME}.dts"].decode()
        assert old in text, text
        return {**found, f"{NAME}.dtb": compile_dts(text.replace(old, new), "altered.dts")}

    monkeypatch.setattr("rootplex.cli.qemu.files", altered)
    file = str(shipped_folder("topologies") / f"{NAME}.yaml")
    arguments = ["qemu", file, "-o", str(tmp_path), "--synthetic", "--boot", "--kernel", str(image)]
    assert main([*arguments, "--format", "json"]) == 1
    said = json.loads(capsys.readouterr().out)
    is_document(said, "boot")
    differing = [line for line in said["lines"] if line["state"] == "differs"]
    assert not said["agreed"]
    assert kinds <= {line["what"] for line in differing}
    assert {line["subject"][:4] for line in differing} <= {"0001", "0007"}
