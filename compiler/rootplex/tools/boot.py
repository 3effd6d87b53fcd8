"""Running QEMU to a mark on its console, or in talk with it, and never leaving it behind.

The console goes to a file as it comes, so that it is there to read whatever happens. QEMU is ended when the
mark has come, at the time limit, on the way out of every error, and by an interrupt, SIGTERM and
SIGHUP (`leaving`). Where `setpriv` is there (util-linux), the kernel ends it even if this process is
killed outright. It runs in a session of its own: an interrupt at the terminal reaches us first.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from rootplex.tools import leaving
from rootplex.tools.runner import OUTPUT_LIMIT, QEMU, ToolError, limited

_LAST_LINES = 5
_THREADS = 64  # that may use up processor time at once


Listener = Callable[[str], bytes | None]
"""Gets each finished line of the console, and says what is to be typed after it; None: that was the end."""


class BootError(ToolError):
    """The boot did not come to its mark; the message has the last lines and names the log."""


def run(
    argv: Sequence[str],
    *,
    log: Path,
    until: str | Listener,
    seconds: float,
    progress: Callable[[str], None] | None = None,
) -> str:
    """Start `argv`, end it when a console line has `until` in it (or the listener is content), and return the
    console's text.

    `argv` is QEMU's whole command with the console on its standard output (`-nographic`, or
    `-display none -serial stdio`); `-no-reboot` is added where it lacks. Its standard input is closed where
    nobody listens; standard output and error go to `log`, byte by byte as they come. `progress` gets each
    finished line. ToolError where the program is missing; BootError where it ended, printed more than 32
    MiB, or used up its seconds before the mark.
    """
    again = () if "-no-reboot" in argv else ("-no-reboot",)
    command = limited([*argv, *again], seconds * _THREADS, QEMU)
    guard = shutil.which("setpriv")
    if guard is not None:
        command = [guard, "--pdeathsig", "KILL", *command]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb", buffering=0) as sink, leaving.installed():
        with leaving.step():
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL if isinstance(until, str) else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
            )
            leaving.begun(process.pid)
        try:
            failure = _watch(
                process, sink, _waiting(until) if isinstance(until, str) else until, seconds, progress
            )
        finally:
            with leaving.step():
                _end(process)
                leaving.ended(process.pid)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
    text = log.read_bytes().decode("utf-8", "replace")
    if failure is None:
        return text
    lines = [line.rstrip() for line in text.splitlines() if line.strip()][-_LAST_LINES:]
    tail = "".join(f"\n  {line[:200]}" for line in lines) or "\n  (nothing was printed)"
    raise BootError(f"the boot {failure} (console: {log}); its last lines:{tail}")


def _waiting(mark: str) -> Listener:
    return lambda line: None if mark in line else b""


def _watch(
    process: subprocess.Popen[bytes],
    log: IO[bytes],
    listener: Listener,
    seconds: float,
    progress: Callable[[str], None] | None,
) -> str | None:
    """None when the mark has come, else what happened instead."""
    pending, length = b"", 0
    deadline = time.monotonic() + seconds
    late = f"did not come to its end within {seconds:g} seconds"
    assert process.stdout is not None
    watched = select.poll()
    watched.register(process.stdout, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not watched.poll(left * 1000):
            return late
        chunk = process.stdout.read(1 << 16)
        log.write(chunk)
        length += len(chunk)
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace").rstrip("\r")
            if progress is not None:
                progress(text)
            typed = listener(text)
            if typed is None:
                return None
            if typed and process.stdin is not None:
                with suppress(BrokenPipeError):  # it has ended, which is told below
                    process.stdin.write(typed)
        if length > OUTPUT_LIMIT:
            return f"printed more than {OUTPUT_LIMIT >> 20} MiB"
        if not chunk:
            try:
                return f"stopped before its end: QEMU left with status {process.wait(left)}"
            except subprocess.TimeoutExpired:
                return late


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it started. The session is its own, so nothing else is hit."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
