"""Lines of the consoles of Debian's 4.17.5 and 4.20.4 and of a 4.23 under QEMU, and what is read there."""

from __future__ import annotations

import pytest

from rootplex.jobs.qemu.xen.console import Area, Talk, dom0_text, xen_log
from rootplex.tools.initrd import MARK
from rootplex.tools.runner import ToolError

X86 = """\
(XEN) Xen version 4.20.5-pre (Debian 4.20.4+63-g7abfd2bce2-0+deb13u1) (pkg-xen-devel)\r
(XEN) PCI: MCFG configuration 0: base b0000000 segment 0000 buses 00 - ff\r
(XEN) PCI: MCFG area at b0000000 reserved in E820\r
(XEN) PCI: Using MCFG for segment 0000 bus 00-ff\r
(XEN) I/O virtualisation enabled\r
[   17.060218] pci 0000:00:00.0: [8086:29c0] type 00 class 0x060000\r
(XEN) PCI add device 0000:00:00.0\r
365/73 message 13.452546 system 00:02: could not be reserved(XEN) uart interrupt taking more than 4ms\r
\r
rootplex: boot ends\r
(XEN) ==== PCI devices ====\r
(XEN) ==== segment 0000 ====\r
(XEN) 0000:00:1f.2 - d0 - node -1  - MSIs < 26 >\r
(XEN) 0000:00:00.0 - d0 - node -1 \r
"""

ARM = """\
(XEN) Xen version 4.23-unstable (@) (aarch64-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0) debug=y\r
(XEN) I/O virtualisation disabled\r
(XEN) ECAM at [mem 0x0000004010000000-0x0000004013ffffff] for [bus 0-3f] \r
(XEN) ECAM at [mem 0x0000004014000000-0x0000004017ffffff] for [bus 40-7f] \r
[    2.753844] pci 0000:00:00.0: Failed to add - passthrough or MSI/MSI-X might fail!\r
"""

DOWN = """\
(XEN) Xen version 4.17.5 (Debian 4.17.5+72-g01140da4e8-1) (pkg-xen-devel@lists.alioth.debian.org)\r
(XEN) \r
(XEN) ****************************************\r
(XEN) Panic on CPU 0:\r
(XEN) GICv3: Cannot find the maintenance IRQ\r
(XEN) ****************************************\r
(XEN) \r
(XEN) Manual reset required ('noreboot' specified)\r
"""


def heard(text: str) -> tuple[Talk, list[bytes]]:
    """A talk that has heard a console, and what it typed; it must not have ended before the last line."""
    talk, typed = Talk(), []
    *before, last = text.splitlines()
    for line in before:
        answer = talk(line)
        assert answer is not None, line
        typed.append(answer)
    typed.append(talk(last) or b"(end)")
    return talk, [each for each in typed if each]


def test_a_pc() -> None:
    found = xen_log(X86, heard(X86)[0])
    assert found.release == "4.20.5-pre"
    assert found.iommu
    assert found.areas == (Area(0xB000_0000, 0, 0, 0xFF),)
    assert found.added == ("0000:00:00.0",)
    assert found.owners == {"0000:00:1f.2": "d0", "0000:00:00.0": "d0"}
    assert found.panic is None


def test_a_line_that_xen_spoke_into_is_whole_again() -> None:
    assert "system 00:02: could not be reserved\r\n" in dom0_text(X86)
    assert "(XEN)" not in dom0_text(X86)


def test_an_arm_machine() -> None:
    found = xen_log(ARM, Talk())
    assert not found.iommu
    assert found.areas == (Area(0x40_1000_0000, None, 0, 0x3F), Area(0x40_1400_0000, None, 0x40, 0x7F))
    assert found.refused == {"0000:00:00.0"}
    assert found.owners is None


def test_a_panic_has_its_cause_and_ends_the_talk() -> None:
    talk, typed = heard(DOWN)
    assert typed == [b"(end)"]
    assert xen_log(DOWN, talk).panic == "GICv3: Cannot find the maintenance IRQ"


def test_what_is_typed_until_the_devices_are_listed() -> None:
    text = f"""\
{MARK}
(XEN) *** Serial input to Xen (type 'CTRL-a' three times to switch input)
(XEN)  key 'Q' (ascii '51') => dump PCI devices
(XEN)  key 'w' (ascii '77') => synchronously dump console ring buffer (dmesg)
(XEN) ==== PCI devices ====
(XEN)  key 'Q' (ascii '51') => dump PCI devices
(XEN)  key 'w' (ascii '77') => synchronously dump console ring buffer (dmesg)
"""
    assert heard(text)[1] == [b"\x01\x01\x01", b"h", b"Q", b"h", b"(end)"]


def test_a_xen_without_that_key_is_not_asked() -> None:
    text = f"""\
{MARK}
(XEN) *** Serial input to Xen (type 'CTRL-a' three times to switch input)
(XEN)  key 'w' (ascii '77') => synchronously dump console ring buffer (dmesg)
"""
    assert heard(text)[1] == [b"\x01\x01\x01", b"h", b"(end)"]


def test_a_console_without_xen_is_told() -> None:
    with pytest.raises(ToolError, match="the boot printed nothing of Xen"):
        xen_log("[    0.000000] Linux version 6.1.0\n", Talk())
