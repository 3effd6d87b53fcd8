"""What a killed process left: taken away by the next one, and only when it is old, ours, and a folder."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.topologies.bundled import CHECKOUT

from rootplex.cli import main
from rootplex.tools import orphans

HEX = "0123456789abcdef"


def left(path: Path, *, days: float) -> Path:
    path.mkdir()
    (path / "x.dtb").write_bytes(b"half")
    then = time.time() - days * 24 * 3600
    os.utime(path, (then, then))
    return path


def test_temporary_folders(tmp_path: Path) -> None:
    old = left(tmp_path / f"rootplex-{HEX}", days=2)
    kept = [
        left(tmp_path / f"rootplex-{HEX[::-1]}", days=0.5),
        left(tmp_path / "rootplex-boot-abc", days=2),
        left(tmp_path / f"other-{HEX}", days=2),
    ]
    (tmp_path / f"rootplex-{'0' * 16}").symlink_to(kept[0])
    orphans.take_temporary.__wrapped__(tmp_path)
    assert not old.exists()
    assert all((each / "x.dtb").exists() for each in kept)
    orphans.take_temporary.__wrapped__(tmp_path / "nowhere")


def test_folders_beside_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = left(tmp_path / f".raspberry-pi-4.{HEX}", days=2)
    kept = [left(tmp_path / f".raspberry-pi-4.{HEX[::-1]}", days=0), left(tmp_path / f".other.{HEX}", days=2)]
    board = str(CHECKOUT / "topologies" / "raspberry-pi-4.yaml")
    assert main(["compile", board, "-o", str(tmp_path)]) == 0, capsys.readouterr().err
    assert not old.exists()
    assert all(each.exists() for each in kept)
