"""The same description makes the same bytes: in another folder, with other settings, side by side."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.topologies.bundled import FILES, contents, rootplex


def test_another_folder_hash_seed_locale_and_time_zone_change_nothing(compiled: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "a folder" / "of another name"
    elsewhere.mkdir(parents=True)
    for file in FILES:
        shutil.copy(file, elsewhere)
    other = {
        "PYTHONHASHSEED": "4711",
        "LC_ALL": "tr_TR.UTF-8",
        "LANG": "tr_TR.UTF-8",
        "TZ": "Pacific/Kiritimati",
        "PYTHONUTF8": "0",
        "COLUMNS": "40",
        "SOURCE_DATE_EPOCH": "1",
    }
    words = [file.name for file in FILES]
    done = rootplex("compile", "-j", "2", "-o", "out", *words, cwd=elsewhere, environment=other)
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(elsewhere / "out") == contents(compiled)
