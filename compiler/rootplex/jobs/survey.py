"""What many results say together: findings by code and platform, machines of one model that are grouped
otherwise than each other, and what changed since an earlier survey.

Lines of results come as a stream; what is kept of each is a few words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import msgspec
from msgspec import Struct

from rootplex.jobs.result import Verdict
from rootplex.source.finding import UNREADABLE, CannotDo, Level

LINE_LIMIT = 64 << 20
"""Bytes of one line; a whole segment takes 40 MiB."""
_NUMBER = re.compile(r"0x[0-9a-f]+|\d[\d,]*")
NAMED = 5
"""How many boards or platforms stand by name for all."""


class NotResultsError(CannotDo):
    """A file or a line holds no results."""


class LineFinding(Struct, frozen=True):
    """What is read of a finding."""

    code: str
    name: str
    level: Level
    expected: bool
    subject: str | None = None
    message: str = ""


class LineGroup(Struct, frozen=True):
    """What is read of a group."""

    members: tuple[str, ...]


class LineDevice(Struct, frozen=True):
    """What is read of a function."""

    vendor: int
    device: int
    sbdf: str


class ResultLine(Struct, frozen=True):
    """What is read of a line of results."""

    file: str
    platform: str | None
    verdict: Verdict
    findings: tuple[LineFinding, ...]
    groups: tuple[LineGroup, ...]
    devices: tuple[LineDevice, ...]


class Found(Struct, frozen=True, kw_only=True):
    """A finding over all boards: on how many, of which platforms, the most frequent first; `boards` names
    some. `reasons` are there where boards could not be read: what was said, numbers left out, on how many."""

    code: str
    name: str
    level: Level
    count: int
    on: int
    platforms: tuple[tuple[str, int], ...]
    boards: tuple[str, ...]
    reasons: tuple[tuple[str, int], ...] = ()


class Partition(Struct, frozen=True, kw_only=True):
    """One way in which machines of a model are grouped: how many, some by name, and the groups of two or more
    that not all machines of the model have."""

    on: int
    boards: tuple[str, ...]
    own: tuple[tuple[str, ...], ...]


class Model(Struct, frozen=True, kw_only=True):
    """Machines of one model (platform, with the same functions at the same places) whose groups differ."""

    platform: str
    partitions: tuple[Partition, ...]


class Since(Struct, frozen=True, kw_only=True):
    """Against an earlier survey: boards that came and went, and `both` that were there already; of these
    verdicts that changed (before, after, on how many, some by name) and codes found on others (code, on how
    many before, after), with their `names`. `on` tells by code some boards that have it now and had not,
    `off` the other way."""

    came: int
    gone: int
    verdicts: tuple[tuple[str, str, int, tuple[str, ...]], ...]
    codes: tuple[tuple[str, int, int], ...]
    both: int = 0
    on: dict[str, tuple[str, ...]] = {}
    off: dict[str, tuple[str, ...]] = {}
    names: dict[str, str] = {}


class Survey(Struct, frozen=True, kw_only=True):
    """Any number of boards at a glance; the most frequent finding first, errors before warnings."""

    boards: int
    verdicts: dict[str, int]
    findings: tuple[Found, ...]
    models: tuple[Model, ...]
    since: Since | None = None


def lines_of(chunks: Iterable[bytes], name: str) -> Iterator[ResultLine]:
    """The results of a file's lines; a last one that is cut off is left out. NotResultsError for what is
    none."""
    decode = msgspec.json.Decoder(ResultLine).decode
    for number, line in enumerate(chunks, start=1):
        if not line.endswith(b"\n"):
            if len(line) >= LINE_LIMIT:
                raise NotResultsError(f"{name}: line {number} is longer than {LINE_LIMIT >> 20} MiB")
            return
        try:
            yield decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            reason = "no result of `check` or `validate --format jsonl`"
            raise NotResultsError(f"{name}: line {number} is {reason}") from None


_Boards: TypeAlias = Mapping[str, tuple[str, frozenset[str]]]
"""Of each file the verdict and the codes."""


class _Sum:
    """What is kept while results go by."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.by_file: dict[str, tuple[str, frozenset[str]]] = {}
        self.rules: dict[str, LineFinding] = {}
        self.count: Counter[str] = Counter()
        self.on: Counter[str] = Counter()
        self.platforms: dict[str, Counter[str]] = {}
        self.named: dict[str, list[str]] = {}
        self.reasons: Counter[str] = Counter()
        self.models: dict[tuple[str, int], dict[frozenset[tuple[str, ...]], list[str]]] = {}

    def add(self, line: ResultLine) -> None:
        self.verdicts[line.verdict] += 1
        found = [each for each in line.findings if not each.expected]
        codes = frozenset(each.code for each in found)
        self.by_file[line.file] = (line.verdict, codes)
        for each in found:
            self.rules.setdefault(each.code, each)
            self.count[each.code] += 1
            if each.code == UNREADABLE.code:
                self.reasons[_NUMBER.sub("…", each.message)] += 1
        for code in codes:
            self.on[code] += 1
            if line.platform or code != UNREADABLE.code:
                self.platforms.setdefault(code, Counter())[line.platform or line.file] += 1
            named = self.named.setdefault(code, [])
            if len(named) < NAMED:
                named.append(line.file)
        if line.platform and line.devices:
            same = hash(tuple((each.sbdf, each.vendor, each.device) for each in line.devices))
            groups = frozenset(each.members for each in line.groups if len(each.members) > 1)
            self.models.setdefault((line.platform, same), {}).setdefault(groups, []).append(line.file)

    def found(self) -> tuple[Found, ...]:
        return tuple(
            Found(
                code=code,
                name=self.rules[code].name,
                level=self.rules[code].level,
                count=self.count[code],
                on=self.on[code],
                platforms=tuple(self.platforms.get(code, Counter()).most_common()),
                boards=tuple(self.named[code]),
                reasons=tuple(self.reasons.most_common()) if code == UNREADABLE.code else (),
            )
            for code in sorted(self.on, key=lambda code: (*self._rank(code), code))
        )

    def _rank(self, code: str) -> tuple[int, int]:
        return list(Level).index(self.rules[code].level), -self.on[code]

    def differing(self) -> Iterator[Model]:
        for (platform, _), partitions in sorted(self.models.items()):
            if len(partitions) == 1:
                continue
            common = frozenset.intersection(*partitions)
            ways = sorted(partitions.items(), key=lambda each: (-len(each[1]), each[1]))
            yield Model(
                platform=platform,
                partitions=tuple(
                    Partition(on=len(files), boards=tuple(files[:NAMED]), own=tuple(sorted(groups - common)))
                    for groups, files in ways
                ),
            )


