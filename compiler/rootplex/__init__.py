"""Rootplex: PCI host bridges described once, compiled to device tree and ACPI, checked by simulation.

    import rootplex

    result = rootplex.check("board.yaml")
    print(result.verdict, [finding.code for finding in result.findings])

What `__all__` names is public; modules below are not, and may change with any release. Each name is
loaded when it is first used (PEP 562): importing the package itself costs nothing.
"""

from rootplex.project import __version__

TYPE_CHECKING = False  # `typing` is not imported for it; type checkers know this name
if TYPE_CHECKING:
    from rootplex.jobs.check import Unjudged
    from rootplex.jobs.diff import Change, Diff
    from rootplex.jobs.result import Machine, Result
    from rootplex.library.functions import (
        Artifacts,
        Description,
        ImportedBoard,
        check,
        compile,
        diff,
        import_board,
        load,
        validate,
    )
    from rootplex.library.testing import assert_consistent
    from rootplex.source.finding import Finding, Level, Related, Unreadable
    from rootplex.source.place import DtPlace, FilePlace, Span, TablePlace
    from rootplex.tools.runner import ToolError

_PUBLIC = {
    "library.functions": (
        "load", "compile", "check", "import_board", "validate", "diff",
        "Description", "Artifacts", "ImportedBoard",
    ),
    "library.testing": ("assert_consistent",),
    "jobs.result": ("Result", "Machine"),
    "jobs.diff": ("Diff", "Change"),
    "jobs.check": ("Unjudged",),
    "source.finding": ("Finding", "Level", "Related", "Unreadable"),
    "source.place": ("Span", "DtPlace", "TablePlace", "FilePlace"),
    "tools.runner": ("ToolError",),
}  # fmt: skip
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = [
    "Artifacts", "Change", "Description", "Diff", "DtPlace", "FilePlace", "Finding", "ImportedBoard", "Level",
    "Machine", "Related", "Result", "Span", "TablePlace", "ToolError", "Unjudged", "Unreadable",
    "__version__", "assert_consistent", "check", "compile", "diff", "import_board", "load", "validate",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'rootplex' has no attribute '{name}'")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"rootplex.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
