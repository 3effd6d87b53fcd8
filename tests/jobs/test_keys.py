"""`explain` of the language's keys: the schema's own words, and the findings whose pages name them."""

from __future__ import annotations

import pytest
import yaml
from tests.source.schema_samples import KEYS
from tests.topologies.bundled import CHECKOUT, rootplex

from rootplex.checks.registry import every_page
from rootplex.jobs.keys import UNITS, every_key, key_of, keys_called
from rootplex.report.key import lines


def test_every_key_of_the_language_has_a_page() -> None:
    last = {path.rpartition(".")[2] for path in every_key()}
    assert {key for keys in KEYS.values() for key in keys.split()} <= last
    for path in every_key():
        key = key_of(path)
        assert key is not None
        assert key.title
        assert key.text
        assert list(lines(key))


def test_examples_are_written_as_a_description_has_them() -> None:
    for path in every_key():
        key = key_of(path)
        assert key is not None
        shown = [line.removeprefix("example").strip() for line in lines(key) if line.startswith("example ")]
        assert texts(key.examples) == [yaml.load(each, yaml.BaseLoader) for each in shown], path


def texts(value: object) -> object:
    """A value with its scalars as they are written."""
    match value:
        case dict():
            return {key: texts(each) for key, each in value.items()}
        case list() | tuple():
            return [texts(each) for each in value]
        case bool():
            return str(value).lower()
    return str(value)


def test_a_page_by_its_path_or_its_name() -> None:
    wanted = [
        "host_bridges.config.sizes: Access sizes",
        "",
        "The access sizes in bytes that the bridge takes.",
        "",
        "takes    a list of 1, 2, 4",
        "unit     bytes",
        "default  [1, 2, 4]",
        "example  [4]",
        "",
        "findings that speak of it:",
        "  RPX0011  qemu-config-space",
        "  RPX0118  not-ecam-as-ecam",
    ]
    for word in ("host_bridges.config.sizes", "sizes"):
        done = rootplex("explain", word, cwd=CHECKOUT)
        assert (0, wanted) == (done.returncode, done.stdout.splitlines())


def test_keys_below_a_kind_and_below_devices() -> None:
    assert key_of("iommus.stream_id_bits") is not None
    assert key_of("host_bridges.devices.devices") is not None
    assert ("host_bridges.windows.size",) <= keys_called("size")
    device = key_of("host_bridges.devices.sriov")
    assert device is not None
    assert ("total", "offset", "stride", "vf_id", "enabled", "bars", "acs", "msix") == device.below


def test_a_name_that_several_keys_have_lists_them() -> None:
    done = rootplex("explain", "dev", cwd=CHECKOUT)
    assert 0 == done.returncode
    assert "  host_bridges.devices.dev\n" in done.stdout


def test_a_word_that_is_nothing_is_refused_with_the_near_one() -> None:
    done = rootplex("explain", "host_bridges.config.size2", cwd=CHECKOUT)
    assert 2 == done.returncode
    assert done.stderr.endswith(
        "called host_bridges.config.size2; did you mean 'host_bridges.config.size'?\n"
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("boot.placement", "boot-placement"),
        ("xen.guests.devices", "guest-device-missing"),
        ("iommus.stream_id_bits", "stream-beyond-table"),
        ("suppress.reason", "idle-suppression"),
        ("xen.vpci", "vpci-limits"),
    ],
)
def test_findings_that_concern_a_key(path: str, name: str) -> None:
    key = key_of(path)
    assert key is not None
    assert name in [each for _, each in key.findings]
    assert {code for code, _ in key.findings} <= {page.rule.code for page in every_page()}


def test_units_are_of_keys_that_there_are() -> None:
    assert set(UNITS) <= {path.rpartition(".")[2] for path in every_key()}
