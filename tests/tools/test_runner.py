"""Programs run under limits: until their end, or until they have printed what is wanted."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.tools.events import told_through

from rootplex.tools.beside import beside
from rootplex.tools.runner import OUTPUT_LIMIT, ToolError, limited, path_of, private_folder, run, talking

PYTHON = sys.executable


def program(text: str) -> list[str]:
    return [PYTHON, "-c", text]


def until(mark: bytes, argv: list[str], cwd: Path, *, stdin: bytes = b"", seconds: float = 60.0) -> str:
    with talking(argv, cwd=cwd, seconds=seconds) as talk:
        return talk.say(stdin, mark)


def test_a_program_is_ended_at_its_mark(tmp_path: Path) -> None:
    """The sleep after the mark is not waited for, and what came before is there whole."""
    talk = program("import time; print('x' * 100000); print('- end', flush=True); time.sleep(60)")
    begun = time.monotonic()
    printed = until(b"- end", talk, tmp_path)
    assert time.monotonic() - begun < 30
    assert printed.startswith("x" * 100000 + "\n- end")


def test_a_program_that_never_prints_the_mark_ends_by_itself(tmp_path: Path) -> None:
    assert until(b"- end", program("print('done')"), tmp_path) == "done\n"


def test_a_mark_in_two_pieces_is_seen(tmp_path: Path) -> None:
    talk = program(
        "import time\nfor part in ('- e', 'nd', ''): print(part, end='', flush=True); time.sleep(.2)"
    )
    assert until(b"- end", talk, tmp_path) == "- end"


def test_a_talk_goes_on(tmp_path: Path) -> None:
    with talking(program("while True: print(f'so {input()};', end='', flush=True)"), cwd=tmp_path) as talk:
        assert [talk.say(word + b"\n", b";") for word in (b"one", b"two")] == ["so one;", "so two;"]


def test_a_program_that_does_not_read_and_ends(tmp_path: Path) -> None:
    with talking(program("print('no')"), cwd=tmp_path) as talk:
        assert talk.say(b"words\n" * 1000, b"never") == "no\n"
        assert talk.say(b"words\n", b"never") == ""


def test_standard_input_reaches_the_program(tmp_path: Path) -> None:
    echo = program("import sys; print(sys.stdin.read(), end='')")
    assert until(b"words", program("print(input(), end='')"), tmp_path, stdin=b"words\n") == "words"
    assert run(echo, cwd=tmp_path, stdin=b"words").stdout == "words"


def test_the_time_limit_is_said(tmp_path: Path) -> None:
    sleeper = program("import time; time.sleep(60)")
    for call in (
        lambda: run(sleeper, cwd=tmp_path, seconds=0.2),
        lambda: until(b"x", sleeper, tmp_path, seconds=0.2),
    ):
        with pytest.raises(ToolError, match=r"did not finish within 0\.2 seconds"):
            call()


def test_a_system_without_pidfds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels before 5.3, and sandboxes."""

    def refused(_pid: int) -> int:
        raise OSError(errno.ENOSYS, "no such call")

    monkeypatch.setattr("os.pidfd_open", refused)
    assert run(program("print('done')"), cwd=tmp_path).stdout == "done\n"
    with pytest.raises(ToolError, match="did not finish"):
        run(program("import time; time.sleep(60)"), cwd=tmp_path, seconds=0.2)


def test_output_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rootplex.tools.runner.OUTPUT_LIMIT", 1 << 20)
    flood = program("import sys\nwhile True: sys.stdout.write('x' * 65536)")
    with pytest.raises(ToolError, match="printed more than 1 MiB"):
        until(b"- end", flood, tmp_path)
    begun = time.monotonic()
    with pytest.raises(ToolError, match="printed more than 1 MiB"):
        run(program("import time; print('x' * (1 << 21), flush=True); time.sleep(60)"), cwd=tmp_path)
    assert time.monotonic() - begun < 30


