"""JSON Lines: each result as one line, the same object whatever the number of results."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rootplex.jobs.result import Result
from rootplex.report.json_form import object_of


def render(results: Iterable[Result]) -> str:
    """A line each."""
    return "".join(map(line, results))


def line(result: Result, *, key: str | None = None) -> str:
    """One result, as `json` has it; behind the `key` of what it depends on, where a later run may go on."""
    form = object_of(result) if key is None else {"key": key, **object_of(result)}
    return json.dumps(form, ensure_ascii=True, separators=(",", ":")) + "\n"
