"""The boards of whatever paths were named: descriptions checked, firmware's files validated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rootplex.cli.console import Console
from rootplex.cli.files import read_input
from rootplex.jobs.boards import boards_of, with_trees
from rootplex.jobs.check import check_text
from rootplex.jobs.result import Result
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import kind_of
from rootplex.jobs.validate import validate_board


def results_of(
    paths: Sequence[str], options: RunOptions, texts: dict[str, str], console: Console
) -> Iterator[Result]:
    """The results of descriptions, then those of the boards that firmware's files make. `texts` gets the
    descriptions' texts. Unreadable, Unjudged, OSError, UsageError where one cannot be examined."""
    given: dict[str, bytes] = {}
    firmware = []
    for path in paths:
        console.progress(f"examining {path}")
        if path != "-" and Path(path).is_dir():
            firmware.append(path)
            continue
        label, data = read_input(path)
        if kind_of(data) is None:
            texts[label] = data.decode("utf-8", "replace")
            yield check_text(data, label, options)
        elif path == "-":
            given[label] = data
        else:
            firmware.append(path)
    if firmware or given:
        yield from map(validate_board, with_trees(boards_of(firmware, given), options.trees))
