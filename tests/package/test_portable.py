"""What is said of other systems, as far as pure Python goes: no module needs what only POSIX or Linux has
when it is loaded, and work that needs no program does without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ABROAD = """
import sys
for name in ("fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "syslog", "curses", "readline"):
    sys.modules[name] = None  # importing it fails, as where it is missing
import os, select, signal, subprocess
for name in (
    "fork", "forkpty", "killpg", "setsid", "getuid", "geteuid", "memfd_create", "pidfd_open", "mkfifo",
    "register_at_fork", "O_DIRECTORY", "O_CLOEXEC", "O_NOFOLLOW", "sched_getaffinity", "getpgid", "waitid",
    "uname",
):
    vars(os).pop(name, None)
for name in ("SIGKILL", "SIGHUP", "SIGXCPU", "SIGALRM", "SIGUSR1", "SIGCHLD", "SIGPIPE", "setitimer"):
    vars(signal).pop(name, None)
for name in ("poll", "epoll"):
    vars(select).pop(name, None)
"""
"""A Python without what only Unix has (the `Availability` notes of the library's manual)."""

LOADED = """
import importlib, pkgutil
import rootplex
for module in pkgutil.walk_packages(rootplex.__path__, "rootplex."):
    if module.name not in ("rootplex.__main__", "rootplex.library.pytest_plugin", "rootplex.fleet.cluster"):
        importlib.import_module(module.name)
"""

RUN = """
from rootplex.cli import main
sys.exit(main(sys.argv[1:]))
"""

DT_ONLY = """\
rootplex: 1
platform: {name: x, arch: arm64, base: qemu-virt, firmware: [dt]}
host_bridges:
  - {name: main, segment: 0, bus_range: [0, 0x3f], config: {base: 0x40_1000_0000},
     windows: [{space: mem32, pci: 0x1000_0000, size: 256MiB}],
     devices: [{name: rp, dev: 1, type: root-port, acs: true, devices: [{name: nic, dev: 0, msix: 4}]}]}
"""


def python(program: str, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def board(tmp_path: Path) -> Path:
    path = tmp_path / "x.yaml"
    path.write_text(DT_ONLY)
    return path


def test_every_module_loads_where_there_is_no_unix() -> None:
    done = python(ABROAD + LOADED)
    assert (0, "") == (done.returncode, done.stderr[-2000:])


def test_the_work_on_device_trees_needs_no_unix_and_no_program(board: Path, tmp_path: Path) -> None:
    """check, compile, import and validate of device trees, with no program to be found at all."""

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        done = python(ABROAD + RUN, *words, PATH="")
        assert (0, "") == (done.returncode, done.stderr), words
        return done

    assert "x: consistent" in run("check", board).stdout
    run("compile", board, "-o", tmp_path / "out")
    run("validate", tmp_path / "out" / "x" / "x.dtb")
    run("import", tmp_path / "out" / "x" / "x.dtb", "-o", tmp_path / "y.yaml")
    run("groups", board)
    run("explain", "RPX0801")
    run("report", board, "-o", tmp_path / "x.html")


def test_without_acpica_tools_acpi_is_refused_in_one_line(board: Path) -> None:
    board.write_text(DT_ONLY.replace(", firmware: [dt]", ""))
    done = python("import sys" + RUN, "check", board, PATH="")
    assert 2 == done.returncode
    assert "" == done.stdout
    assert "rootplex: iasl is not installed (on Debian: apt-get install acpica-tools)\n" == done.stderr
