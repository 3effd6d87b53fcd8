"""Any bytes: a result, or a refusal with its place. Never a traceback, never a minute.

The seeds are artifacts of ours and snapshots of real boots; what is done to them is random with a printed
seed (`--seed`). Each also is imported, and what was imported read again.
"""

from __future__ import annotations

import gzip
import random
import shutil
import time
from collections.abc import Callable
from functools import cache

import pytest
from tests.topologies.bundled import CHECKOUT

from rootplex.jobs.boards import Board, Item
from rootplex.jobs.check import check_text
from rootplex.jobs.describe import read_checked
from rootplex.jobs.importing import description_text, import_source
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import source_of_bytes
from rootplex.jobs.validate import validate_board
from rootplex.source.finding import Unreadable

GENERATED = CHECKOUT / "generated"
NATIVE = CHECKOUT / "tests" / "capture" / "native"
SECONDS = 20.0  # ten, on a machine that does nothing else
INTERESTING = (0, 1, 2, 3, 4, 9, 0x20, 0x7F, 0x80, 0xFE, 0xFF)
WORDS = (
    b"",
    b"\0",
    b"\xff" * 8,
    b"9" * 5000,
    b"0x" + b"f" * 40,
    b"-1",
    b"\n" * 50,
    b"{}",
    b"\xc2\xb2",
    b": ",
    b"\x1b[2J",
)

pytestmark = pytest.mark.skipif(shutil.which("acpiexec") is None, reason="needs acpica-tools")


def _blob(*names: str) -> bytes:
    return b"".join((GENERATED / name).read_bytes() for name in names)


def _dump(*names: str) -> bytes:
    lines = []
    for name in names:
        data = (GENERATED / name).read_bytes()
        lines.append(f"{data[:4].decode()} @ 0x0000000000000000\n")
        rows = ((at, data[at : at + 16]) for at in range(0, len(data), 16))
        lines += [f"    {at:04X}: {' '.join(f'{byte:02X}' for byte in row)}\n" for at, row in rows]
    return "".join(lines).encode()


def _lspci() -> bytes:
    rows = "".join(f"{at:02x}: {' '.join(['86', '80', '00', '06'] * 4)}\n" for at in range(0, 64, 16))
    return "".join(f"0000:00:{slot:02x}.0 Host bridge: x\n{rows}\n" for slot in range(8)).encode()


SEEDS: dict[str, Callable[[], bytes]] = {
    "dtb": lambda: _blob("qemu-virt/qemu-virt.dtb"),
    "dts": lambda: _blob("juno-r2/juno-r2.dts"),
    "mcfg": lambda: _blob("qemu-virt/ssdt.aml", "qemu-virt/mcfg.aml"),
    "iort": lambda: _blob("qemu-switches/ssdt.aml", "qemu-switches/iort.aml", "qemu-switches/mcfg.aml"),
    "acpidump": lambda: _dump("qemu-virt/ssdt.aml", "qemu-virt/mcfg.aml", "qemu-virt/iort.aml"),
    "snapshot": lambda: gzip.decompress((NATIVE / "q35-pci-bridges-7.2.txt.gz").read_bytes()),
    "snapshot of a tree": lambda: gzip.decompress((NATIVE / "virt-acpi-pxb-7.2.txt.gz").read_bytes()),
    "lspci": _lspci,
    "yaml": lambda: (CHECKOUT / "topologies" / "qemu-switches.yaml").read_bytes(),
}


@cache
def seed_of(name: str) -> bytes:
    return SEEDS[name]()


def damaged(data: bytes, dice: random.Random) -> bytes:
    """A few of: other bytes, a word in between, a part away, twice or elsewhere, the end away."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        at, size = dice.randrange(len(out) + 1), dice.choice((1, 4, 16, 100))
        match dice.randrange(7):
            case 0 | 1 if at < len(out):
                out[at] = dice.choice((*INTERESTING, out[at] ^ 1 << dice.randrange(8)))
            case 2:
                out[at:at] = dice.choice(WORDS)
            case 3:
                del out[at : at + size]
            case 4:
                out[at:at] = out[at : at + size]
            case 5:
                other = dice.randrange(len(out) + 1)
                out[at : at + size] = out[other : other + size]
            case 6 if dice.random() < 0.3:
                del out[at:]
    return bytes(out)


def taken(name: str, data: bytes) -> None:
    if name == "yaml":
        check_text(data, "x.yaml", RunOptions())
        return
    validate_board(Board((Item("x", None, data),)))
    try:
        text = description_text(import_source(source_of_bytes(data, "x")))
        read_checked(text.encode(), "x.yaml")
    except Unreadable as error:
        assert error.findings


@pytest.mark.parametrize("name", SEEDS)
def test_damage_is_survived(name: str, pytestconfig: pytest.Config) -> None:
    seed = f"{pytestconfig.getoption('--seed')} {name}"
    dice = random.Random(seed)
    for turn in range(25):
        data = damaged(seed_of(name), dice)
        begun = time.process_time()
        try:
            taken(name, data)
        except Exception as error:
            pytest.fail(f"seed {seed!r}, turn {turn}: {error!r}")
        assert time.process_time() - begun < SECONDS, (seed, turn)
