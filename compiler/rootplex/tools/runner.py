"""One way to run an external program: fixed arguments, private folder, limits of time, memory and output.

Every program that Rootplex calls goes through `run`. A missing program, a time-out and too much
output are `ToolError`s with one clear line; a program that ran and said no is an `Outcome` for
the caller to judge. What a program is given may be hostile, so it is limited from its first instruction
on: a shell sets the limits (`ulimit`, getrlimit(2)) and becomes the program.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import get_ident
from typing import IO, NamedTuple

from rootplex.tools import leaving, orphans

# Debian's package for each program, for the message that says how to get it.
PACKAGES = {
    "iasl": "acpica-tools",
    "acpiexec": "acpica-tools",
    "acpixtract": "acpica-tools",
    "dtc": "device-tree-compiler",
    "fdtoverlay": "device-tree-compiler",
    "cpp": "cpp",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-arm": "qemu-system-arm",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-riscv64": "qemu-system-misc, from Debian 13 on qemu-system-riscv",
}

OUTPUT_LIMIT = 32 << 20
MEMORY_LIMIT = 1 << 30

_IASL_VERSION = re.compile(r"version (\d{8})")

_RUNNING: dict[int, subprocess.Popen[bytes]] = {}
"""What each thread is running."""


class Limits(NamedTuple):
    """What a program may take: bytes of address space, bytes of one file that it writes (its output among
    them), open files; None is no limit."""

    memory: int | None = MEMORY_LIMIT
    file: int | None = None
    files: int = 256


BOUNDED = Limits()
"""For what reads somebody's input."""
QEMU = Limits(memory=None, file=4 * OUTPUT_LIMIT, files=1024)
"""Its memory is the guest's."""
_PIPE = 1 << 16
"""Bytes that a pipe holds before its writer waits (pipe(7))."""
_BLOCK = 512
"""Bytes that `ulimit -f` counts in (POSIX.1-2017, ulimit)."""


class ToolError(Exception):
    """A program is missing, was stopped at its time limit, or printed without end."""


class TooSlowError(ToolError):
    """It was stopped at its time limit."""


class TooMuchError(ToolError):
    """It printed more than it may."""


class Outcome(NamedTuple):
    """What a finished program left: its exit status and its two streams as text."""

    status: int
    stdout: str
    stderr: str


def path_of(program: str) -> str:
    """The program's path on this machine; ToolError naming the package where it is missing."""
    found = shutil.which(program)
    if found is None:
        package = PACKAGES.get(program, program)
        raise ToolError(f"{program} is not installed (on Debian: apt-get install {package})")
    return found


