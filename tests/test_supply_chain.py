"""What the project is made of: bounds, hashes, and what SECURITY.md says of sizes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from rootplex import project
from rootplex.capture import lines
from rootplex.capture.pasted import reading
from rootplex.capture.pasted import text as pasted_text
from rootplex.frontends.pasted import machine
from rootplex.readers import archives, dtb, files, includes
from rootplex.readers.acpi import acpiexec, asl, header
from rootplex.source import yaml12
from rootplex.tools import runner

MIB = 1 << 20
LOCKED = re.compile(r"([a-z0-9._-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")


def metadata(checkout: Path) -> dict[str, object]:
    found = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert isinstance(found, dict)
    return found


def locked(checkout: Path) -> dict[str, Version]:
    text = (checkout / "requirements" / "development.txt").read_text(encoding="utf-8")
    assert LOCKED.sub("", text) == ""
    return {name: Version(version) for name, version, _ in LOCKED.findall(text)}


def test_each_locked_package_has_hashes_and_nothing_else_stands_there(checkout: Path) -> None:
    """No index, host, or path of the machine that it was made on."""
    assert len(locked(checkout)) > 20


def test_what_is_locked_is_what_is_asked_for(checkout: Path) -> None:
    versions, asked = locked(checkout), metadata(checkout)
    extras = asked["optional-dependencies"]
    assert isinstance(extras, dict)
    dependencies = asked["dependencies"]
    assert isinstance(dependencies, list)
    for text in (*dependencies, *extras["dev"]):
        requirement = Requirement(text)
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name != "rootplex":
            assert versions[name] in requirement.specifier, text


def test_the_package_needs_little_between_bounds_that_were_tried(checkout: Path) -> None:
    oldest = (checkout / "requirements" / "oldest.txt").read_text(encoding="utf-8")
    pinned = dict(line.split("==") for line in oldest.splitlines() if not line.startswith("#"))
    dependencies = metadata(checkout)["dependencies"]
    assert isinstance(dependencies, list)
    requirements = [Requirement(text) for text in dependencies]
    assert pinned.keys() == {each.name for each in requirements}
    for each in requirements:
        bounds = {part.operator: Version(part.version) for part in each.specifier}
        assert bounds.keys() == {">=", "<"}
        assert bounds[">="] == Version(pinned[each.name])


def test_the_stated_sizes_are_those_that_hold(checkout: Path) -> None:
    text = " ".join((checkout / "SECURITY.md").read_text(encoding="utf-8").split())
    rows = (
        f"| any file | {files.LIMIT // MIB} MiB |",
        f"| description | {yaml12.MAX_BYTES // MIB} MiB, {yaml12.MAX_NODES:,} values |",
        f"| device tree blob, source | {dtb.SIZE_LIMIT // MIB} MiB, {includes.SIZE_LIMIT // MIB} MiB |",
        f"| lines and files of a source that includes | {includes.LINES_LIMIT:,}; {includes.FILES_LIMIT:,} |",
        f"| ACPI table; number of tables | {header.SIZE_LIMIT // MIB} MiB; {header.TABLES_LIMIT:,} |",
        f"| ASL or a disassembled table | {asl.SIZE_LIMIT // MIB} MiB |",
        f"| archive, unpacked; members | {archives.UNPACKED_LIMIT // MIB} MiB; {archives.FILES_LIMIT:,} |",
        f"| snapshot | {lines.LIMIT // MIB} MiB |",
        f"| pasted text | {pasted_text.LIMIT // MIB} MiB, {reading.FUNCTIONS_LIMIT:,} functions",
        f"functions, {machine.ROOTS_LIMIT:,} root buses |",
        f"{runner.MEMORY_LIMIT // MIB // 1024} GiB of memory",
        f"AML has {acpiexec.BUDGET_SECONDS:g} seconds",
    )
    assert [row for row in rows if row not in text] == []


def test_where_to_report_is_the_projects_one_address(checkout: Path) -> None:
    text = (checkout / "SECURITY.md").read_text(encoding="utf-8")
    assert "`ADDRESS`" in text
    assert "compiler/rootplex/project.py" in text
    assert isinstance(project.ADDRESS, str)
