"""Fetching a kernel: what is there afterwards, and what each way to fail says.

Scripts stand in for apt and dpkg, and answer in their words.
"""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from rootplex.tools import kernels
from rootplex.tools.runner import ToolError

RELEASE = "6.1.0-50-cloud-arm64"
IMAGE = b"MZ".ljust(56, b"\0") + b"ARM\x64" + b"Linux version 6.1.0-50-cloud-arm64 (".ljust(1 << 17, b"\0")
PACKAGE = f"linux-image-{RELEASE}"

# What apt 2.6 prints.
NO_SUITE = "E: The repository 'http://mirror.example/debian bookworm Release' does not have a Release file."
NO_NETWORK = "E: Failed to fetch http://mirror.example/x/InRelease  Could not resolve 'mirror.example'"

SHOW = f"""\
case $* in
    *"show --no-all-versions linux-image-cloud-arm64") echo "Depends: {PACKAGE} (= 6.1.176-1)" ;;
    *"show --no-all-versions {PACKAGE}") echo "Depends: kmod, linux-base (>= 4.3~), a | b" ;;
    *) echo "E: No packages found" >&2; exit 100 ;;
esac
"""
APT_GET = """\
case $* in
    indextargets*)
        echo "bookworm-security http://security.example/debian-security"
        echo "bookworm http://mirror.example/debian" ;;
    *update*)
        echo "$*" >> "$LOG"
        cat "$(echo "$*" | sed 's/.*Dir::Etc::SourceList=\\([^ ]*\\).*/\\1/')" >> "$LOG" ;;
    *download*) echo download >> "$LOG"
        for package; do :; done
        touch "${package}_1_arm64.deb" ;;
esac
"""
DPKG = f"""\
case $2 in
    *linux-image*) mkdir -p "$3/boot" "$3/lib/modules"; cp "$IMAGE" "$3/boot/vmlinuz-{RELEASE}"
        cat "$MODULE" > "$3/lib/modules/pci-pf-stub.ko.xz" ;;
    *busybox*) mkdir -p "$3/bin" "$3/usr/share/doc/busybox"; head -c 100000 /dev/zero > "$3/bin/busybox" ;;
esac
"""