def limited(argv: Sequence[str], seconds: float, limits: Limits | None = None) -> list[str]:
    """The command that sets the limits and becomes `argv`; ToolError where its program is missing.

    Without `limits` they are QEMU's or those of every other program. A limit that this machine has lower
    already stays as it is.
    """
    if limits is None:
        limits = QEMU if Path(argv[0]).name.startswith("qemu-system-") else BOUNDED
    file = OUTPUT_LIMIT if limits.file is None else limits.file
    processor = int(seconds) + 2
    # The hard limit of processor time kills; the soft one before it says why.
    settings = {"Ht": processor + 2, "St": processor, "f": file // _BLOCK, "n": limits.files}
    if limits.memory is not None:
        settings["v"] = limits.memory >> 10
    words = [f"ulimit -{which} {number} 2>/dev/null;" for which, number in settings.items()]
    return ["/bin/sh", "-c", f'{" ".join(words)} exec "$0" "$@"', path_of(argv[0]), *argv[1:]]


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder nobody else can read or write, gone at the end: `iasl -p` deletes files on failure."""
    temporary = Path(tempfile.gettempdir())
    orphans.take_temporary(temporary)
    folder = temporary / f"rootplex-{os.urandom(8).hex()}"
    with leaving.passing(folder):
        with leaving.step():
            folder.mkdir(mode=0o700)
        yield folder


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    seconds: float = 60.0,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Outcome:
    """Run a program to its end in `cwd` and return what it left.

    The child gets its own session and is ended with its children at the time limit. Input and
    output are files, not pipes; output is refused from 32 MiB on. Locale and time zone are fixed.
    """
    with _scratch() as out, _scratch() as err, _input(stdin) as given:
        command = limited(argv, seconds, limits)
        with _started(command, cwd, environment, given, out, err) as process:
            deadline = time.monotonic() + seconds
            while not _ends_within(process, min(leaving.LOOK_SECONDS, deadline - time.monotonic())):
                if time.monotonic() >= deadline:
                    raise _too_slow(argv, seconds)
            if process.returncode == -signal.SIGXCPU:
                raise _too_slow(argv, seconds)
        if any(os.fstat(stream.fileno()).st_size >= OUTPUT_LIMIT for stream in (out, err)):
            raise _too_much(argv)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    return Outcome(process.returncode, texts[0], texts[1])


class Talk:
    """A program that is running and reads from a pipe: words in, all that it prints up to a mark out."""

    def __init__(self, process: subprocess.Popen[bytes], argv: Sequence[str], seconds: float) -> None:
        self._process = process
        self._argv = argv
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._printed = 0

    def say(self, words: bytes, mark: bytes) -> str:
        """Give the program `words` (at most 64 KiB: what a pipe holds, so that one that does not read
        cannot block us), and return what it prints until `mark` and a little more, a character a byte. Where
        it ends without the mark, all of that is returned.

        ToolError: the time is over, or it printed more than it may.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        assert len(words) <= _PIPE
        with suppress(BrokenPipeError):
            stdin.write(words)
            stdin.flush()
        printed = bytearray()
        watched = select.poll()
        watched.register(stdout, select.POLLIN)
        while True:
            # One that prints without a pause always has something to read.
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise _too_slow(self._argv, self._seconds)
            if not watched.poll(min(left, leaving.LOOK_SECONDS) * 1000):
                continue
            chunk = os.read(stdout.fileno(), 1 << 16)
            searched = max(0, len(printed) - len(mark))
            printed += chunk
            if not chunk or printed.find(mark, searched) >= 0:
                break
            if self._printed + len(printed) > OUTPUT_LIMIT:
                raise _too_much(self._argv)
        self._printed += len(printed)
        return printed.decode("latin-1")


@contextmanager
def talking(argv: Sequence[str], *, cwd: Path, seconds: float = 60.0) -> Iterator[Talk]:
    """Start a program that answers what it is told; at the end of the block it is ended, wherever it is.

    Its standard error is not kept. Limits, locale and time zone as in `run`; the time is that of the whole
    talk.
    """
    command = limited(argv, seconds)
    with _started(command, cwd, None, subprocess.PIPE, subprocess.PIPE, subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Talk(process, argv, seconds)
        finally:
            process.stdout.close()
            with suppress(BrokenPipeError):
                process.stdin.close()


@contextmanager
def _input(given: bytes | None) -> Iterator[IO[bytes]]:
    """Standard input as a file: a program that does not read it cannot block us."""
    with _scratch() as file:
        file.write(given or b"")
        file.seek(0)
        yield file


def _scratch() -> IO[bytes]:
    """An open file without a name, in memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("rootplex"), "w+b")
    return tempfile.TemporaryFile()


@contextmanager
def _started(
    command: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str] | None,
    stdin: IO[bytes] | int,
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
) -> Iterator[subprocess.Popen[bytes]]:
    """The program as a session of its own, ended where it has not at the end."""
    env = {"PATH": os.defpath, **os.environ, "LC_ALL": "C", "TZ": "UTC", **(environment or {})}
    with leaving.step():
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
        )
        leaving.begun(process.pid)
    _RUNNING[get_ident()] = process
    try:
        yield process
    finally:
        del _RUNNING[get_ident()]
        with leaving.step():
            _end(process)
            process.wait()
            leaving.ended(process.pid)


def end_program(thread: int) -> None:
    """End the program that another thread (by its ident) is running, if there is one."""
    process = _RUNNING.get(thread)
    if process is not None:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):  # another thread has waited for it
            os.killpg(process.pid, signal.SIGKILL)


def _too_slow(argv: Sequence[str], seconds: float) -> ToolError:
    return TooSlowError(f"{Path(argv[0]).name} did not finish within {seconds:g} seconds")


def _too_much(argv: Sequence[str]) -> ToolError:
    return TooMuchError(f"{Path(argv[0]).name} printed more than {OUTPUT_LIMIT >> 20} MiB")


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the child's end, at most so long; whether it has ended.

    Popen's own wait with a time limit sleeps and looks again, up to 50 ms too long each time: a third
    of what a check takes. Where the system has pidfds and lets us have one, it tells us instead.
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=max(0.0, seconds))
        return process.returncode is not None
    try:
        watched = select.poll()
        watched.register(descriptor, select.POLLIN)
        if not watched.poll(max(0.0, seconds) * 1000):
            return False
    finally:
        os.close(descriptor)
    process.wait()
    return True


@cache
def iasl_version() -> str:
    """ACPICA's release, such as `20200925`; "unknown" where iasl does not say it."""
    with private_folder() as folder:
        outcome = run(["iasl", "-v"], cwd=folder, seconds=20)
    match = _IASL_VERSION.search(outcome.stdout + outcome.stderr)
    return match[1] if match else "unknown"
