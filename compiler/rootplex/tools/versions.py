"""The versions of the programs that leave their mark on artifacts."""

from __future__ import annotations

import re
from functools import cache

from rootplex.tools.runner import private_folder, run

_VERSION = re.compile(r"version (\d{8})")


@cache
def iasl_version() -> str:
    """ACPICA's release, such as `20200925`; "unknown" where iasl does not say it."""
    with private_folder() as folder:
        outcome = run(["iasl", "-v"], cwd=folder, seconds=20)
    match = _VERSION.search(outcome.stdout + outcome.stderr)
    return match[1] if match else "unknown"