def test_a_program_that_prints_without_a_pause_is_ended_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever one looks, there is something to read."""
    monkeypatch.setattr("rootplex.tools.runner.OUTPUT_LIMIT", 1 << 30)
    flood = program("import os\nwhile True: os.write(1, b'x' * 4096)")
    with pytest.raises(ToolError, match=r"did not finish within 0\.1 seconds"):
        until(b"- end", flood, tmp_path, seconds=0.1)


def test_what_path_names_wrongly_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no file can have, a file that is no program, a folder of the program's name."""
    for folder in ("text", "folder", "right"):
        (tmp_path / folder).mkdir()
    (tmp_path / "text" / "iasl").touch(0o644)
    (tmp_path / "folder" / "iasl").mkdir()
    (tmp_path / "right" / "iasl").touch(0o755)
    folders = [tmp_path / ("x" * 300), *(tmp_path / name for name in ("none", "text", "folder", "right"))]
    monkeypatch.setenv("PATH", ":".join(map(str, folders)))
    assert path_of("iasl") == str(tmp_path / "right" / "iasl")


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match=r"iasl is not installed \(on Debian: apt-get install acpica-tools\)"):
        path_of("iasl")


def test_a_private_folder_is_ours_alone_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    with private_folder() as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "sub").mkdir()
        (folder / "sub" / "file").touch()
        (folder / "link").symlink_to(outside)
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
    assert (outside / "kept").exists()


def test_a_private_folder_is_elsewhere_where_tmpdir_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    monkeypatch.setattr("tempfile.tempdir", None)
    with private_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_work_beside_us_gives_its_value_or_raises() -> None:
    with beside(lambda: 6 * 7) as work:
        assert work.result() == 42

    def fails() -> int:
        raise ToolError("no")

    with beside(fails) as work, pytest.raises(ToolError, match="no"):
        work.result()


def test_work_beside_us_has_ended_when_we_fail() -> None:
    ended: list[bool] = []

    def slow() -> None:
        time.sleep(0.2)
        ended.append(True)

    with pytest.raises(ValueError, match="ours"), beside(slow):
        raise ValueError("ours")
    assert ended == [True]


INTERRUPTED = """
import sys
from rootplex.tools.beside import beside
from rootplex.tools.runner import private_folder, run

SLEEPER = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"

def work():
    with private_folder() as folder:
        run([sys.executable, "-c", SLEEPER, sys.argv[1]], cwd=folder)

with beside(work) as begun:
    begun.result()
"""


def test_an_interrupt_leaves_no_program_and_no_folder(tmp_path: Path) -> None:
    """Ctrl-C reaches us alone: what we run has a session of its own."""
    with told_through(tmp_path / "begun") as word:
        (tmp_path / "tmp").mkdir()
        environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
        argv = [*program(INTERRUPTED), str(tmp_path / "begun")]
        ours = subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE)
        try:
            pid = int(word())
            ours.send_signal(signal.SIGINT)
            _, said = ours.communicate(timeout=30)
        finally:
            ours.kill()
    assert said.rstrip().endswith(b"KeyboardInterrupt")
    assert list((tmp_path / "tmp").iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("bytearray(1 << 30)", "MemoryError"),
        ("open('x', 'wb', 0).truncate(OUTPUT_LIMIT + 1)", "File too large"),
        ("import os; [os.dup(0) for _ in range(256)]", "Too many open files"),
    ],
)
def test_what_a_program_may_take(tmp_path: Path, text: str, error: str) -> None:
    outcome = run(program(text.replace("OUTPUT_LIMIT", str(OUTPUT_LIMIT))), cwd=tmp_path)
    assert outcome.status == 1
    assert error in outcome.stderr


def test_the_memory_of_qemu_is_the_guest_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "qemu-system-x").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert run(["qemu-system-x", "-c", "ulimit -v"], cwd=tmp_path).stdout == "unlimited\n"


def test_processor_time_is_limited_in_the_program_itself(tmp_path: Path) -> None:
    """So it ends even where we are gone: what is left of two seconds, and two."""
    words = limited(program("while True: pass"), 0.5)
    begun = time.monotonic()
    assert subprocess.run(words, cwd=tmp_path, check=False).returncode == -signal.SIGXCPU
    assert time.monotonic() - begun < 30


def test_words_of_a_command_are_no_shell_s(tmp_path: Path) -> None:
    words = ["$(touch x)", "`touch x`", "; touch x", "'", '"', "\n", "*"]
    printed = run(program("import sys; print(sys.argv[1:])") + words, cwd=tmp_path).stdout
    assert printed == f"{words}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_lower_limit_of_the_machine_stays(tmp_path: Path) -> None:
    ask = program("import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))")
    words = limited(ask, 9)
    found = subprocess.run(
        ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh", *words], capture_output=True, text=True, check=True
    )
    assert (found.stdout, found.stderr) == ("(100, 100)\n", "")
