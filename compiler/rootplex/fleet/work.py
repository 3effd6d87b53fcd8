"""What is done with a board: its bytes in, a line of results out, on whatever machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rootplex.jobs.boards import Board, Item
from rootplex.jobs.result import Glance, Made, Result, glance, unreadable
from rootplex.jobs.sources import put_together
from rootplex.project import __version__
from rootplex.readers.archives import archive_of
from rootplex.readers.files import LIMIT, bytes_of
from rootplex.report import jsonl
from rootplex.source import finding
from rootplex.source.finding import Unreadable
from rootplex.tools.runner import ToolError

KEY_BYTES = 16
ENDED = "what works on it is ended from outside each time"
"""The reason of a board whose processes go away, for want of memory perhaps."""


class Record(Struct, frozen=True, kw_only=True):
    """A board's result as a line of JSON, and at a glance; where something was made of it, the files by
    name."""

    key: str
    line: str
    glance: Glance
    platform: str | None = None
    files: Mapping[str, bytes] | None = None


class Work(Struct, frozen=True, kw_only=True):
    """What is done with each board. `call` can be sent to another process; `settings` are all options that it
    depends on, as text. What takes longer than `seconds` hangs: programs have a budget each, readers a
    bound."""

    call: Callable[[Board], Result | Made]
    settings: str
    strict: bool = False
    seconds: float = 300.0

    def key(self, board: Board) -> str:
        """What a result depends on, digested: the board's names and bytes, our version, the options. A board
        that cannot be read has the key of one without bytes."""
        known = hashlib.sha256(f"{__version__}\n{self.settings}\n".encode())
        with suppress(OSError, Unreadable):
            board = with_bytes(board)
        named = ((item.path, item.data or b"") for item in board.items)
        overlays = (each for item in board.items for each in item.trees.overlays)
        for path, data in (*named, *overlays):
            name = path.encode("utf-8", "surrogateescape")
            known.update(b"%d %d\n" % (len(name), len(data)) + name + data)
        return known.hexdigest()[: 2 * KEY_BYTES]

    def record(self, board: Board) -> Record:
        """The board's result; an input that cannot be opened is one that is unreadable."""
        try:
            whole = with_bytes(board)
            return self._recorded(whole, self.call(whole))
        except Unreadable as error:
            return self._recorded(board, unreadable(board.name, error.findings))
        except OSError as error:
            return self.lost(board, error.strerror or str(error))
        except ToolError as error:
            return self.lost(board, str(error))
        except Exception as error:  # a fault of ours: thousands of others may do without it
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            return self.lost(board, f"rootplex itself fails at it ({what})")

    def lost(self, board: Board, reason: str = ENDED) -> Record:
        """The record of a board that nothing could be found out about."""
        return self._recorded(
            board, unreadable(board.name, finding.unreadable(board.items[0].path, reason).findings)
        )

    def _recorded(self, board: Board, found: Result | Made) -> Record:
        key = self.key(board)
        result, files = (found.result, found.files) if isinstance(found, Made) else (found, None)
        return Record(
            key=key,
            line=jsonl.line(result, key=key),
            glance=glance(result, strict=self.strict),
            platform=result.platform,
            files=files,
        )


def digest(text: str) -> str:
    """A text's digest, for settings."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def with_bytes(board: Board) -> Board:
    """The same board with the bytes of its files, so that it can be sent; a folder of tables as an
    archive."""
    return Board(tuple(map(_whole, board.items)))


def _whole(item: Item) -> Item:
    """An input that needs no file: what it includes is in it."""
    item = item if item.data is not None else replace(item, data=_bytes(item))
    if not item.trees.folders:
        return item
    assert item.data is not None
    data, trees = put_together(item.data, item.path, item.trees)
    return replace(item, kind="dtb", data=data, trees=trees)


def _bytes(item: Item) -> bytes:
    path = Path(item.path)
    if not path.is_dir():
        return bytes_of(path, item.path)
    left = LIMIT
    files = []
    for each in sorted(each for part in ("*", "dynamic/*") for each in path.glob(part) if each.is_file()):
        files.append((str(each.relative_to(path)), bytes_of(each, str(each))))
        left -= len(files[-1][1])
        if left < 0:
            raise finding.unreadable(item.path, f"more than {LIMIT >> 20} MiB of tables")
    return archive_of(files)
