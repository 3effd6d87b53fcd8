"""03 boot: where the boot device must sit, and what hides it (linux.md §4.2, xen.md XP-43)."""

from __future__ import annotations

import pytest
from tests.checks.cases import changed, findings_of, line_of, marked_line, only
from tests.checks.two_bridges import SOUND

from rootplex.source.finding import Finding, Level

BOOT = "boot: {device: disk}\n"
DISK = "          - name: disk\n            dev: 0\n"
CARD = "      - {name: card, dev: 1, type: integrated-endpoint, pin: A, msix: 2}\n"
PORT = "      - name: port\n        dev: 1\n"


def the(text: str, code: str) -> Finding:
    """The one finding of a code, whose place must be the marked line."""
    found = only(findings_of(text), code)
    assert len(found) == 1, [each.message for each in found]
    assert line_of(found[0].at) == marked_line(text)
    return found[0]


def arguments(options: str) -> tuple[str, str]:
    """The change that gives the platform a command line, marked."""
    return "  firmware: [dt]\n", f'  firmware: [dt]\n  bootargs: "quiet pci={options}"  #<\n'


def codes(text: str) -> set[str]:
    return {finding.code for finding in findings_of(text)}


@pytest.mark.parametrize("placement", ["mcfg", "segment-zero", "any"])
def test_a_boot_device_where_it_should_be(placement: str) -> None:
    assert not codes(SOUND + f"boot: {{device: disk, placement: {placement}}}\n")


def test_a_boot_device_in_an_empty_slot() -> None:
    text = changed(SOUND, (DISK, DISK + "            present: false\n")) + "boot: {device: disk}  #<\n"
    found = the(text, "RPX0301")
    assert found.notes == ("the slot of disk is empty",)


def test_a_boot_device_on_a_disabled_bridge() -> None:
    text = changed(SOUND, ("  - name: two\n", "  - name: two\n    enabled: false\n"))
    found = the(text + "boot: {device: card, placement: any}  #<\n", "RPX0301")
    assert "its host bridge two is not enabled" in found.notes


def test_a_boot_device_off_segment_zero() -> None:
    text = SOUND + "boot:\n  device: card\n  placement: segment-zero  #<\n"
    assert "segment 1, not 0" in the(text, "RPX0302").message


def test_without_acpi_the_tree_must_have_ecam() -> None:
    cam = changed(
        SOUND, ("    config: {base: 0x40_1000_0000}\n", "    config: {kind: cam, base: 0x40_1000_0000}\n")
    )
    assert "is cam" in the(cam + "boot: {device: disk}  #<\n", "RPX0302").message
    assert "RPX0302" not in codes(cam + "boot: {device: disk, placement: any}\n")


ACPI = ("  firmware: [dt]\n", "  firmware: [dt, acpi]\n")


def test_with_acpi_the_bridge_must_be_in_mcfg() -> None:
    out = changed(SOUND, ACPI, ("    dt: {label: first}\n", "    acpi: {mcfg: false, cba: true}\n"))
    assert "is not in MCFG" in the(out + "boot: {device: disk}  #<\n", "RPX0302").message
    assert "RPX0302" not in codes(changed(SOUND, ACPI) + BOOT)


def test_a_hot_pluggable_bridge_is_not_in_mcfg() -> None:
    out = changed(SOUND, ACPI, ("    dt: {label: first}\n", "    hot_pluggable: true\n"))
    assert "hot-pluggable" in the(out + "boot: {device: disk}  #<\n", "RPX0302").message


def test_a_slot_without_function_zero_is_a_warning() -> None:
    text = changed(SOUND, (CARD, CARD + "      - {name: lost, dev: 3, fn: 1}  #<\n"))
    assert the(text, "RPX0304").level is Level.WARNING


def test_an_empty_function_zero_is_none() -> None:
    lost = "      - {name: lost, dev: 3, fn: 1}  #<\n      - {name: void, dev: 3, present: false}\n"
    found = the(changed(SOUND, (CARD, CARD + lost)), "RPX0304")
    assert [each.message for each in found.related] == ["function 0 is not present"]


def test_a_missing_function_zero_that_hides_the_boot_device() -> None:
    text = changed(SOUND, (PORT, "      - name: port\n        dev: 1\n        fn: 2  #<\n")) + BOOT
    found = the(text, "RPX0304")
    assert found.level is Level.ERROR
    assert found.notes == ("slot 01 below one hides the boot device disk",)
    assert "RPX0301" not in codes(text)


def test_a_device_number_behind_a_port_is_a_warning() -> None:
    text = changed(
        SOUND, (DISK, "          - {name: other, dev: 0}\n          - name: disk\n            dev: 2  #<\n")
    )
    assert the(text, "RPX0305").level is Level.WARNING


def test_a_device_number_that_hides_a_guests_device() -> None:
    text = changed(SOUND, (DISK, "          - name: disk\n            dev: 2  #<\n"))
    found = the(text + "  guests: [{name: g, devices: [disk]}]\n", "RPX0305")
    assert found.level is Level.ERROR
    assert "it hides disk, which guest g is to have" in found.notes


def test_a_device_number_that_the_kernel_is_told_to_look_for() -> None:
    text = changed(SOUND, (DISK, "          - name: disk\n            dev: 2\n"), arguments("pcie_scan_all"))
    assert only(findings_of(text), "RPX0305") == ()


@pytest.mark.parametrize(
    ("word", "message", "note"),
    [
        (
            "realloc=on",
            "'pci=realloc=on' is not simulated",
            "the kernel heeds it: what depends on it comes out ",
        ),
        ("no-ari", "linux-7.2 does not know 'pci=no-ari'", "the kernel ignores it"),
        ("assign-busses", "linux-7.2 does not know 'pci=assign-busses'", "the kernel ignores it"),
    ],
)
def test_words_of_the_command_line_that_are_not_followed(word: str, message: str, note: str) -> None:
    text = changed(SOUND, arguments(f"noari,{word}"))
    found = the(text, "RPX0306")
    assert (found.message, found.level, found.subject) == (message, Level.WARNING, word)
    assert found.notes[0].startswith(note)


def test_words_of_the_command_line_that_are_followed_or_matter_to_nothing_here() -> None:
    words = "noari,noats,hpbussize=2,pcie_scan_all,config_acs=x@0:0.0,disable_acs_redir=0:0.0,noaer,ecrc=on"
    assert only(findings_of(changed(SOUND, arguments(words))), "RPX0306") == ()
    older = changed(SOUND, arguments("config_acs=x@0:0.0"), ("linux-7.2", "linux-6.1"))
    assert the(older, "RPX0306").message == "linux-6.1 does not know 'pci=config_acs=x@0:0.0'"
