"""Every bundled topology, compiled once a session by the command itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.topologies.bundled import CHECKOUT, FILES, rootplex


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one folder of artifacts for each topology."""
    folder = tmp_path_factory.mktemp("compiled")
    done = rootplex("compile", *FILES, "-o", folder, cwd=CHECKOUT)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return folder
