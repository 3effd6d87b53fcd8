"""A real Xen and its Dom0 on what is compiled: `rootplex qemu --boot --xen`, Debian's Xen of each version.

Debian's builds for arm64 have no PCI: what they show is that the tree boots, that Dom0's reports are refused,
and what Dom0 sees.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.json_report import is_document

from rootplex.capture import script
from rootplex.cli import main
from rootplex.jobs.qemu.xen import boot, firmware
from rootplex.jobs.qemu.xen.loading import chosen
from rootplex.jobs.qemu.xen.setup import SCRIPT
from rootplex.known.xen import DEBIAN
from rootplex.readers.dts import compile_dts
from rootplex.source.shipped import shipped_folder
from rootplex.tools import hypervisors, initrd
from rootplex.tools.boot import run
from rootplex.tools.images import Arch
from rootplex.tools.runner import ToolError

pytestmark = pytest.mark.boot

Machine: TypeAlias = Callable[[Arch, str], None]
ARCHES: dict[str, Arch] = {"qemu-virt": "arm64", "qemu-virt-three-segments": "arm64", "q35": "x86_64"}
SECONDS = "300"


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


@pytest.fixture(scope="session")
def xen() -> Callable[[Arch, str], None]:
    """Debian's Xen of an architecture and profile into the user's cache; the test skips, with apt's own
    reason, where it cannot be had."""
    cache = cache_folder()
    reasons: dict[tuple[Arch, str], str] = {}

    def get(arch: Arch, profile: str) -> None:
        if (arch, profile) not in reasons and hypervisors.newest(cache, arch, profile) is None:
            try:
                hypervisors.fetch(cache, arch, profile)
            except (ToolError, OSError) as error:
                reasons[arch, profile] = f"no {arch} {profile}: {error}"
        if (arch, profile) in reasons:
            pytest.skip(reasons[arch, profile])

    return get


def said(
    name: str, profile: str, folder: Path, status: int, capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    """What a boot of a bundled board, or of a file, says, as JSON; it must end with this exit status."""
    file = name if name.endswith(".yaml") else str(shipped_folder("topologies") / f"{name}.yaml")
    arguments = ["qemu", file, "-o", str(folder), "--boot", "--xen", "--xen-version", profile]
    assert main([*arguments, "--seconds", SECONDS, "--format", "json"]) == status
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    is_document(found, "xen_boot")
    return found


def differing(found: dict[str, Any]) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (line["what"], line["subject"], line["simulated"], line["booted"])
        for line in found["lines"]
        if line["state"] == "differs"
    ]


@pytest.mark.parametrize("profile", DEBIAN)
@pytest.mark.parametrize("name", ARCHES)
def test_xen_and_its_dom0_do_as_simulated(
    name: str,
    profile: str,
    tmp_path: Path,
    machine: Machine,
    xen: Callable[[Arch, str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    arch = ARCHES[name]
    machine(arch, "acpi" if arch == "x86_64" else "dt")
    xen(arch, profile)
    found = said(name, profile, tmp_path, 0, capsys)
    assert differing(found) == []
    assert found["xen_profile"] == profile
    figures = found["figures"]
    assert figures["report"] == figures["function"] > 0
    assert figures["owner"] == (figures["function"] if arch == "x86_64" else 0)


def test_the_script_of_compile_starts_xen_and_dom0(
    tmp_path: Path, machine: Machine, xen: Callable[[Arch, str], None]
) -> None:
    """`compile --xen`, then `sh xen.sh XEN KERNEL INITRD` alone, until Dom0 has printed its snapshot."""
    machine("arm64", "dt")
    xen("arm64", "xen-4.17")
    file = str(shipped_folder("topologies") / "qemu-virt.yaml")
    assert main(["compile", file, "--xen", "-o", str(tmp_path)]) == 0
    found = hypervisors.newest(cache_folder(), "arm64", "xen-4.17")
    assert found is not None
    image = tmp_path / "initrd, small"
    image.write_bytes(initrd.image(found.dom0.busybox.read_bytes(), script(), []))
    files = (str(each) for each in (tmp_path / "qemu-virt" / SCRIPT, found.image, found.dom0.image, image))
    text = run(["sh", *files], log=tmp_path / "log", until=initrd.MARK, seconds=float(SECONDS))
    assert "(XEN) Loading d0 initrd from 000000004d000000" in text
    assert "Kernel command line: console=hvc0" in text


TREES = {
    "maintenance": (
        "interrupts = <1 9 4>;",
        "",
        [("Xen", "Xen", "booted", "went down: GICv3: Cannot find the maintenance IRQ")],
    ),
    "domain": ("linux,pci-domain = <1>", "linux,pci-domain = <7>", None),
}
"""What is written otherwise in the tree of three segments, and what differs (None: the second bridge)."""


@pytest.mark.parametrize("alteration", TREES)
def test_xen_on_an_altered_tree_differs(
    alteration: str,
    tmp_path: Path,
    machine: Machine,
    xen: Callable[[Arch, str], None],
    program: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine("arm64", "dt")
    program("dtc")
    xen("arm64", "xen-4.17")
    name = "qemu-virt-three-segments"
    old, new, expected = TREES[alteration]

    def altered(blob: bytes, *more: Any) -> bytes:
        text = (tmp_path / name / f"{name}.dts").read_text()
        assert old in text
        return chosen(compile_dts(text.replace(old, new), "altered.dts"), *more)

    monkeypatch.setattr(boot, "chosen", altered)
    found = differing(said(name, "xen-4.17", tmp_path, 1, capsys))
    if expected is not None:
        assert found == expected
    else:
        assert {"host bridge", "function", "report"} <= {what for what, *_ in found}
        assert {subject[:4] for _, subject, *_ in found} == {"0001", "0007"}


def test_two_segments_on_a_pc(
    tmp_path: Path, machine: Machine, xen: Callable[[Arch, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Xen reads two areas of MCFG, and Dom0 tells it of functions in both segments."""
    machine("x86_64", "acpi")
    xen("x86_64", "xen-4.20")
    found = said(str(Path(__file__).parent / "q35-two-segments.yaml"), "xen-4.20", tmp_path, 0, capsys)
    assert differing(found) == []
    agreed = {(line["what"], line["subject"]) for line in found["lines"] if line["state"] == "agreed"}
    assert {("area", "segment 0000"), ("area", "segment 0001"), ("report", "0001:81:00.0")} <= agreed
    own = {(line["what"], line["subject"]) for line in found["lines"] if line["state"] == "qemu"}
    assert own == {(what, "0000:00:1e.0") for what in ("report", "owner", "function")}


def test_xen_on_an_altered_mcfg_differs(
    tmp_path: Path,
    machine: Machine,
    xen: Callable[[Arch, str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Xen and Dom0 read an area that ends at another bus than the description's."""
    machine("x86_64", "acpi")
    xen("x86_64", "xen-4.17")
    sound = firmware.with_own

    def altered(made: Any, own: dict[str, bytes]) -> dict[str, bytes]:
        return sound(made, {name: _shorter(name, data) for name, data in own.items()})

    monkeypatch.setattr(boot, "with_own", altered)
    found = differing(said("q35", "xen-4.17", tmp_path, 1, capsys))
    area = ("0xb0000000 for buses 00-ff", "0xb0000000 for buses 00-7f")
    assert ("area", "segment 0000", *area) in found


def _shorter(name: str, table: bytes) -> bytes:
    """MCFG (PCI Firmware 3.3, table 4-3) with its first entry's last bus, byte 55, at 7f."""
    if name != "mcfg.aml":
        return table
    data = bytearray(table)
    data[55] = 0x7F
    data[9] = 0
    data[9] = -sum(data) & 0xFF
    return bytes(data)
