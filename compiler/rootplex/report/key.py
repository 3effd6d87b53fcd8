"""A key of the language as a page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from rootplex.jobs.keys import Key
from rootplex.report.words import columns

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./() -]*")
"""Text that needs no quotes in a list or mapping either."""


def lines(key: Key) -> Iterator[str]:
    """Its words, what it takes, and what is found of it."""
    yield f"{key.path}: {key.title}"
    yield ""
    yield key.text
    yield ""
    rows = [("takes", text) for text in key.values]
    if key.unit is not None:
        rows.append(("unit", key.unit))
    rows.append(("default", "none: it must be there" if key.required else _default(key)))
    rows += [("example", _yaml(each)) for each in key.examples]
    yield from columns(rows)
    if key.below:
        yield ""
        yield f"keys in it: {', '.join(key.below)}"
    if key.findings:
        yield ""
        yield "findings that speak of it:"
        yield from (f"  {line}" for line in columns(key.findings))


def _default(key: Key) -> str:
    return "see above" if key.default is None and "efault" in key.text else _yaml(key.default)


def _yaml(value: object) -> str:
    """A value as it is written in a description, on one line."""
    match value:
        case None:
            return "absent"
        case dict():
            return "{" + ", ".join(f"{_yaml(name)}: {_yaml(each)}" for name, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_yaml, value)) + "]"
        case str() if not _PLAIN.fullmatch(value):
            return json.dumps(value)
        case bool():
            return "true" if value else "false"
    return str(value)
