"""What reads the reference material beside the checkout (`../shared`), which a clone does not have.

Nothing here is the only test of anything: the same tests run on the project's own files elsewhere.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import SHARED
from tests.corpus.board_corpus import Corpus
from tests.corpus.machine_tables import MACHINES


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material."""
    return SHARED


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """The files of the boards as they were collected, in place of those that are got or made."""

    def file(name: str) -> Path:
        if name in MACHINES:
            return SHARED / "corpus" / "acpi" / f"{MACHINES[name].dump}.acpidump.txt"
        return SHARED / "corpus" / "dtb" / f"{name.replace('qemu-virt', 'qemu-7.2-virt')}.dtb"

    return file
