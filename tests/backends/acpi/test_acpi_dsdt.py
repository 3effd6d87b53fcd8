"""The stub DSDTs as ACPICA evaluates them, and the archive that carries the tables into Linux."""

from __future__ import annotations

from typing import Any

import pytest
from tests.acpica import evaluate, names
from tests.backends import platforms
from tests.checks.golden import hold

from rootplex.backends.acpi.asl import compile_with_complaints
from rootplex.backends.acpi.dsdt import dsdt
from rootplex.backends.acpi.mcfg import mcfg
from rootplex.backends.acpi.override import override
from rootplex.backends.acpi.ssdt import ssdt
from rootplex.backends.refusal import CannotCompile
from rootplex.tools.runner import private_folder, run

Q35: dict[str, Any] = {"arch": "x86_64", "base": "qemu-q35", "iommus": (), "msi_controllers": ()}


@pytest.mark.parametrize("overrides", [{}, Q35])
def test_iasl_has_nothing_to_say(overrides: dict[str, Any]) -> None:
    source, table = dsdt(platforms.platform(**overrides))
    aml, complaints = compile_with_complaints(source.data.decode(), "dsdt")
    assert complaints == ()
    assert (aml, table.data[8]) == (table.data, 2)  # revision 2: integers have 64 bits


@pytest.mark.parametrize("overrides", [{}, Q35])
def test_no_name_is_in_both_the_stub_and_the_ssdt(overrides: dict[str, Any]) -> None:
    platform = platforms.platform(**overrides)
    stub, bridges = dsdt(platform)[1].data, ssdt(platform)[1].data
    assert names(stub, "_HID").keys() & names(bridges, "_HID").keys() == set()
    with private_folder() as folder:
        (folder / "dsdt.aml").write_bytes(stub)
        (folder / "ssdt.aml").write_bytes(bridges)
        outcome = run(
            ["acpiexec", "-di", "-b", "Evaluate \\_SB.PC00._BBN; quit", "dsdt.aml", "ssdt.aml"], cwd=folder
        )
    assert "ACPI Error" not in outcome.stdout + outcome.stderr
    assert "2 ACPI AML tables successfully acquired and loaded" in outcome.stdout + outcome.stderr


def test_virt_has_the_cpu_and_the_uart() -> None:
    table = dsdt(platforms.platform())[1].data
    assert set(names(table, "_HID").values()) >= {"ACPI0007", "ARMH0011", "QEMU0002", 0x020CD041}
    (crs,) = evaluate(table, "\\_SB.COM0._CRS")
    assert isinstance(crs, bytes)
    # QEMU's `virt`: PL011 at 0x9000000, SPI 1 (its device tree in the corpus): a 32-bit fixed range, GSI 33
    assert crs[:12] == bytes.fromhex("86 0900 01 00000009 00100000")
    assert crs[12:21] == bytes.fromhex("89 0600 01 01 21000000")


def test_q35_has_the_serial_port_and_a_way_off() -> None:
    table = dsdt(platforms.platform(**Q35))[1].data
    assert set(names(table, "_HID").values()) >= {"ACPI0007", 0x0105D041, 0x000BD041}
    crs, off = evaluate(table, "\\_SB.COM1._CRS", "\\_S5")
    assert isinstance(crs, bytes)
    assert crs[:11] == bytes.fromhex("47 01 f803 f803 00 08 22 1000")  # ports 3f8-3ff, IRQ 4
    assert off == [0, 0, 0, 0]


def test_there_is_no_stub_for_other_machines() -> None:
    with pytest.raises(CannotCompile) as refusal:
        dsdt(platforms.platform(arch="riscv64"))
    hold(refusal.value.findings)
    assert [finding.code for finding in refusal.value.findings] == ["RPX0709"]


def members(data: bytes) -> dict[str, bytes]:
    """Names and bytes of a newc archive, read by the format's own text (initramfs buffer-format)."""
    found: dict[str, bytes] = {}
    offset = 0
    while True:
        head = data[offset : offset + 110]
        assert head[:6] == b"070701"
        size, length = int(head[54:62], 16), int(head[94:102], 16)
        name = data[offset + 110 : offset + 110 + length - 1].decode()
        start = offset + 110 + length
        start += -start % 4
        if name == "TRAILER!!!":
            return found
        found[name] = data[start : start + size]
        offset = start + size
        offset += -offset % 4


def test_the_archive_has_every_table_where_linux_looks() -> None:
    platform = platforms.platform()
    first, second = mcfg(platform), ssdt(platform)[1]
    assert first is not None
    made = override([second, first])
    assert made.file == "acpi-override.cpio"
    assert made == override([first, second])
    inside = members(made.data)
    assert [name for name in inside if name.endswith(".aml")] == [
        "kernel/firmware/acpi/mcfg.aml",
        "kernel/firmware/acpi/ssdt.aml",
    ]
    assert inside["kernel/firmware/acpi/ssdt.aml"] == second.data
