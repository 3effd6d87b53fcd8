"""Words that several reports share."""

from __future__ import annotations

from collections.abc import Iterable

from rootplex.jobs.result import Named

FIRMWARE = {"dt": "device tree", "acpi": "ACPI"}


def function_name(function: Named) -> str:
    """`0000:01:00.0 (disk)`."""
    return f"{function.sbdf} ({function.name})" if function.name else function.sbdf


def function_names(functions: Iterable[Named]) -> str:
    """A list of them."""
    return ", ".join(map(function_name, functions))


def counted(count: int, what: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {what}{'' if count == 1 else 's'}"
