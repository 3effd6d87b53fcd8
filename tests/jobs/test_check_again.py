"""A check in a process that stays: what it has kept changes nothing; and it ends when it is told to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.topologies.bundled import CHECKOUT

from rootplex.jobs import check
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions
from rootplex.report.json_form import object_of

BOARD = (CHECKOUT / "topologies" / "qemu-virt-three-segments.yaml").read_text(encoding="utf-8")
Edit = Callable[[str], str]
EDITS: dict[str, Edit] = {
    "a comment": lambda text: f"# a remark\n{text}",
    "a guest": lambda text: text.replace("[disk1]", "[disk2]"),
    "an expectation": lambda text: text.replace("segments: {main: 0", "segments: {main: 7"),
    "a window": lambda text: text.replace("size: 256GiB", "size: 128GiB"),
    "a fault": lambda text: text.replace("segment: 1", "segment: 2"),
}


def checked(text: str, options: RunOptions) -> dict[str, object]:
    return object_of(check.check_text(text.encode(), "board.yaml", options))


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize(
    "options", [RunOptions(), RunOptions(firmware="acpi", kernel="linux-6.1", trace=True)]
)
def test_what_was_kept_changes_nothing(edit: str, options: RunOptions) -> None:
    text = EDITS[edit](BOARD)
    assert text != BOARD
    checked(BOARD, RunOptions())
    checked(BOARD, options)
    again = checked(text, options)
    check._last.clear()
    assert again == checked(text, options)


def test_a_comment_boots_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    checked(BOARD, RunOptions())
    monkeypatch.setattr(check, "simulate", None)
    assert "consistent" == checked(EDITS["a comment"](BOARD), RunOptions())["verdict"]
    with pytest.raises(TypeError):
        checked(EDITS["a window"](BOARD), RunOptions())


def test_it_ends_between_any_two_steps() -> None:
    class Enough(Exception):  # noqa: N818
        pass

    description = read_checked(BOARD.encode(), "board.yaml")
    steps = 0
    while True:
        left = steps

        def between() -> None:
            nonlocal left
            if not left:
                raise Enough
            left -= 1

        try:
            check.check_description(description, "board.yaml", RunOptions(), between)
            break
        except Enough:
            steps += 1
    assert steps >= 4
