"""The commands of a page, run as a reader would in an empty folder, one after the other, and what they print.

A page's blocks of code with a caption are files that the reader writes; a block `console` holds commands
after `$ ` and what each prints. A line `...` there stands for lines that differ by machine, `...` in a line
for words. A block of class `boot` starts QEMU; one of class `elsewhere` is not run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from rootplex.source.shipped import shipped_folder

_BLOCK = re.compile(
    r"^(?P<fence>`{3,})(?:\{code-block\} )?(?P<language>\w+)\n"
    r"(?P<options>(?::\w+: [^\n]*\n)*)\n?(?P<body>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_OPTION = re.compile(r"^:(?P<key>\w+): (?P<value>.*)$", re.MULTILINE)
_COMMAND = re.compile(r"^\$ ", re.MULTILINE)
ANY = "..."


class Step(Struct, frozen=True, kw_only=True):
    """A file to write (`file`, `text`), or a command to run and what it prints."""

    file: str | None = None
    text: str = ""
    command: str | None = None
    printed: str = ""
    boots: bool = False


def steps(page: str) -> Iterator[Step]:
    """In the page's order."""
    for found in _BLOCK.finditer(page):
        options = {each["key"]: each["value"] for each in _OPTION.finditer(found["options"])}
        classes = options.get("class", "").split()
        if "caption" in options:
            yield Step(file=options["caption"], text=found["body"])
        elif found["language"] == "console" and "elsewhere" not in classes:
            for shown in _COMMAND.split(found["body"])[1:]:
                command, printed = _parted(shown)
                yield Step(command=command, printed=printed, boots="boot" in classes)


def _parted(shown: str) -> tuple[str, str]:
    """The command, which goes on in the next line after a stroke, and what it prints."""
    lines = shown.split("\n")
    last = 0
    while lines[last].endswith("\\"):
        last += 1
    return "\n".join(lines[: last + 1]), "\n".join(lines[last + 1 :])


def run(command: str, folder: Path) -> str:
    """What a command prints, errors among it, in the order in which a terminal shows them."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8", "COLUMNS": "80"}
    environment["BOARDS"] = str(shipped_folder("topologies"))
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout


def matches(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed."""
    parts = [re.escape(part) for part in re.split(rf"^{re.escape(ANY)}\n", shown, flags=re.MULTILINE)]
    pattern = "(?:.*\n)*".join(part.replace(re.escape(ANY), ".*") for part in parts)
    return re.fullmatch(pattern, printed) is not None


def renewed(page: str, folder: Path, *, boots: bool) -> str:
    """The page with what its commands print now; one whose output has `...` stays where it still matches."""

    def block(found: re.Match[str]) -> str:
        options = {each["key"]: each["value"] for each in _OPTION.finditer(found["options"])}
        classes = options.get("class", "").split()
        if "caption" in options:
            (folder / options["caption"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / options["caption"]).write_text(found["body"], encoding="utf-8")
            return found[0]
        if found["language"] != "console" or "elsewhere" in classes or ("boot" in classes and not boots):
            return found[0]
        body = ""
        for shown in _COMMAND.split(found["body"])[1:]:
            command, printed = _parted(shown)
            now = run(command, folder)
            body += f"$ {command}\n{printed if matches(printed, now) else now}"
        head, tail = found[0].split(found["body"], 1) if found["body"] else (found[0], "")
        return f"{head}{body}{tail}"

    return _BLOCK.sub(block, page)
