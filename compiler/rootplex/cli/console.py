"""The two streams, colours, and progress: on a terminal only, and only after a second."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TextIO

from msgspec import Struct, field

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
        self.clear_progress()
        self.out.write(text + "\n")

    def write(self, text: str) -> None:
        """Output as it is."""
        self.clear_progress()
        self.out.write(text)

    def progress(self, text: str) -> None:
        """What is being done now: one line on a terminal that takes longer than a second."""
        if self.err.isatty() and time.monotonic() - self._started > PATIENCE:
            self.err.write(f"\r\x1b[K{text}")
            self.err.flush()
            self._shown = True

    def clear_progress(self) -> None:
        if self._shown:
            self.err.write("\r\x1b[K")
            self.err.flush()
            self._shown = False
