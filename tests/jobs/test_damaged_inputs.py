"""Damaged device trees, snapshots and descriptions: a result or one clear refusal, soon, and nothing else.

The damage is random with a fixed seed, and keeps to what leaves most of the input readable: cells behind a
property's head, lines of a snapshot that are numbered anew, words and numbers of a description.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.jobs.test_native_machines import snapshot_of, text_of

from rootplex.jobs.boards import Board, Item
from rootplex.jobs.check import check_text
from rootplex.jobs.describe import read_checked
from rootplex.jobs.importing import description_text, import_source
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import source_of_bytes
from rootplex.jobs.validate import validate_board
from rootplex.source.finding import Unreadable

MACHINE = "virt-dt-virtio-iommu-6.1"
SECONDS = 5.0
CELLS = [b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\4", b"\0\0\1\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"]
WORDS = [
    *("-", "", "..", "0x", "zz", "f" * 40, "9" * 5000, "0000:00:00.0", "ffff:ff:1f.7", "10000:00:00.0"),
    *("\ufffd\ufffe", "-1", "18446744073709551616"),
]
VALUES = [
    *("18446744073709551616", "-1", "1" + "0" * 30, "256", "0", "1.5", "1e400", "null", "true", "[]", "{}"),
    *('""', "9" * 5000, "&a [*a]", "*a", "!!binary x", "0xffff_ffff_ffff_ffff", "8388608TiB", "0000:03:00.0"),
]


@contextmanager
def within_the_limit() -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < SECONDS


def taken(data: bytes) -> None:
    """Validated, imported, and what was imported read again."""
    with within_the_limit():
        validate_board(Board((Item("x", None, data),)))
    try:
        read_checked(description_text(import_source(source_of_bytes(data, "x"))).encode(), "x.yaml")
    except Unreadable:
        return


def damaged_tree(data: bytes, dice: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        heads = [match.start() for match in re.finditer(rb"\x00\x00\x00\x03\x00\x00\x00", out)]
        at = dice.choice(heads) + dice.choice((4, 12, 12, 16, 20, 24, 28, 32, 36))
        out[at : at + 4] = dice.choice(CELLS)
    return bytes(out) if dice.random() < 0.9 else bytes(out[: dice.randrange(len(out))])


def damaged_snapshot(text: str, dice: random.Random) -> bytes:
    lines = [line.partition(" ")[2] for line in text.splitlines()]
    for _ in range(dice.choice((1, 1, 2))):
        at, other = dice.randrange(1, len(lines)), dice.randrange(1, len(lines))
        match dice.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[other])
            case 2:
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                low, high = sorted((at, other))
                lines = [lines[0], *lines[high:-1], *lines[low:high], *lines[1:low], lines[-1]]
            case 4:
                words = lines[at].split(" ")
                words[dice.randrange(len(words))] = dice.choice(WORDS)
                lines[at] = " ".join(words)
            case _:
                lines[at] += "\r"
    return "".join(f"{i}/{len(line)} {line}\n" for i, line in enumerate(lines, 1)).encode()


def damaged_description(text: str, dice: random.Random) -> str:
    for _ in range(dice.choice((1, 1, 2, 3))):
        match dice.randrange(4):
            case 0:
                lines = text.split("\n")
                del lines[dice.randrange(len(lines))]
                text = "\n".join(lines)
            case 1:
                keys = list(re.finditer(r"\b[a-z_]+(?=:)", text))
                one, other = dice.choice(keys), dice.choice(keys)
                text = text[: one.start()] + other[0] + text[one.end() :]
            case _:
                found = dice.choice(
                    list(re.finditer(r"(?<=[:,\[] )[^,\]}\n#]+|\b0x[0-9a-f_]+\b|\b\d+\b", text))
                )
                text = text[: found.start()] + dice.choice(VALUES) + text[found.end() :]
    return text


@pytest.mark.parametrize("seed", range(4))
def test_damaged_device_trees(seed: int) -> None:
    block = snapshot_of(MACHINE).dtb
    assert block is not None
    dice = random.Random(seed)
    for _ in range(25):
        taken(damaged_tree(block.data, dice))


@pytest.mark.parametrize("seed", range(4))
def test_damaged_snapshots(seed: int) -> None:
    text, dice = text_of(MACHINE).decode(), random.Random(seed)
    for _ in range(15):
        taken(damaged_snapshot(text, dice))


@pytest.mark.parametrize("seed", range(4))
def test_damaged_descriptions(seed: int, checkout: Path) -> None:
    files, dice = sorted((checkout / "topologies").glob("*.yaml")), random.Random(seed)
    for _ in range(20):
        text = damaged_description(dice.choice(files).read_text(encoding="utf-8"), dice)
        with within_the_limit():
            check_text(text.encode(), "x.yaml", RunOptions())
