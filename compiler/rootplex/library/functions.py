"""The commands as functions: no printing, no exit, no reading of the environment.

A *path* is a string or `os.PathLike`. What a user wrote is judged, not raised: its faults are findings of a
`Result`. What can be raised, all of it: `Unreadable` (by `load`, `import_board` and `validate`: input that
cannot be read at all, with its findings), `Unjudged` (what was asked for does not fit the input), `ToolError`
(an external program is missing or was stopped), `OSError` (a file cannot be opened).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from rootplex.jobs.check import Unjudged, check_description, unsound
from rootplex.jobs.compiling import compiled
from rootplex.jobs.describe import Checked, read_checked
from rootplex.jobs.diff import Diff
from rootplex.jobs.diff import diff as difference
from rootplex.jobs.result import Result, unreadable
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import Trees
from rootplex.model.bridge import Firmware
from rootplex.readers.files import bytes_of
from rootplex.source.finding import Finding, Unreadable

StrPath: TypeAlias = str | os.PathLike[str]


class Description(Struct, frozen=True, kw_only=True):
    """A platform description that was read.

    `file` is its name in places, `text` the bytes as they were, `name` its `platform.name` (None where that
    could not be read), `findings` what is wrong with the description by itself.
    """

    file: str
    text: bytes
    name: str | None
    findings: tuple[Finding, ...]
    checked: Checked
    """As the other functions take it; not public."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong with the description by itself."""
        return self.checked.is_sound


class Artifacts(Struct, frozen=True, kw_only=True):
    """What a description compiles to.

    `files` are the bytes of each file by its name, as `rootplex compile` writes them (`x.dts`, `x.dtb`,
    `mcfg.aml`, …, `manifest.json`), empty where errors keep them back; `result` has the findings and the
    verdict, and no machine: nothing was simulated.
    """

    files: Mapping[str, bytes]
    result: Result


class ImportedBoard(Struct, frozen=True, kw_only=True):
    """A board's firmware as a description.

    `text` is the YAML with a remark for each value's origin; `kind` what the input was (`device tree`, `ACPI
    tables`, …); `bridges` the node or object of each host bridge; `missing` a line for each thing that the
    input does not tell.
    """

    text: str
    kind: str
    bridges: tuple[str, ...]
    missing: tuple[str, ...]


def load(source: StrPath | bytes, *, name: str | None = None) -> Description:
    """Read a description: a path, or the text itself as UTF-8 bytes. `name` stands in places instead of it.

    Unreadable for what is no YAML 1.2, or firmware's file; OSError where it cannot be opened.
    """
    if isinstance(source, bytes):
        file, data = name or "<text>", source
    else:
        file = name or os.fspath(source)
        data = bytes_of(Path(source), file)
    checked = read_checked(data, file)
    platform = checked.platform
    return Description(
        file=file,
        text=data,
        name=None if platform is None else platform.name,
        findings=checked.findings,
        checked=checked,
    )


def compile(
    description: Description | StrPath, *, despite_errors: bool = False, xen: bool = False
) -> Artifacts:
    """The files of a description, by name; the same input gives the same bytes on every machine.

    With an error that its author does not expect `files` is empty, unless they are wanted `despite_errors`.
    `xen`: also what starts Xen on them. ToolError where the description has ACPI and `iasl` is missing, or
    where Xen cannot be started on it.
    """
    try:
        read = _loaded(description)
    except Unreadable as error:
        return Artifacts(files={}, result=unreadable(_file(description), error.findings))
    if not read.is_sound:
        return Artifacts(files={}, result=unsound(read.checked, read.file))
    made = compiled(read.checked, read.text, read.file, despite_errors=despite_errors, xen=xen)
    return Artifacts(files=made.files or {}, result=made.result)


def check(
    description: Description | StrPath,
    *,
    dom0: str | None = None,
    firmware: Firmware | None = None,
    xen_version: str | None = None,
    bare_metal: bool = False,
    vpci: bool | None = None,
    trace: bool = False,
) -> Result:
    """Compile in memory, boot the simulated Xen and Dom0 on those bytes, and say what is wrong.

    What is None is as the description says: `dom0` the kernel (`linux-7.2`), `firmware` `"dt"` or `"acpi"`,
    `xen_version` (`xen-4.20`), `vpci`. `bare_metal` is Linux without Xen; `trace` fills `Result.trace` with a
    line for each configuration access and hypercall. Unjudged where the description is not compiled for
    that firmware; ToolError where it has ACPI and `iasl` or `acpiexec` is missing.
    """
    options = RunOptions(
        firmware=firmware, kernel=dom0, xen=xen_version, bare_metal=bare_metal, vpci=vpci, trace=trace
    )
    try:
        read = _loaded(description)
    except Unreadable as error:
        return unreadable(_file(description), error.findings)
    return check_description(read.checked, read.file, options)


def import_board(
    path: StrPath, *, include: Sequence[StrPath] = (), overlays: Sequence[StrPath] = ()
) -> ImportedBoard:
    """A device tree (blob or source), acpidump text, a folder or archive of ACPI tables, a snapshot or
    `lspci -xxxx` text as a description.

    A device tree source may include what lies beside it or in the folders `include`, where one is named;
    `overlays` are applied to the tree in their order.

    Unreadable where it is none of them or tells of no host bridge; ToolError where a program that reads it
    (`dtc` for source, `iasl` and `acpiexec` for AML) is missing.
    """
    from rootplex.jobs.importing import description_text, import_source
    from rootplex.jobs.sources import read_source

    source = read_source(Path(path), os.fspath(path), _trees(include, overlays))
    made = import_source(source)
    return ImportedBoard(
        text=description_text(made),
        kind=source.what,
        bridges=made.bridges,
        missing=tuple(map(str, made.missing)),
    )


def _trees(include: Sequence[StrPath], overlays: Sequence[StrPath]) -> Trees:
    names = [os.fspath(each) for each in overlays]
    return Trees(
        tuple(os.fspath(each) for each in include),
        tuple((name, bytes_of(Path(name), name)) for name in names),
    )


def validate(
    *paths: StrPath,
    against: Description | StrPath | None = None,
    bare_metal: bool = False,
    include: Sequence[StrPath] = (),
    overlays: Sequence[StrPath] = (),
) -> Result:
    """What is wrong with one board's firmware: a device tree, ACPI tables (a dump, or a folder), both (then
    held against each other), or a snapshot; `against` a description where one is named. `include` and
    `overlays` as in `import_board`.

    Unjudged where the paths are several boards, or `against` has errors of its own; Unreadable for a folder
    without any; ToolError as in `import_board`.
    """
    from rootplex.jobs.boards import boards_of, with_trees
    from rootplex.jobs.validate import validate_board

    boards = with_trees(boards_of([os.fspath(path) for path in paths]), _trees(include, overlays))
    if len(boards) != 1:
        raise Unjudged(f"{', '.join(map(str, paths))}: {len(boards)} boards, and one is validated")
    platform = None
    if against is not None:
        read = _loaded(against)
        if not read.is_sound:
            raise Unjudged(f"{read.file} has errors of its own")
        platform = read.checked.platform
    return validate_board(boards[0], platform, bare_metal)


def diff(before: Result, after: Result) -> Diff:
    """What changes for whoever runs a board, between two results of `check` or `validate`: numbers, windows,
    functions, groups, guests, the boot device, findings."""
    return difference(before, after)


def _loaded(description: Description | StrPath) -> Description:
    return description if isinstance(description, Description) else load(description)


def _file(description: Description | StrPath) -> str:
    return description.file if isinstance(description, Description) else os.fspath(description)
