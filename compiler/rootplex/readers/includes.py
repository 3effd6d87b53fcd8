"""Which files a device tree source may include, and text that is put together of several.

A source is somebody else's: what it names is opened only where that lies, links resolved, beside the source
or in a folder that the user has named, and nothing else is looked at, not even whether it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from rootplex.readers.files import as_utf8, bytes_of
from rootplex.source.finding import Unreadable, unreadable
from rootplex.source.place import Span

SIZE_LIMIT = 8 << 20
"""Characters of a source, all that it includes with it."""
LINES_LIMIT = 1 << 18
FILES_LIMIT = 4096
DEPTH_LIMIT = 64


class Line(Struct, frozen=True):
    """A line of a text that is put together: its characters, and the line of a file that they were."""

    text: str
    file: str
    number: int
    written: str

    def span(self, column: int = 1, end: int | None = None) -> Span:
        """Columns of it in its file; the whole line where more than its indentation was changed."""
        whole = len(self.written.rstrip()) + 1
        shift = len(self.written) - len(self.written.lstrip()) - (len(self.text) - len(self.text.lstrip()))
        if self.text.strip() != self.written.strip() or end is None or column + shift < 1:
            return Span(self.file, self.number, 1, self.number, max(whole, 2))
        return Span(self.file, self.number, column + shift, self.number, end + shift)


def folder_of(file: str) -> str:
    """The folder of a source, as one would name it; `.` for what is no file."""
    return str(Path(file).parent) if Path(file).is_file() else "."


def lines_of(text: str, file: str) -> list[Line]:
    """The lines of one file, whatever ends them (as the preprocessor has it, libcpp's `_cpp_clean_line`)."""
    rows = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [Line(row, file, number, row) for number, row in enumerate(rows, 1)]


def place_in(lines: list[Line], first: tuple[int, int], last: tuple[int, int]) -> Span:
    """From a line and column of the text to another (the end is exclusive), in the file of the first."""
    begin, end = (lines[min(line, len(lines)) - 1] for line, _ in (first, last))
    if begin is end:
        return begin.span(first[1], last[1])
    span, until = begin.span(first[1], len(begin.text) + 1), end.span(1, last[1])
    if end.file != begin.file or end.number <= begin.number:
        return span
    return Span(span.file, span.line, span.column, until.end_line, until.end_column)


class Includes:
    """The files that may be included, and how much has been."""

    def __init__(self, source: str, folders: Iterable[str]) -> None:
        """`source` is the file's path where it is a file; `folders` are those that the user named."""
        named = [Path(folder) for folder in folders]
        beside = [Path(source).parent] if Path(source).is_file() else []
        self._folders = named
        self._roots = [folder.resolve() for folder in (*beside, *named)]
        self._has_place = bool(beside)
        self._source = source
        self.taken: list[Path] = []
        """What has been included, in its order."""
        self._characters = self._lines = 0

    def find(self, name: str, at: Line, *, quoted: bool) -> Path:
        """The file that the line `at` includes, as it was found.

        As cpp and dtc search: beside the file that includes where the name is `quoted`, then in the folders
        in their order. Unreadable at the line: there is none, or it lies elsewhere.
        """
        if not name or "\0" in name:
            raise unreadable(at.span(), "an include without a file's name")
        beside = [Path(at.file).parent] if quoted and (at.file != self._source or self._has_place) else []
        for path in (folder / name for folder in (*beside, *self._folders)):
            with _named(at):
                real = path.resolve()
                if not any(real.is_relative_to(root) for root in self._roots):
                    raise _elsewhere(name, at)
                if real.is_file():
                    return path
        raise unreadable(
            at.span(),
            f"no file {name} "
            + ("beside the source or in a folder of -I" if quoted else "in a folder of -I"),
            help="name the folder that it is in with -I",
        )

    def read(self, path: Path, at: Line, depth: int) -> list[Line]:
        """Its lines; `depth` files are around it. Unreadable at the line `at` where these are too many."""
        self.taken.append(path)
        if len(self.taken) > FILES_LIMIT or depth > DEPTH_LIMIT:
            raise unreadable(
                at.span(), f"more than {FILES_LIMIT} files are included, or one within {DEPTH_LIMIT} others"
            )
        text = as_utf8(bytes_of(path, str(path), SIZE_LIMIT)).decode("utf-8", "replace")
        return self._counted(lines_of(text, str(path)), len(text))

    def begin(self, text: str) -> list[Line]:
        """The lines of the source itself."""
        return self._counted(lines_of(text, self._source), len(text))

    def _counted(self, lines: list[Line], characters: int) -> list[Line]:
        self._characters += characters
        self._lines += len(lines)
        if self._characters > SIZE_LIMIT or self._lines > LINES_LIMIT:
            size = f"{SIZE_LIMIT >> 20} MiB or {LINES_LIMIT:,} lines"
            raise unreadable(self._source, f"device tree source of more than {size}, with what it includes")
        return lines


def _elsewhere(name: str, at: Line) -> Unreadable:
    return unreadable(
        at.span(),
        f"{name} would lie, links resolved, neither beside the source nor in a folder of -I",
        help="where it is meant to be included, name the folder that it really is in with -I",
    )


@contextmanager
def _named(at: Line) -> Iterator[None]:
    """A name that is no path, or leads in a circle, is no file's."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise unreadable(at.span(), f"no file of this name can be opened: {str(error)[:80]}") from None
