"""All device trees of Debian's arm64 kernel package: read, imported and checked without a crash."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.corpus.debian_trees import debian_trees

from rootplex.frontends.writer import to_yaml
from rootplex.jobs.boards import boards_of
from rootplex.jobs.describe import read_checked
from rootplex.jobs.importing import import_source
from rootplex.jobs.sources import read_source
from rootplex.jobs.validate import validate_board
from rootplex.source.finding import Unreadable
from rootplex.tools.runner import ToolError


@pytest.fixture(scope="session")
def trees() -> tuple[Path, ...]:
    try:
        return debian_trees()
    except (ToolError, OSError) as error:
        pytest.skip(f"no device trees of Debian's kernel package: {error}")


def test_every_tree_is_imported_and_its_description_has_no_faults(trees: tuple[Path, ...]) -> None:
    """What lacks an address in the tree lacks `config.base` in the description, and nothing else is wrong."""
    bridges = 0
    for tree in trees:
        try:
            source = import_source(read_source(tree, tree.name))
        except Unreadable as error:
            assert "the device tree has no PCI host bridge" == error.findings[0].message, tree.name
            continue
        checked = read_checked(to_yaml(source.document).encode(), f"{tree.stem}.yaml")
        unknown = [each for each in source.missing if each.what.endswith("config.base")]
        assert [] == [each for each in checked.findings if each.code != "RPX0004"], tree.name
        assert len(unknown) >= len(checked.findings), tree.name
        bridges += len(source.bridges)
    assert bridges > 100


def test_every_tree_is_validated(trees: tuple[Path, ...]) -> None:
    for board in boards_of([str(tree) for tree in trees]):
        result = validate_board(board)
        assert result.platform is not None or result.unreadable, result.file
