"""The text of every finding, asserted once: `messages/CODE.txt` holds it, with the case that gives it.

`ROOTPLEX_RENEW=1` writes them anew; a code without a file gets one from the first case that finds it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePath

from rootplex.source.finding import Finding
from rootplex.source.place import Place

_HELD: set[tuple[str, str]] = set()
"""What this process has met: of a case that finds a code several times the first counts."""

FOLDER = Path(__file__).parent / "messages"


def golden_case(code: str) -> str | None:
    """The case by which a code's text is asserted."""
    file = FOLDER / f"{code}.txt"
    return file.read_text(encoding="utf-8").partition("\n")[0] if file.exists() else None


def _place(place: Place) -> str:
    """A place with its file's name alone: folders are the machine's."""
    return str(place).replace(place.file, PurePath(place.file).name, 1)


def told(finding: Finding) -> str:
    """A finding as text: its level, its places, its words."""
    related = [f"  also {_place(other.at)}: {other.message}\n" for other in finding.related]
    notes = [f"  note: {note}\n" for note in finding.notes]
    help = [] if finding.help is None else [f"  help: {finding.help}\n"]
    head = f"{finding.level.value}[{finding.code}] {finding.name}: {finding.message}\n"
    head += f"  at {_place(finding.at)}\n"
    return "".join([head, *related, *notes, *help])


def hold(findings: Iterable[Finding], case: str | None = None) -> None:
    """Asserts the text of each code whose case this is, by the first finding of that code; without a name the
    case is the test that runs."""
    case = case or os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
    first: dict[str, Finding] = {}
    for root in findings:
        for finding in root.every:
            first.setdefault(finding.code, finding)
    for code, finding in first.items():
        if (case, code) in _HELD:
            continue
        _HELD.add((case, code))
        file = FOLDER / f"{code}.txt"
        if os.environ.get("ROOTPLEX_RENEW") and golden_case(code) in (None, case):
            FOLDER.mkdir(exist_ok=True)
            file.write_text(f"{case}\n{told(finding)}", encoding="utf-8")
        if golden_case(code) == case:
            assert file.read_text(encoding="utf-8") == f"{case}\n{told(finding)}"
