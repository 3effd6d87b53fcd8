"""A folder of artifacts is one set, whatever happens while another takes its place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.topologies.bundled import CHECKOUT, contents

from rootplex.cli import files, main
from rootplex.cli.files import write_folder
from rootplex.jobs.manifest import MANIFEST
from rootplex.tools.replacing import exchange

OLD = {"x.dtb": b"old", "old.aml": b"old", MANIFEST: b"{old}"}
NEW = {"x.dtb": b"new", "new.aml": b"new", MANIFEST: b"{new}"}


@pytest.fixture(params=["exchanged", "by file"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the old set, where the file system can exchange and where it cannot."""
    if request.param == "by file":
        monkeypatch.setattr(files, "exchange", unable)
    elif not can_exchange(tmp_path):
        pytest.skip("this file system cannot exchange two folders")
    write_folder(tmp_path / "out" / "x", OLD)
    return tmp_path / "out" / "x"


def can_exchange(folder: Path) -> bool:
    one, other = folder / "one", folder / "other"
    one.mkdir()
    other.mkdir()
    able = exchange(one, other)
    one.rmdir()
    other.rmdir()
    return able


def unable(_one: Path, other: Path) -> bool:
    """What the system says that has no such step."""
    if not other.exists():
        raise FileNotFoundError
    return False


def beside(folder: Path) -> list[str]:
    return [path.name for path in folder.parent.iterdir() if path != folder]


def test_the_new_set_is_there_whole(folder: Path) -> None:
    write_folder(folder, NEW)
    assert (contents(folder), beside(folder)) == (NEW, [])
    assert folder.stat().st_mode & 0o777 == 0o777 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("call", ["write_bytes", "mkdir", "replace", "rename"])
@pytest.mark.parametrize("turn", range(4))
def test_a_failure_at_any_call_leaves_one_set_or_a_mix_that_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, turn: int
) -> None:
    """As on a full disk. By file, the old manifest stays until all others are there."""
    real: Callable[..., object] = getattr(Path, call)
    calls: list[int] = []

    def failing(*arguments: object, **keywords: object) -> object:
        calls.append(1)
        if len(calls) > turn:
            raise OSError(28, "No space left on device")
        return real(*arguments, **keywords)

    monkeypatch.setattr(Path, call, failing)
    try:
        write_folder(folder, NEW)
    except OSError:
        monkeypatch.undo()
    monkeypatch.setattr(Path, call, real)
    found = contents(folder)
    assert found in (OLD, NEW) or found[MANIFEST] == OLD[MANIFEST]
    assert beside(folder) == []


def test_two_at_once_do_not_mix(folder: Path) -> None:
    sets = [{f"{n}.aml": b"%d" % n, MANIFEST: b"%d" % n} for n in range(4)]
    failures: list[Exception] = []

    def write(which: dict[str, bytes]) -> None:
        try:
            for _ in range(20):
                write_folder(folder, which)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(which,)) for which in sets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (contents(folder) in sets, beside(folder)) == (True, [])


def test_a_folder_behind_a_link_stays_behind_it(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "x").symlink_to("elsewhere")
    write_folder(tmp_path / "x", NEW)
    assert (tmp_path / "x").is_symlink()
    assert contents(tmp_path / "elsewhere") == NEW


def test_a_full_disk_keeps_the_old_set(tmp_path: Path) -> None:
    program = "import sys; from rootplex.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", program, "compile", str(CHECKOUT / "topologies" / "qemu-virt.yaml")]
    subprocess.run([*words, "-o", str(tmp_path)], check=True, capture_output=True)
    before = contents(tmp_path / "qemu-virt")
    for blocks in (0, 1, 10, 40):  # of 512 bytes; config.bin has more
        limited = ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *words]
        done = subprocess.run([*limited, "-o", str(tmp_path), "--force"], check=False, capture_output=True)
        assert done.returncode == 2
        assert done.stderr.count(b"\n") == 1
        assert contents(tmp_path / "qemu-virt") == before
        assert [path.name for path in tmp_path.iterdir()] == ["qemu-virt"]


@pytest.mark.skipif(shutil.which("iasl") is None, reason="needs iasl")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_one_bad_file_does_not_keep_the_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], jobs: str
) -> None:
    (tmp_path / "bad.yaml").write_text("rootplex: [1")
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)))
    good = [str(CHECKOUT / "topologies" / f"{name}.yaml") for name in ("qemu-virt-32", "juno-r2")]
    faulty = [str(tmp_path / name) for name in ("bad.yaml", "gone.yaml", "binary.yaml")]
    (tmp_path / "out" / "juno-r2").mkdir(parents=True)
    (tmp_path / "out" / "juno-r2" / "mine.txt").touch()
    words = [faulty[0], good[1], faulty[1], good[0], faulty[2]]
    assert main(["compile", *words, "-j", jobs, "-o", str(tmp_path / "out")]) == 2
    said = capfd.readouterr()
    assert (tmp_path / "out" / "qemu-virt-32" / MANIFEST).exists()
    assert "gone.yaml: No such file or directory" in said.err
    assert "juno-r2 has mine.txt in it" in said.err
    assert "bad.yaml:1:" in said.out
    assert "binary.yaml:" in said.out
