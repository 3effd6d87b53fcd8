"""What a fuzzing campaign came to, as text: a line of progress, a table, coverage, and failures as tests."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.fuzz.campaign import Campaign, Count, Failure

HEAD = (
    "| target | what | cases | tried | crashes | hangs | violations | seed | revision |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---|"
)


def progress(done: Count) -> str:
    """One line: how far a row is, how fast it goes, what it has seen."""
    rate = done.units / done.seconds if done.seconds else 0.0
    seen = f", {done.kinds} of operations and results" if done.kinds else ""
    return f"{_row(done)}: {done.units:,} {done.unit}, {rate:,.0f} a second, {done.failures} failures{seen}"


def table(campaign: Campaign) -> Iterator[str]:
    """The rows of a Markdown table (`HEAD` above them)."""
    for done in campaign.counts:
        figures = (done.next, done.units, done.crashes, done.hangs, done.violations)
        numbers = " | ".join(f"{each:,}" for each in figures)
        what = done.unit if done.row == done.target else f"{done.row} {done.unit}"
        yield f"| {done.target} | {what} | {numbers} | {campaign.seed} | {campaign.revision} |"


def coverage(campaign: Campaign) -> Iterator[str]:
    """Which results each operation came to, and how often."""
    for done in campaign.counts:
        for asked, results in sorted(done.seen.items()):
            told = ", ".join(f"{came} {times:,}" for came, times in sorted(results.items()))
            yield f"{_row(done)}: {asked}: {told}"


def failure(found: Failure) -> str:
    """A failure, and the smallest form of it as a test to put into the suite."""
    head = f"{found.row}, seed {found.seed}, case {found.case}: {found.name}: {found.text}"
    name = "".join(each if each.isalnum() else "_" for each in f"{found.row}_{found.seed}_{found.case}")
    return f"{head}\n\ndef test_{name}() -> None:\n{found.test}"


def _row(done: Count) -> str:
    return done.row if done.row == done.target else f"{done.target} {done.row}"
