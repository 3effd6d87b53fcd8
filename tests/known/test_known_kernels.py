"""One table of kernels: the schema, the commands and the simulation have their kernels from it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rootplex.known.kernels import DEFAULT, FIRST, PROFILES, SUITES, TO_BOOT, offered, profile_of
from rootplex.source.schema import platform_schema


def test_the_schemas_kernels() -> None:
    definitions = platform_schema()["definitions"]
    assert list(PROFILES) == definitions["kernel"]["enum"]
    assert DEFAULT == definitions["dom0"]["properties"]["kernel"]["default"]


def test_a_release_has_one_profile() -> None:
    spans = sorted(span for profile in PROFILES.values() for span in profile.releases)
    assert all(first < end for first, end in spans)
    assert all(end <= first for (_, end), (first, _) in pairwise(spans))


def test_what_is_booted_where_none_is_asked_for_can_be_fetched() -> None:
    assert TO_BOOT in SUITES
    assert set(FIRST.values()) <= set(SUITES)


def test_only_what_debian_has_is_asked_for() -> None:
    """riscv64 became a port of Debian's with Debian 13 (https://wiki.debian.org/RISC-V)."""
    assert offered("arm64") == tuple(SUITES)
    assert offered("riscv64") == ("linux-6.12", "linux-7.2")
    assert not set(SUITES["linux-6.1"]) & {"trixie", "sid"}


@pytest.mark.parametrize(
    ("release", "profile"),
    [
        ("6.1.0-50-cloud-arm64", "linux-6.1"),
        ("6.11.10", "linux-6.1"),
        ("6.12.95+deb12-cloud-arm64", "linux-6.12.95"),
        ("6.12.117+deb13-cloud-arm64", "linux-6.12"),
        ("6.14.3", "linux-6.12.95"),
        ("7.2.13+deb14-cloud-amd64", "linux-7.2"),
        ("7.0", "linux-7.2"),
        ("6.17.1", None),
        ("5.10.0-30", None),
        ("rolling", None),
    ],
)
def test_a_release_has_the_profile_of_its_behaviour(release: str, profile: str | None) -> None:
    assert profile == profile_of(release)
