"""The two streams, colours, and progress: on a terminal only, and only after a second."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TextIO

from msgspec import Struct, field

from rootplex.source.printable import one_line, printable

PATIENCE = 1.0


class Console(Struct):
    """Where a command writes. `colour` follows NO_COLOR and whether output is a terminal."""

    out: TextIO
    err: TextIO
    environment: Mapping[str, str]
    colour: bool = False
    _started: float = field(default_factory=time.monotonic)
    _shown: bool = False

    @classmethod
    def of_process(cls, out: TextIO, err: TextIO, environment: Mapping[str, str]) -> Console:
        colour = out.isatty() and "NO_COLOR" not in environment and environment.get("TERM") != "dumb"
        return cls(out, err, environment, colour)

    def print(self, text: str) -> None:
        """A line of output."""
        self.write(text + "\n")

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

    def progress(self, text: str) -> None:
        """What is being done now: one line on a terminal that takes longer than a second."""
        if self.err.isatty() and time.monotonic() - self._started > PATIENCE:
            self.err.write(f"\r\x1b[K{one_line(text)}")
            self.err.flush()
            self._shown = True

    def clear_progress(self) -> None:
        if self._shown:
            self.err.write("\r\x1b[K")
            self.err.flush()
            self._shown = False
