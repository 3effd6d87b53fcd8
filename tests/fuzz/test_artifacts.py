"""Each artifact that `compile` makes, damaged and read back: a result or a refusal, never an exception."""

from __future__ import annotations

import json
import random
import shutil
from contextlib import suppress
from pathlib import Path
from secrets import randbelow

import pytest
from tests.topologies.bundled import CHECKOUT

from rootplex.cli import main
from rootplex.cli.fuzz import _show
from rootplex.fuzz.damage import mutated
from rootplex.fuzz.inputs import taken
from rootplex.jobs.manifest import MANIFEST
from rootplex.simulator.hardware import BusError, Hardware, read_image
from rootplex.simulator.inputs import Blob
from rootplex.source.finding import Unreadable

SEED = randbelow(1 << 32)
BOARDS = ("qemu-virt", "q35", "zynqmp-zcu102")
FILES = sorted(
    path.relative_to(CHECKOUT).as_posix()
    for board in BOARDS
    for path in (CHECKOUT / "generated" / board).iterdir()
)
FORMS = {".dtb": "dtb", ".dts": "dts", ".asl": "dts"}
TIMES = 8

pytestmark = pytest.mark.skipif(shutil.which("acpiexec") is None, reason="needs acpica-tools")


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_artifact_is_read_back(name: str) -> None:
    path = CHECKOUT / name
    form = "aml" if path.suffix == ".aml" else FORMS.get(path.suffix, "acpidump")
    for turn in range(TIMES):
        damaged = mutated(form, path.read_bytes(), random.Random(f"{SEED} {name} {turn}"))
        try:
            taken(form, damaged, _show)
        except Exception as error:
            pytest.fail(f"seed {SEED}, turn {turn}: {error!r}")


@pytest.mark.parametrize("board", BOARDS)
def test_a_damaged_hardware_image(board: str) -> None:
    """It is read by the simulator alone."""
    config, pages = (
        (CHECKOUT / "generated" / board / f"config.{end}").read_bytes() for end in ("json", "bin")
    )
    for turn in range(40):
        dice = random.Random(f"{SEED} {board} {turn}")
        given = (
            (mutated("yaml", config, dice), pages) if turn % 2 else (config, mutated("bytes", pages, dice))
        )
        try:
            hardware = Hardware(read_image(Blob("config.json", given[0]), Blob("config.bin", given[1])))
        except Unreadable as error:
            assert error.findings
            continue
        for bridge in hardware.bridges.values():
            with suppress(BusError):  # what the bus says of a base that no access of four bytes can have
                assert hardware.read(bridge.image.base, 4) <= 0xFFFFFFFF


@pytest.mark.parametrize(
    "text",
    ["", "[" * 100_000, "null", "[]", '{"description": 1}', "FILES", '"\\ud800"'],
    ids=["empty", "deep", "null", "list", "number", "files-as-list", "surrogate"],
)
def test_a_damaged_manifest(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder counts as changed, and is written again."""
    board = str(CHECKOUT / "topologies" / "raspberry-pi-4.yaml")
    assert main(["compile", board, "-o", str(tmp_path)]) == 0
    manifest = tmp_path / "raspberry-pi-4" / MANIFEST
    whole = manifest.read_bytes()
    content = json.loads(whole)
    content["files"] = list(content["files"])
    manifest.write_text(json.dumps(content) if text == "FILES" else text)
    assert main(["compile", board, "-o", str(tmp_path)]) == 0, capsys.readouterr().err
    assert manifest.read_bytes() == whole
