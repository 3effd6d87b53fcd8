"""QEMU is run to its mark, and is gone afterwards whatever ended the wait. A shell stands in for QEMU."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.tools.events import ends_within, told_through

from rootplex.tools import boot
from rootplex.tools.boot import BootError
from rootplex.tools.runner import ToolError

MARK = "the end"


def qemu(folder: Path, script: str) -> list[str]:
    """A program that says who it and its child are, and then does as `script` says."""
    return ["sh", "-c", f"sleep 300 & echo $$ $! > {folder}/pids; {script}"]


def assert_gone(folder: Path) -> None:
    pids = [int(word) for word in (folder / "pids").read_text().split()]
    assert [pid for pid in pids if not ends_within(5, pid)] == []


def test_ends_qemu_at_the_mark_and_returns_the_console(tmp_path: Path) -> None:
    seen: list[str] = []
    argv = qemu(tmp_path, f"printf 'first\\r\\n'; echo 'noise {MARK}'; echo later; sleep 300")
    text = boot.run(argv, log=tmp_path / "log", until=MARK, seconds=20, progress=seen.append)
    assert text.startswith(f"first\r\nnoise {MARK}\n")
    assert seen == ["first", f"noise {MARK}"]
    assert (tmp_path / "log").read_text().startswith("first")
    assert_gone(tmp_path)


def test_an_unfinished_line_is_not_the_mark(tmp_path: Path) -> None:
    with pytest.raises(BootError, match="within 1 seconds"):
        boot.run(qemu(tmp_path, f"printf '{MARK}'; sleep 300"), log=tmp_path / "log", until=MARK, seconds=1)
    assert_gone(tmp_path)


def test_the_time_limit_names_the_log_and_the_last_lines(tmp_path: Path) -> None:
    argv = qemu(tmp_path, "for n in 1 2 3 4 5 6 7; do echo line $n; done; sleep 300")
    with pytest.raises(BootError) as caught:
        boot.run(argv, log=tmp_path / "log", until=MARK, seconds=1)
    assert str(tmp_path / "log") in str(caught.value)
    assert str(caught.value).endswith("line 3\n  line 4\n  line 5\n  line 6\n  line 7")
    assert_gone(tmp_path)


def test_an_early_end_is_told_with_its_status_and_words(tmp_path: Path) -> None:
    argv = ["sh", "-c", "echo 'qemu: no such machine' >&2; exit 3"]
    with pytest.raises(BootError, match=r"(?s)status 3 .*qemu: no such machine"):
        boot.run(argv, log=tmp_path / "log", until=MARK, seconds=20)


def test_a_mark_just_before_the_end_counts(tmp_path: Path) -> None:
    assert boot.run(["sh", "-c", f"echo {MARK}"], log=tmp_path / "log", until=MARK, seconds=20) == f"{MARK}\n"


def test_standard_input_is_closed_and_reboots_are_off(tmp_path: Path) -> None:
    argv = ["sh", "-c", f'read line || echo "$0 {MARK}"']
    text = boot.run(argv, log=tmp_path / "log", until=MARK, seconds=20)
    assert text == f"-no-reboot {MARK}\n"


def test_a_missing_qemu_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="apt-get install qemu-system-arm"):
        boot.run(["qemu-system-aarch64"], log=tmp_path / "log", until=MARK, seconds=1)


def test_an_error_in_the_progress_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(_line: str) -> None:
        raise RuntimeError("the pipe is closed")

    with pytest.raises(RuntimeError):
        boot.run(
            qemu(tmp_path, "echo x; sleep 300"), log=tmp_path / "log", until=MARK, seconds=9, progress=fail
        )
    assert_gone(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_leaves_no_qemu_behind(tmp_path: Path, number: signal.Signals) -> None:
    if number is signal.SIGKILL and shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed (util-linux)")
    argv = qemu(tmp_path, "echo begun; sleep 300")
    if number is signal.SIGKILL:  # reaches QEMU by the kernel, and QEMU has no children
        argv = ["sh", "-c", f"echo $$ > {tmp_path}/pids; echo begun; exec sleep 300"]
    code = (
        "from pathlib import Path; from rootplex.tools import boot\n"
        f"boot.run({argv!r}, log=Path({str(tmp_path / 'log')!r}), until={MARK!r}, seconds=60,\n"
        f"    progress=Path({str(tmp_path / 'begun')!r}).write_text)"
    )
    with told_through(tmp_path / "begun") as word:
        ours = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        word()
    try:
        ours.send_signal(number)
        assert ours.wait(20) != 0
    finally:
        ours.kill()
        ours.wait()
    assert_gone(tmp_path)