def survey(results: Iterable[ResultLine], earlier: Iterable[ResultLine] | None = None) -> Survey:
    """What the results say together, and against earlier ones."""
    now = _summed(results)
    return Survey(
        boards=now.verdicts.total(),
        verdicts=dict(sorted(now.verdicts.items())),
        findings=now.found(),
        models=tuple(now.differing()),
        since=None if earlier is None else _since(_summed(earlier), now),
    )


def _summed(results: Iterable[ResultLine]) -> _Sum:
    summed = _Sum()
    for line in results:
        summed.add(line)
    return summed


def _since(earlier: _Sum, later: _Sum) -> Since:
    """Boards are known by their files, and where none of these is in both surveys by the ends of their paths:
    each survey may be of a folder of its own."""
    before: _Boards = earlier.by_file
    now: _Boards = later.by_file
    if before and before.keys().isdisjoint(now):
        before, now = _by_last_parts(before, now)
    both = sorted(before.keys() & now.keys())
    verdicts: dict[tuple[str, str], list[str]] = {}
    codes: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    came: dict[str, list[str]] = {}
    went: dict[str, list[str]] = {}
    for file in both:
        (old_verdict, old), (verdict, new) = before[file], now[file]
        if old_verdict != verdict:
            verdicts.setdefault((old_verdict, verdict), []).append(file)
        codes[0].update(old)
        codes[1].update(new)
        for named, only in ((came, new - old), (went, old - new)):
            for code in only:
                named.setdefault(code, []).append(file)
    return Since(
        came=len(now) - len(both),
        gone=len(before) - len(both),
        both=len(both),
        verdicts=tuple(
            (old, new, len(files), tuple(files[:NAMED])) for (old, new), files in sorted(verdicts.items())
        ),
        codes=tuple((code, codes[0][code], codes[1][code]) for code in sorted(came.keys() | went)),
        on={code: tuple(files[:NAMED]) for code, files in sorted(came.items())},
        off={code: tuple(files[:NAMED]) for code, files in sorted(went.items())},
        names={code: (later.rules | earlier.rules)[code].name for code in sorted(came.keys() | went)},
    )


def _by_last_parts(before: _Boards, now: _Boards) -> tuple[_Boards, _Boards]:
    """Boards by as few last parts of their paths as tell those of each survey apart."""
    for count in range(1, 1 + max(file.count("/") for file in (*before, *now))):
        shorter = [
            {"/".join(file.split("/")[-count:]): held for file, held in each.items()}
            for each in (before, now)
        ]
        if list(map(len, shorter)) == [len(before), len(now)]:
            return shorter[0], shorter[1]
    return before, now
