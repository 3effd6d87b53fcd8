"""A difference as text, as Markdown for a review, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec

from rootplex.jobs.diff import Change, Diff
from rootplex.report.words import counted

_SENTENCES = {
    "verdict": ("the board is {after}, and was {before}", "", ""),
    "bridge": ("{subject} is {after}, and was {before}", "{subject} is new", "{subject} is gone"),
    "segment": ("{subject} moves from segment {before} to {after}", "", ""),
    "buses": ("{subject} has buses {after}, and had {before}", "", ""),
    "configuration space": ("the configuration space of {subject} moves", "", ""),
    "windows": ("the windows of {subject} change", "", ""),
    "function": (
        "{subject} is another device",
        "{subject} is new at {after}",
        "{subject} is gone from {before}",
    ),
    "address": ("{subject} moves from {before} to {after}", "", ""),
    "group": ("{subject} is grouped otherwise", "", ""),
    "guest": ("guest {subject} comes to something else", "guest {subject} is new", "guest {subject} is gone"),
    "boot": ("the boot device changes", "there is a boot device now", "there is no boot device any more"),
    "table": ("", "{subject} is new", "{subject} is gone"),
    "entry": (
        "{subject} has another entry",
        "{subject} has an entry more",
        "{subject} has an entry less",
    ),
    "finding": ("", "{subject} is found now: {after}", "{subject} is no longer found: {before}"),
}
"""What is said of a change, of what came, and of what went."""


def _form(change: Change) -> str:
    changed, came, went = _SENTENCES[change.what]
    return came if change.before is None else went if change.after is None else changed


def sentence(change: Change) -> str:
    """The change in one sentence, without full stop."""
    return _form(change).format(subject=change.subject, before=change.before, after=change.after)


def _heads(found: Diff) -> Iterator[str]:
    before, after = (each.platform or each.file for each in (found.before, found.after))
    how = f"{found.before.file} -> {found.after.file}"
    yield f"{before if before == after else f'{before} -> {after}'} ({how}): " + (
        counted(len(found.changes), "change") if found.changes else "nothing changes"
    )


def detail(change: Change) -> Iterator[str]:
    """Both sides, where the sentence does not name them."""
    form = _form(change)
    sides = (("-", "{before}", change.before), ("+", "{after}", change.after))
    lines = [f"{sign} {value}" for sign, place, value in sides if value is not None and place not in form]
    yield from lines
    if lines:
        yield from (f"  {text}" for text in change.why)


def text(found: Diff) -> Iterator[str]:
    """The sentences, then each with both sides."""
    yield from _heads(found)
    yield from (f"  {sentence(change)}" for change in found.changes)
    detailed = [(change, lines) for change in found.changes if (lines := list(detail(change)))]
    if detailed:
        yield ""
    for change, lines in detailed:
        yield f"{sentence(change)}:"
        yield from (f"  {line}" for line in lines)
    for what in found.not_compared:
        yield f"{what} were not compared: one side does not know them"


def markdown(found: Diff) -> Iterator[str]:
    """The same for a comment on a change."""
    yield f"### {next(_heads(found))}"
    yield ""
    for change in found.changes:
        yield f"- {_plain(sentence(change))}"
    detailed = [line for change in found.changes for line in detail(change)]
    if detailed:
        yield ""
        yield "```diff"
        yield from (line.replace("```", "'''") for line in detailed)
        yield "```"
    for what in found.not_compared:
        yield f"\n{what} were not compared: one side does not know them."


def _plain(words: str) -> str:
    """Words as Markdown shows them: nothing is taken for mark-up."""
    return "".join(f"\\{char}" if char in r"\`*_{}[]<>#|~" else char for char in words)


def as_json(found: Diff) -> str:
    """`changes` with a sentence each."""
    changes = [{**msgspec.to_builtins(each), "text": sentence(each)} for each in found.changes]
    content = {
        "rootplex": 1,
        "before": found.before.file,
        "after": found.after.file,
        "same": not found.changes,
        "changes": changes,
        "not_compared": list(found.not_compared),
    }
    return json.dumps(content, indent=1, ensure_ascii=False)
