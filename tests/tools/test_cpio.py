"""The archive against busybox's own cpio, and against the kernel's description of its header."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rootplex.tools import cpio, initrd, runner

FILES = [("kernel/firmware/acpi/ssdt.aml", b"SSDT!"), ("kernel/firmware/acpi/mcfg.aml", bytes(range(256)))]


def test_busybox_unpacks_what_was_packed(busybox: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    outcome = runner.run([str(busybox), "cpio", "-idv"], cwd=tmp_path / "tree", stdin=cpio.archive(FILES))
    assert outcome.status == 0
    found = {
        str(path.relative_to(tmp_path / "tree")): path.read_bytes()
        for path in (tmp_path / "tree").rglob("*")
        if path.is_file()
    }
    assert found == dict(FILES)


def test_the_header_is_the_kernels(tmp_path: Path) -> None:
    data = cpio.pack([cpio.Entry("init", b"#!", stat.S_IFREG | 0o755)])
    # c_magic ino mode uid gid nlink mtime filesize maj min rmaj rmin namesize chksum (buffer-format.rst)
    fields = [int(data[6 + 8 * index : 14 + 8 * index], 16) for index in range(13)]
    assert data[:6] == b"070701"
    assert fields == [1, 0o100755, 0, 0, 1, 0, 2, 0, 0, 0, 0, 5, 0]
    assert data[110:118] == b"init\0\0#!"
    assert len(data) % 512 == 0


def test_folders_stand_before_what_lies_in_them() -> None:
    data = cpio.archive([("a/b/c", b"1"), ("a/d", b"2")])
    places = [data.index(name + b"\0") for name in (b"a", b"a/b", b"a/b/c", b"a/d", b"TRAILER!!!")]
    assert places == sorted(places)
    assert data.count(b"070701") == 5


@pytest.mark.parametrize("name", ["/init", "../init", "a//b", "", ".", "TRAILER!!!"])
def test_a_name_that_no_member_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        cpio.archive([(name, b"")])


def test_the_same_name_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two members"):
        cpio.archive([("a", b""), ("a", b"")])


def test_replacement_tables_come_first_and_uncompressed() -> None:
    plain = initrd.image(b"busybox", "echo")
    data = initrd.image(b"busybox", "echo", FILES[:1])
    assert data.endswith(plain)
    assert data[: -len(plain)] == initrd.override(FILES[:1])
    assert b"kernel/firmware/acpi/kernel/firmware/acpi/ssdt.aml\0" in data
    assert plain == initrd.image(b"busybox", "echo")


def test_what_disks_hold_is_read_from_the_console() -> None:
    console = "x\r\nrootplex: disk 0001:41:00.0 nvme1n1 72 70 00\r\nrootplex: disk 0000:01:00.0 nvme0n1\r\n"
    assert initrd.disks(console) == {"0001:41:00.0": b"rp\0", "0000:01:00.0": b""}
