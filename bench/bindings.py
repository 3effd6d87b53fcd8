"""The bundled device trees, held against the kernel's bindings: dt-validate says nothing that is not listed.

    python -m bench.bindings [FILE.dtb ...]

Without a file all of `generated/`. The bindings are those of Debian's source package of the default kernel,
dtschema is PyPI's, which builds a library that needs a C compiler and Python's headers. What is made of both
stays in the user's cache (200 MB are fetched once). Exit status 1 where something is said that `ACCEPTED`
does not have, or what it has is said no more.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rootplex.known.kernels import DEFAULT, SUITES
from rootplex.tools import apt
from rootplex.tools.kernels import debian
from rootplex.tools.runner import ToolError

GENERATED = Path(__file__).resolve().parents[1] / "generated"
BINDINGS = "Documentation/devicetree/bindings"


class Said(NamedTuple):
    """One message of dt-validate: of which board, about which node, what."""

    board: str
    node: str
    text: str


class Accepted(NamedTuple):
    """Messages that are right, and why they stay: patterns of the three."""

    board: str
    node: str
    text: str
    why: str


OTHER_NODES = (
    "it names a clock, a domain or a regulator of the board, and a description has what is of PCI alone"
)
ACCEPTED = (
    Accepted(
        "qemu-.*", "pl0[136]1@.*", r"\$nodename.*", "QEMU names its nodes so, and its tree is kept as it is"
    ),
    Accepted("qemu-.*", "gpio-keys", "'poweroff' does not match .*", "so it is with the power key"),
    Accepted("macchiatobin", "pcie@f2600000", "'clocks' is a required property", OTHER_NODES),
    Accepted("zynqmp-zcu102", "pcie@fd0e0000", "'power-domains' is a required property", OTHER_NODES),
    Accepted(
        "thinkpad-x13s",
        "pcie@1c[012]0000",
        "'((clock|interconnect|reset)(s|-names)|power-domains)' is a required property",
        OTHER_NODES,
    ),
    Accepted(
        "thinkpad-x13s", "pcie@1c[012]0000", "Unevaluated properties .*", "follows from what is missing"
    ),
    Accepted("thinkpad-x13s", "device@0", "'vdd.*-supply' is a required property", OTHER_NODES),
)


def schema(place: Path) -> Path:
    """The bindings of the default kernel in one file; made once. ToolError where they cannot be had."""
    made = place / f"{DEFAULT}.json"
    if not made.exists():
        tree = _sources(place)
        fresh = place / "schema.json"
        with fresh.open("wb") as out:
            subprocess.run([_tools(place) / "dt-mk-schema", "-j", tree / BINDINGS], stdout=out, check=True)
        fresh.rename(made)
        shutil.rmtree(tree.parent)
    return made


def _sources(place: Path) -> Path:
    """The bindings' folder above, out of Debian's package of the kernel's source."""
    package = DEFAULT.replace("linux-", "linux-source-")
    folder = place / "source"
    for there in folder.glob(f"*/{BINDINGS}"):  # of a run that was cut off
        return there.parents[2]
    refusals = []
    for suite in SUITES[DEFAULT]:
        source = debian(place, suite, "arm64", apt.mirror())
        print(f"{package} of {suite}", flush=True)
        try:
            source.update()
            (deb,) = source.download([package])
        except ToolError as refusal:
            refusals.append(str(refusal))
            continue
        apt.unpack(deb, folder)
        (archive,) = folder.rglob("*.tar.xz")
        name = archive.name.removesuffix(".tar.xz")
        subprocess.run(["tar", "-xf", archive, "-C", folder, f"{name}/{BINDINGS}"], check=True)
        source.forget()
        return folder / name
    raise ToolError("; ".join(refusals))


def _tools(place: Path) -> Path:
    """Where dtschema's programs are, in an environment of their own."""
    programs = place / "dtschema" / "bin"
    if not (programs / "dt-validate").exists():
        venv.create(place / "dtschema", with_pip=True, clear=True)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        argv = [str(programs / "python"), "-m", "pip", "install", "--quiet"]
        for package in ("swig", "dtschema"):
            subprocess.run([*argv, package], env={**os.environ, "PATH": path}, check=True)
    return programs


def said(place: Path, files: Iterable[Path]) -> Iterator[Said]:
    """What dt-validate says of the files; a message goes on where a line is indented."""
    argv = [str(each) for each in (_tools(place) / "dt-validate", "-s", schema(place), *files)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    lines = re.sub(r"\n\t(?!from schema)", " ", done.stdout).splitlines()
    for line in lines:
        if line.startswith("\t"):
            continue
        found = re.fullmatch(r"(?P<file>[^:]+): (?P<node>\S+)[^:]*: (?P<text>.*)", line)
        if found is None:
            yield Said("", "", line)
        else:
            yield Said(Path(found["file"]).stem, found["node"], found["text"])


def reason(message: Said) -> Accepted | None:
    """The entry that accepts a message."""
    for each in ACCEPTED:
        pairs = zip(each[:3], message, strict=True)
        if all(re.fullmatch(pattern, text) for pattern, text in pairs):
            return each
    return None


def main() -> int:
    """Print what is not accepted, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args().files
    files = given or sorted(GENERATED.glob("*/*.dtb"))
    place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rootplex" / "bindings"
    place.mkdir(parents=True, exist_ok=True)
    messages = list(said(place, files))
    new = [each for each in messages if reason(each) is None]
    idle = [] if given else [each for each in ACCEPTED if each not in map(reason, messages)]
    for message in new:
        print(f"{message.board}: {message.node}: {message.text}")
    for entry in idle:
        print(f"no longer said: {entry.board}: {entry.node}: {entry.text}")
    print(
        f"{len(files)} trees, bindings of {DEFAULT}: {len(new)} messages, {len(messages) - len(new)} accepted"
    )
    return 1 if new or idle else 0


if __name__ == "__main__":
    sys.exit(main())
