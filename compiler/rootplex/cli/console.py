"""The two streams, colours, and progress: on a terminal only, and only after a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Literal, TextIO, TypeAlias

from msgspec import Struct, field

from rootplex.source.printable import one_line, printable

PATIENCE = 1.0
TICK = 0.25
"""Seconds before progress is shown, and between two of its lines."""

Colour: TypeAlias = Literal["auto", "always", "never"]


class Work(Struct, frozen=True, kw_only=True):
    """What is being done: `text` in words, since `began`; `done` pieces of `total`, or what `measure` counts
    in bytes."""

    text: str
    began: float
    done: int = 0
    total: int = 0
    measure: Callable[[], int] | None = None

    def line(self, now: float) -> str:
        """In one line, with the rate and the time that is left, or the seconds that have gone."""
        seconds = max(now - self.began, 0.001)
        if self.total > 1:
            rate = f", {self.done / seconds:.1f}/s" if self.done else ""
            left = round((self.total - self.done) * seconds / self.done) if self.done else 0
            rate += f", {timedelta(seconds=left)} left" if left > PATIENCE else ""
            return f"{self.done} of {self.total}{rate}: {self.text}"
        if self.measure is not None:
            size = self.measure()
            return f"{self.text}: {size / 1e6:.1f} MB, {size / 1e6 / seconds:.1f} MB/s"
        return f"{self.text}: {seconds:.0f} s" if seconds > PATIENCE else self.text


class Console(Struct):
    """Where a command writes. `colour` follows NO_COLOR and whether output is a terminal, unless it is asked
    for; `quiet`: what was asked for and nothing beside it."""

    out: TextIO
    err: TextIO
    environment: Mapping[str, str]
    colour: bool = False
    quiet: bool = False
    _started: float = field(default_factory=time.monotonic)
    _work: Work | None = None
    _shown: bool = False
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _ticker: threading.Thread | None = None

    @classmethod
    def of_process(
        cls,
        out: TextIO,
        err: TextIO,
        environment: Mapping[str, str],
        colour: Colour = "auto",
        *,
        quiet: bool = False,
    ) -> Console:
        able = out.isatty() and "NO_COLOR" not in environment and environment.get("TERM") != "dumb"
        return cls(out, err, environment, able if colour == "auto" else colour == "always", quiet)

    def print(self, text: str) -> None:
        """A line of output."""
        self.write(text + "\n")

    def say(self, text: str) -> None:
        """A line about what was done, beside what was asked for."""
        if not self.quiet:
            self.print(text)

    def write(self, text: str) -> None:
        """Text for a person; nothing in it steers a terminal but colours, where there are any."""
        self.clear_progress()
        self.out.write(printable(text, coloured=self.colour))

    def document(self, text: str) -> None:
        """What a program or a file takes: UTF-8 whatever the locale."""
        self.clear_progress()
        if self.out.isatty() or not hasattr(self.out, "buffer"):
            self.write(text)
            return
        self.out.flush()
        self.out.buffer.write(text.encode("utf-8", "backslashreplace"))
        self.out.buffer.flush()

    def tell(self, text: str) -> None:
        """A line about the command itself, on standard error."""
        self.clear_progress()
        self.err.write(f"rootplex: {printable(text)}\n")

    def progress(
        self, text: str, measure: Callable[[], int] | None = None, *, done: int = 0, total: int = 0
    ) -> None:
        """What is being done now: one line on a terminal, where the command takes longer than a second.
        `measure` counts the bytes that have come since; of several pieces of work `done` are done of
        `total`."""
        if self.quiet or not self.err.isatty():
            return
        began = self._started if measure is None else time.monotonic()
        with self._lock:
            self._work = Work(text=text, began=began, done=done, total=total, measure=measure)
            self._draw()
            if self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()

    def _tick(self) -> None:
        while True:
            time.sleep(TICK)
            with self._lock:
                if self._work is not None:
                    self._draw()

    def _draw(self) -> None:
        now = time.monotonic()
        if self._work is not None and now - self._started > PATIENCE:
            self.err.write(f"\r\x1b[K{one_line(self._work.line(now))}")
            self.err.flush()
            self._shown = True

    def clear_progress(self) -> None:
        """What was being done is done, or something else is said now."""
        with self._lock:
            self._work = None
            if self._shown:
                self.err.write("\r\x1b[K")
                self.err.flush()
                self._shown = False