class Machine:
    """A machine whose apt is three shell scripts."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bin, self.cache, self.log, self.image = (
            folder / name for name in ("bin", "cache", "log", "image")
        )
        self.bin.mkdir()
        self.image.write_bytes(IMAGE)
        monkeypatch.setenv("PATH", f"{self.bin}:/usr/bin:/bin")
        monkeypatch.setenv("LOG", str(self.log))
        monkeypatch.setenv("IMAGE", str(self.image))
        module = folder / "module.xz"
        module.write_bytes(lzma.compress(b"module\n"))
        monkeypatch.setenv("MODULE", str(module))
        self.script("apt-get", APT_GET)
        self.script("apt-cache", SHOW)
        self.script("apt-config", "exit 0")
        self.script("dpkg", DPKG)

    def script(self, name: str, text: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{text}")
        (self.bin / name).chmod(0o755)

    def fetch(self) -> kernels.Kernel:
        return kernels.fetch(self.cache, "arm64", "linux-6.1")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_kernel_is_unpacked_whole_and_found_again(machine: Machine) -> None:
    kernel = machine.fetch()
    assert kernel == kernels.newest(machine.cache, "arm64", "linux-6.1")
    assert (kernel.release, kernel.profile) == (RELEASE, "linux-6.1")
    assert kernel.image.read_bytes() == machine.image.read_bytes()
    assert kernel.busybox.stat().st_size == 100000
    assert [module.read_bytes() for module in kernel.modules] == [b"module\n"]
    assert [
        path.name for path in kernels.folder(machine.cache, "arm64").iterdir() if path.name[0] != "."
    ] == [RELEASE]


def test_apt_works_in_the_cache_on_the_machines_own_mirror(machine: Machine) -> None:
    machine.fetch()
    update = machine.log.read_text()
    assert "deb [arch=arm64] http://mirror.example/debian bookworm main\n" in update
    assert f"Dir::State={machine.cache}" in update
    assert f"Dir::Cache={machine.cache}" in update


def test_a_kernel_that_is_there_is_not_fetched_again(machine: Machine) -> None:
    machine.fetch()
    machine.fetch()
    assert machine.log.read_text().count("download") == 2  # the kernel and busybox, once


def test_a_kernel_that_lost_a_file_is_fetched_again(machine: Machine) -> None:
    machine.fetch().busybox.unlink()
    assert kernels.unpacked(machine.cache, "arm64") == ()
    assert machine.fetch().busybox.exists()


def test_a_kernel_that_was_unpacked_without_its_modules_is_fetched_again(machine: Machine) -> None:
    machine.fetch().modules[0].unlink()
    assert machine.fetch().modules[0].read_bytes() == b"module\n"


@pytest.mark.parametrize(
    ("program", "text", "words"),
    [
        (
            "apt-get",
            f'case $* in *update*) echo "{NO_SUITE}" >&2; exit 100;; esac\n{APT_GET}',
            "does not offer the suite bookworm",
        ),
        (
            "apt-get",
            f'case $* in *update*) echo "{NO_NETWORK}" >&2; exit 100;; esac\n{APT_GET}',
            "no network",
        ),
        (
            "apt-get",
            f'case $* in *download*) echo "{NO_NETWORK}" >&2; exit 100;; esac\n{APT_GET}',
            "no network",
        ),
        ("apt-get", "exit 0", "apt has no package source"),
        ("apt-cache", "exit 100", "the suite bookworm has no linux-image-cloud-arm64"),
        ("apt-cache", SHOW.replace(RELEASE, "6.12.9"), "bookworm has 6.12.9, which is not linux-6.1"),
        (
            "dpkg",
            DPKG + 'case $2 in *busybox*) echo "dpkg-deb: error: archive is cut" >&2; exit 2;; esac',
            "archive is cut",
        ),
        ("dpkg", DPKG.replace("vmlinuz-", "other-"), "holds 0 files vmlinu"),
        ("dpkg", DPKG.replace("pci-pf-stub", "other"), "holds 0 modules pci-pf-stub"),
        (
            "dpkg",
            DPKG.replace("cp ", "head -c 70000 ")
            .replace(' "$3/boot/v', ' > "$3/boot/v')
            .replace("$IMAGE", "/dev/zero"),
            "neither an arm64 or riscv64 Image",
        ),
    ],
)
def test_each_way_to_fail_says_so_and_leaves_no_kernel(
    machine: Machine, program: str, text: str, words: str
) -> None:
    machine.script(program, text)
    with pytest.raises(ToolError, match=words):
        machine.fetch()
    assert kernels.unpacked(machine.cache, "arm64") == ()
    assert not list(kernels.folder(machine.cache, "arm64").glob(".new-*"))


def test_without_apt_that_is_what_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine.bin))
    (machine.bin / "apt-get").unlink()
    with pytest.raises(ToolError, match="apt-get is not on this machine"):
        machine.fetch()


def test_no_kernel_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"rootplex fetch-kernel --arch x86_64 --profile linux-7\.2"):
        kernels.newest(tmp_path, "x86_64", "linux-7.2")


def test_kernels_are_ordered_by_release(tmp_path: Path) -> None:
    for release in ("6.1.0-9-x", "6.1.0-50-x", "6.12.1-x"):
        place = kernels.folder(tmp_path, "arm64") / release
        place.mkdir(parents=True)
        (place / "vmlinuz").touch()
        (place / "busybox").touch()
    assert [kernel.release for kernel in kernels.unpacked(tmp_path, "arm64")] == [
        "6.1.0-9-x",
        "6.1.0-50-x",
        "6.12.1-x",
    ]
    assert kernels.newest(tmp_path, "arm64", "linux-6.1").release == "6.1.0-50-x"


@pytest.mark.parametrize(
    ("setting", "value", "trusts"),
    [
        ("Acquire::AllowInsecureRepositories", "true", True),
        ("Acquire::AllowInsecureRepositories", "0", False),
        ("Acquire::AllowWeakRepositories", "1", True),
        ("Binary::apt-get::APT::Get::AllowUnauthenticated", "yes", True),
        ("APT::Get::AllowUnauthenticated", "false", False),
        ("Acquire::AllowInsecureRepositories::example.org", "true", False),
    ],
)
def test_an_apt_that_takes_what_nobody_signed_is_refused(
    machine: Machine, setting: str, value: str, trusts: bool
) -> None:
    machine.script("apt-config", f"""echo 'Dir "/";'; echo '{setting} "{value}";'""")
    if not trusts:
        assert machine.fetch().busybox.exists()
        return
    with pytest.raises(ToolError, match=r"without a signature \(.* is on\): nothing is fetched"):
        machine.fetch()
    assert not machine.log.exists()


@pytest.mark.parametrize(
    ("name", "text", "trusts"),
    [
        ("x.list", "deb [arch=arm64 trusted=yes] http://mirror.example/debian bookworm main\n", True),
        ("x.list", "deb [arch=arm64] http://mirror.example/trusted=yes bookworm main\n", False),
        ("x.list", "# deb [trusted=yes] http://mirror.example/debian bookworm main\n", False),
        ("x.sources", "Types: deb\nURIs: http://mirror.example\nTrusted: yes\n", True),
        ("x.sources", "Types: deb\nSigned-By: /x.gpg\n", False),
    ],
)
def test_a_source_that_is_trusted_unsigned_is_refused(
    machine: Machine, tmp_path: Path, name: str, text: str, trusts: bool
) -> None:
    parts = tmp_path / "a folder"
    parts.mkdir()
    (parts / name).write_text(text)
    machine.script("apt-config", f"""[ "$1" = dump ] || echo "PARTS='{parts}/'" """)
    if not trusts:
        assert machine.fetch().busybox.exists()
        return
    with pytest.raises(ToolError, match=f"{name} trusts a package source without a signature"):
        machine.fetch()
