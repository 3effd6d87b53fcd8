"""One table of Xens: the schema, the command and the simulation have them from it."""

from __future__ import annotations

from typing import get_args

from rootplex.checks.xen.start import KINDS
from rootplex.known.xen import DEFAULT, VERSIONS
from rootplex.simulator.xen.outcome import CrashKind
from rootplex.source.schema import platform_schema


def test_the_schemas_versions() -> None:
    key = platform_schema()["definitions"]["xen"]["properties"]["version"]
    assert list(VERSIONS) == key["enum"]
    assert DEFAULT == key["default"]


def test_the_finding_has_words_for_every_end_of_xen() -> None:
    assert set(KINDS) == set(get_args(CrashKind))
