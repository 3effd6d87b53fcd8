"""A survey as text, as JSON, and as a page with bars."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from rootplex.jobs.survey import Found, Model, Since, Survey
from rootplex.project import __version__
from rootplex.report.page import environment
from rootplex.report.words import columns, counted

MARK = "<!doctype html><!-- rootplex survey -->"
JSON_MARK = '{\n "rootplex": 1,\n "boards"'
"""How each begins: by it a file is known to be ours."""

_MOST = 40
"""Rows of a list in text; JSON has all."""
_COLUMNS = 12
"""Platforms that stand beside each other on the page."""


def as_json(found: Survey) -> str:
    """The whole, keys by name."""
    return json.dumps({"rootplex": 1, **msgspec.to_builtins(found)}, indent=1, ensure_ascii=True) + "\n"


def text(found: Survey) -> Iterator[str]:
    """Lines: verdicts, findings by code, models that are grouped otherwise, what changed."""
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in found.verdicts.items())
    yield f"{counted(found.boards, 'board')}: {verdicts}"
    if found.findings:
        yield ""
        rows = [("finding", "level", "boards", "times", "most on, or why")]
        for each in found.findings[:_MOST]:
            most = ", ".join(f"{what} ({count})" for what, count in (each.reasons or each.platforms)[:2])
            rows.append((f"{each.code} {each.name}", each.level, str(each.on), str(each.count), most))
        yield from columns(rows)
        yield from _more(len(found.findings))
    for model in found.models[:_MOST]:
        yield ""
        yield from _model(model)
    yield from _more(len(found.models))
    if found.since is not None:
        yield ""
        yield from _since(found.since)


def _more(count: int) -> Iterator[str]:
    if count > _MOST:
        yield f"… and {count - _MOST} more (--format json has all)"


def _model(model: Model) -> Iterator[str]:
    yield f"{model.platform}: machines with the same functions, grouped in {len(model.partitions)} ways"
    for each in model.partitions:
        own = "; ".join(" ".join(members) for members in each.own) or "none of two or more that not all have"
        named = ", ".join((*each.boards[:2], "…")[: each.on])
        yield f"  {counted(each.on, 'machine')} ({named}): {own}"


def _since(since: Since) -> Iterator[str]:
    there = f"{counted(since.came, 'board')} came, {since.gone} went, {since.both} stayed"
    yield f"since the earlier results: {there}"
    for before, after, count, boards in since.verdicts:
        yield f"  {counted(count, 'board')} {before} -> {after}: {_some(boards, count)}"
    for code, old, new in since.codes:
        yield f"  {code} {since.names[code]} on {new}, was on {old}"
        for sign, boards in (("+", since.on.get(code, ())), ("-", since.off.get(code, ()))):
            if boards:
                yield f"    {sign} {', '.join(boards)}"
    if since.both and not since.verdicts and not since.codes:
        yield "  no verdict and no finding changed"
    if not since.both:
        yield "  no board is in both: they are known by their files' names"


def _some(boards: Sequence[str], count: int) -> str:
    return ", ".join((*boards, "…") if count > len(boards) else boards)


def _matrix(found: Survey) -> tuple[list[str], list[tuple[Found, list[int]]]]:
    """The platforms with the most findings, and for each finding on how many boards of them it is."""
    total: Counter[str] = Counter()
    for each in found.findings:
        total.update(dict(each.platforms))
    platforms = [platform for platform, _ in total.most_common(_COLUMNS)]
    rows = []
    for each in found.findings:
        held = dict(each.platforms)
        if any(platform in held for platform in platforms):
            rows.append((each, [held.get(platform, 0) for platform in platforms]))
    return platforms, rows


def page(found: Survey) -> str:
    """One page by itself: no network, no script."""
    most = max((each.on for each in found.findings), default=1)
    platforms, matrix = _matrix(found)
    return (
        environment()
        .get_template("survey.html.j2")
        .render(
            mark=MARK,
            version=__version__,
            survey=found,
            most=most,
            counted=counted,
            platforms=platforms,
            matrix=matrix,
            densest=max((count for _, row in matrix for count in row), default=1),
        )
    )
