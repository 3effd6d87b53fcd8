"""`generated/` is what the topologies compile to. Renew it with
`rootplex compile topologies/*.yaml -o generated --force`, and look at the difference that this test shows.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import pytest
from tests import acpica
from tests.topologies.bundled import CHECKOUT, NAMES, contents

from rootplex.tools.runner import private_folder, run

GENERATED = CHECKOUT / "generated"
TWO_MIB = 2 << 20


@pytest.mark.parametrize("name", NAMES)
def test_generated_has_not_drifted(compiled: Path, name: str) -> None:
    kept, made = contents(GENERATED / name), contents(compiled / name)
    assert sorted(kept) == sorted(made)
    differences = [
        difference(file, kept[file], made[file])
        for file in kept
        if comparable(file, kept[file]) != comparable(file, made[file])
    ]
    if differences:
        pytest.fail("\n".join(differences), pytrace=False)


def test_generated_holds_the_topologies_and_nothing_else() -> None:
    assert sorted(path.name for path in GENERATED.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_generated_folder_stays_small(name: str) -> None:
    assert sum(map(len, contents(GENERATED / name).values())) < TWO_MIB


def test_a_difference_is_shown_as_text(compiled: Path) -> None:
    """A segment changed in each kind of file is told in the words of dtc and iasl."""
    files = contents(compiled / "qemu-virt")
    domain = b"\0\0\0\x04" + (0).to_bytes(4, "big")
    tree = files["qemu-virt.dtb"]
    at = tree.index(b"pcie@4010000000")
    changed = tree[:at] + tree[at:].replace(domain, domain[:-1] + b"\7", 1)
    assert "+" in difference("qemu-virt.dtb", tree, changed)
    table = bytearray(files["mcfg.aml"])
    table[52] = 7
    lines = difference("mcfg.aml", files["mcfg.aml"], bytes(table)).splitlines()
    added = [acpica.field(line[1:]) for line in lines if line.startswith("+")]
    assert acpica.Field(0x34, 2, "Segment Group Number", "0007") in added


def comparable(file: str, data: bytes) -> object:
    """The manifest without what differs between machines: the tools' versions."""
    if file != "manifest.json":
        return data
    return {key: value for key, value in json.loads(data).items() if key != "tools"}


def difference(file: str, kept: bytes, made: bytes) -> str:
    """A unified difference of what dtc, iasl or we ourselves can show as text."""
    lines = difflib.unified_diff(
        shown(file, kept), shown(file, made), f"generated: {file}", f"compiled: {file}", lineterm="", n=2
    )
    return "\n".join(lines) or f"{file}: {len(kept)} bytes became {len(made)}, not the same"


def shown(file: str, data: bytes) -> list[str]:
    with private_folder() as folder:
        (folder / file).write_bytes(data)
        if file.endswith(".dtb"):
            return run(["dtc", "-q", "-I", "dtb", "-O", "dts", file], cwd=folder).stdout.splitlines()
        if file.endswith(".aml"):
            run(["iasl", "-d", file], cwd=folder)
            return (folder / file).with_suffix(".dsl").read_text().splitlines()
        if file.endswith((".bin", ".cpio")):
            rows = (f"{at:06x} {data[at : at + 16].hex(' ')}" for at in range(0, len(data), 16))
            return list(rows)
        return data.decode().splitlines()
