"""One exit status for one verdict, whichever command says it: 2 where the language itself is broken, so that
nothing was judged, 1 where it says something that cannot be. `compile` judges nothing: whatever error keeps a
file from being written is 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootplex.cli import main

COMMANDS = {
    "check": ("check", "{}"),
    "groups": ("groups", "{}"),
    "explain": ("explain", "0000:00:00.0", "{}"),
    "plan": ("plan", "{}"),
    "compile, resumed": ("compile", "{}", "-o", "out", "--resume", "done.jsonl"),
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS.keys())
@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param(("segment: 1\n", "segmnt: 1\n"), 2, id="a key that is none"),
        pytest.param(("{controller: its}", "{controller: itz}"), 1, id="a name that is none"),
    ],
)
def test_the_status_follows_the_verdict(
    words: tuple[str, ...],
    change: tuple[str, str],
    status: int,
    checkout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (checkout / "topologies" / "qemu-virt-three-segments.yaml").read_text(encoding="utf-8")
    Path("board.yaml").write_text(text.partition("expect:")[0].replace(*change), encoding="utf-8")
    assert main([word.format("board.yaml") for word in words]) == status
