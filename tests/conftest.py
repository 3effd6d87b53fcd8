"""Fixtures that every test folder shares."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = CHECKOUT.parent / "shared"


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the project's checkout."""
    return CHECKOUT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material beside the checkout; the test skips, saying so, where there is none."""
    if not SHARED.is_dir():
        pytest.skip("needs the reference material beside the checkout (../shared)")
    return SHARED
