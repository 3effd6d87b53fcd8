"""Devices given by type alone on QEMU's: which model stands for each, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.topologies.test_readme import block

from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu import boot as booting
from rootplex.jobs.qemu.generic import stand_in, with_models
from rootplex.jobs.qemu.preparation import on_qemu, prepare
from rootplex.known.reader import model
from rootplex.tools import kernels
from rootplex.tools.kernels import Kernel
from rootplex.tools.runner import ToolError


@pytest.mark.parametrize(
    ("type", "class_", "name"),
    [
        ("root-port", 0x060400, "qemu:pcie-root-port"),
        ("downstream-port", 0x060400, "qemu:xio3130-downstream"),
        ("endpoint", 0x010802, "qemu:nvme"),
        ("endpoint", 0x020000, "qemu:e1000e"),
        ("pci", 0x020000, "qemu:e1000"),
        ("pci", 0x0C0300, "qemu:edu"),
        ("event-collector", 0x080700, None),
    ],
)
def test_a_type_and_class_have_a_model_of_that_type(type: str, class_: int, name: str | None) -> None:
    assert name == stand_in(type, class_)
    if name is not None:
        assert type == model(name)["type"]


def test_what_the_author_wrote_beside_is_told() -> None:
    text = block("yaml").replace(', model: "qemu:pcie-root-port"', "")
    text = text.replace("{name: rp2, dev: 0,", "{name: rp2, dev: 0, id: '8086:1901', msi: 4,")
    _, changes = with_models(read_checked(text.encode(), "x.yaml").document)
    assert [
        ("rp1", "as qemu:pcie-root-port"),
        ("rp2", "as qemu:pcie-root-port; with its own id, msi"),
    ] == [(each.subject, each.text) for each in changes]


def test_the_readmes_example_is_what_qemu_has() -> None:
    text = block("yaml").replace("    acpi: {segment: 2}", "    #")
    platform, changes = on_qemu(read_checked(text.encode(), "x.yaml"), in_memory=False)
    made = prepare(platform, "dt", "linux-7.2", changes=changes)
    assert 2 == sum(argument.startswith("pcie-root-port,") for argument in made.arguments)
    assert "disk.img" in made.files


def test_a_kernel_that_cannot_be_had_gives_way_to_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, full: bool) -> Kernel:
        raise ToolError("no mirror")

    def there(_cache: Path, _arch: str, *, full: bool) -> tuple[Kernel, ...]:
        return tuple(
            Kernel("arm64", release, profile, tmp_path, tmp_path)
            for release, profile in (("6.1.0-50", "linux-6.1"), ("6.12.99", "linux-6.12"), ("6.20.1", None))
        )

    monkeypatch.setattr(kernels, "fetch", refuse)
    monkeypatch.setattr(kernels, "unpacked", there)
    chosen = booting.kernel_for(tmp_path, "arm64", None, "linux-7.2")
    assert "6.12.99" == chosen.kernel.release
    assert "linux-7.2 is not to be had: 6.12.99 boots, as linux-6.12" == chosen.instead
    assert "6.1.0-50" == booting.kernel_for(tmp_path, "arm64", None, "linux-6.1").kernel.release
    monkeypatch.setattr(kernels, "unpacked", lambda *_, full: ())
    with pytest.raises(ToolError, match="no mirror"):
        booting.kernel_for(tmp_path, "arm64", None, "linux-7.2")
