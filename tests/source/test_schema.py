"""The schema of the platform language, and our words for what violates it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from tests.source.schema_samples import BRIDGE, EXAMPLE, KEYS, PLATFORM, SAMPLES, subschemas

from rootplex.source.schema import platform_schema
from rootplex.source.schema_faults import Violation, violations

SCHEMA = platform_schema()
ANNOTATIONS = {"$schema", "title", "description", "default", "examples", "definitions", "refersTo"}


def judged(document: object, schema: Any) -> bool:
    """jsonschema's word on a document against a part of our schema."""
    whole = {"allOf": [{key: rule for key, rule in schema.items() if key not in ("definitions", "$id")}]}
    return Draft7Validator({**whole, "definitions": SCHEMA["definitions"]}).is_valid(document)


def test_the_schema_is_valid_draft_07() -> None:
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_those_of_the_page_in_its_order(name: str) -> None:
    schema = SCHEMA["definitions"][name] if name else SCHEMA
    assert KEYS[name].split() == list(schema["properties"])
    assert schema["additionalProperties"] is False


def test_every_mapping_is_closed_or_a_map_of_names_to_values() -> None:
    maps = {"properties"} | {
        f"{of}.{key}" for of in ("expect", "expect_when") for key in ("addresses", "segments")
    }
    by_kind = {"interrupt_controller", "msi_controller", "iommu_unit"}  # closed by the kind's definition
    for name, schema in subschemas(SCHEMA):
        if schema.get("type") != "object" or name in by_kind:
            continue
        if name in maps:
            assert "propertyNames" in schema, name
        else:
            assert schema["additionalProperties"] is False, name
    for name in by_kind:
        kinds = SCHEMA["definitions"][name]["properties"]["kind"]["enum"]
        branches = SCHEMA["definitions"][name]["allOf"]
        assert kinds == [branch["if"]["properties"]["kind"]["const"] for branch in branches]
        assert [{"$ref": f"#/definitions/{kind}"} for kind in kinds] == [each["then"] for each in branches]


def test_each_schema_has_a_name_of_its_own(checkout: Path) -> None:
    """An editor and a catalogue of schemas tell them apart by it; it is no address to fetch."""
    ids = [json.loads(file.read_text())["$id"] for file in (checkout / "schemas").glob("*.json")]
    assert sorted(set(ids)) == sorted(ids)
    assert all(re.fullmatch(r"urn:rootplex:schema:[a-z]+:1", id) for id in ids)


def test_no_shared_definition_speaks_before_the_key() -> None:
    """yaml-language-server shows the first title that it meets, and what `allOf` refers to comes first."""
    for name, schema in subschemas(SCHEMA):
        for each in schema.get("allOf", ()):
            referred = each.get("$ref", "").removeprefix("#/definitions/")
            told = SCHEMA["definitions"][referred].keys() if referred else set()
            assert not {"title", "description", "examples"} & told, name


def test_every_key_has_its_own_words() -> None:
    """A key's text is not that of the form of its value: hovering over `segment` tells of segments."""
    shared = {each.get("description") for each in SCHEMA["definitions"].values() if "properties" not in each}
    for name, schema in subschemas(SCHEMA):
        for key, below in schema.get("properties", {}).items():
            if "description" not in below:
                continue  # branches of if/then only restrict
            where = f"{name}.{key}"
            assert below["title"] not in ("Number", "List of names"), where
            assert below["title"] != "Name" or key == "name", where
            assert len(below["description"]) > 3, where
            assert below["description"] not in shared - {None}, where


def test_every_key_is_explained_by_title_description_and_example() -> None:
    for name, schema in subschemas(SCHEMA):
        if "[" in name and "type" not in schema:
            continue  # branches of if/then only restrict what the base explains
        for key, below in schema.get("properties", {}).items():
            for part in ("title", "description", "examples"):
                assert below.get(part), f"{name}.{key} has no {part}"


def test_examples_and_defaults_are_valid_where_they_stand() -> None:
    for name, schema in subschemas(SCHEMA):
        values = [*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])]
        for value in values:
            assert judged(value, schema), f"{name}: {value!r}"


def test_nothing_but_explanations_beside_a_reference() -> None:
    for name, schema in subschemas(SCHEMA):
        if "$ref" in schema:
            assert schema.keys() <= ANNOTATIONS | {"$ref"}, name


def test_patterns_hold_whole_texts() -> None:
    """`$` alone lets a last line feed pass in Python, though not in an editor."""
    for name, schema in subschemas(SCHEMA):
        if "pattern" in schema:
            assert re.fullmatch(r"\^.*\$\(\?!\\n\)", schema["pattern"]), name
            assert not re.search(r"\\[dwsAZ]|\(\?[^!:]", schema["pattern"]), name


@pytest.mark.parametrize("text", ["1", "0x40_1000_0000", "256MiB", "64KiB", "2GiB", "1TiB", "1_000", "0xFF"])
def test_numbers_as_text(text: str) -> None:
    assert judged(text, SCHEMA["definitions"]["number"])


@pytest.mark.parametrize(
    "text", ["", "-1", "0x", "1.5", "256MB", "256 MiB", "1__0", "_1", "1_", "0x10MiB", "ten", "1\n", "٣"]
)
def test_texts_that_are_no_numbers(text: str) -> None:
    assert not judged(text, SCHEMA["definitions"]["number"])


@pytest.mark.parametrize("document", SAMPLES)
def test_samples_are_valid(document: object) -> None:
    assert Draft7Validator(SCHEMA).is_valid(document)
    assert violations(document, SCHEMA) == []


def test_samples_use_every_key() -> None:
    used: set[str] = set()
    stack: list[Any] = list(SAMPLES)
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            used |= node.keys()
            stack += node.values()
        elif isinstance(node, list):
            stack += node
    assert {key for keys in KEYS.values() for key in keys.split()} <= used


# Faulty documents: text that replaces text of a base, and what must be said of it.
B0 = ("host_bridges", 0)
NUMBER = "a number (an integer, or text such as 0x40_1000_0000 or 256MiB)"
PAIR = 'a pair of ids (two hexadecimal numbers of four digits, as in "8086:1533")'
NAME = "a name (a lower-case letter, then lower-case letters, digits, - and _)"
DEVICE = f"{NAME[:-1]}; nic.vf0 is the first virtual function of nic)"


def bridge(text: str) -> str:
    return f"{PLATFORM}host_bridges: [{{name: main, config: {{base: 0}}, {text}}}]"


def config(text: str) -> str:
    return f"{PLATFORM}host_bridges: [{{name: main, config: {{{text}}}}}]"


def device(text: str) -> str:
    return bridge(f"devices: [{{{text}}}]")


FAULTS: list[tuple[str, str, tuple[str | int, ...], str | None, str]] = [
    ("", "wrong-type", (), None, "expected a mapping, found nothing"),
    ("[]", "wrong-type", (), None, "expected a mapping, found a list"),
    (BRIDGE + "rootplex: 1", "missing-key", (), "platform",
     "missing key 'platform' in a platform description"),
    (PLATFORM + BRIDGE + "boots: {}", "unknown-key", (), "boots",
     "unknown key 'boots' in a platform description"),
    (PLATFORM + BRIDGE + "xen:", "wrong-type", ("xen",), None, "expected a mapping or false, found nothing"),
    (PLATFORM + "host_bridges: []", "out-of-range", ("host_bridges",), None,
     "'host_bridges' needs at least 1 entry, found 0"),
    (BRIDGE + "rootplex: 2\nplatform: {name: x, arch: arm64}", "not-allowed", ("rootplex",), None,
     "'rootplex' must be 1, not 2"),
    (BRIDGE + "rootplex: true\nplatform: {name: x, arch: arm64}", "not-allowed", ("rootplex",), None,
     "'rootplex' must be 1, not true"),
    (BRIDGE + "rootplex: 1\nplatform: {name: Two Words, arch: arm64}", "malformed",
     ("platform", "name"), None, f"'Two Words' is not {NAME}"),
    (BRIDGE + "rootplex: 1\nplatform: {name: x, arch: aarch64}", "not-allowed", ("platform", "arch"), None,
     "'arch' must be one of arm64, arm, x86_64, riscv64, not 'aarch64'"),
    (BRIDGE + "rootplex: 1\nplatform: {name: x, arch: arm, firmware: [dt, acpi]}", "not-allowed",
     ("platform", "firmware", 1), None, "an entry of 'firmware' must be dt, not 'acpi', for arch 'arm'"),
    (BRIDGE + "rootplex: 1\nplatform: {name: x, arch: arm, firmware: [efi]}", "not-allowed",
     ("platform", "firmware", 0), None, "an entry of 'firmware' must be one of dt, acpi, not 'efi'"),
    (BRIDGE + "rootplex: 1\nplatform: {name: x, arch: arm64, oem: {id: TOOLONG}}", "malformed",
     ("platform", "oem", "id"), None, "'TOOLONG' is not an OEM id (up to 6 ASCII characters)"),
    (BRIDGE + "rootplex: 1\nplatform: {name: x, arch: arm64, title: 5}", "wrong-type",
     ("platform", "title"), None, "expected text, found the number 5"),
    (PLATFORM + BRIDGE + "memory: [{base: 0, size: 0}]", "out-of-range", ("memory", 0, "size"), None,
     "0 is below the smallest size 1"),
    (bridge("segmnt: 1"), "unknown-key", B0, "segmnt", "unknown key 'segmnt' in a host bridge"),
    (PLATFORM + "host_bridges: [{config: {base: 0}}]", "missing-key", B0, "name",
     "missing key 'name' in a host bridge"),
    (bridge("segment: 65536"), "out-of-range", (*B0, "segment"), None,
     "65536 is above the largest segment number 65535"),
    (bridge("segment: -1"), "out-of-range", (*B0, "segment"), None, "-1 is below the smallest number 0"),
    (bridge("segment: [0]"), "wrong-type", (*B0, "segment"), None, f"expected {NUMBER}, found a list"),
    (bridge("segment: none"), "malformed", (*B0, "segment"), None, f"'none' is not {NUMBER}"),
    (bridge("segment: 1.5"), "wrong-type", (*B0, "segment"), None,
     f"expected {NUMBER}, found the number 1.5"),
    (bridge("segment: true"), "wrong-type", (*B0, "segment"), None, f"expected {NUMBER}, found true"),
    (bridge("bus_range: [0, 256]"), "out-of-range", (*B0, "bus_range", 1), None,
     "256 is above the largest bus number 255"),
    (bridge("bus_range: [0]"), "out-of-range", (*B0, "bus_range"), None,
     "'bus_range' needs 2 entries, found 1"),
    (config("kind: egam, base: 0"), "not-allowed", (*B0, "config", "kind"), None,
     "'kind' must be one of ecam, cam, windowed, quirk, not 'egam'"),
    (config("kind: ecam, base: 0, special: []"), "unknown-key", (*B0, "config"), "special",
     "unknown key 'special' for kind 'ecam'"),
    (config("base: 0, special: []"), "unknown-key", (*B0, "config"), "special",
     "unknown key 'special' for kind 'ecam'"),
    (config("size: 1MiB"), "missing-key", (*B0, "config"), "base",
     "missing key 'base' in a configuration space without registers"),
    (config("kind: windowed, base: 0"), "missing-key", (*B0, "config"), "size",
     "missing key 'size' for kind 'windowed'"),
    (config("base: 0, sizes: [3]"), "not-allowed", (*B0, "config", "sizes", 0), None,
     "an entry of 'sizes' must be one of 1, 2, 4, not 3"),
    (config("base: 256MB"), "malformed", (*B0, "config", "base"), None, f"'256MB' is not {NUMBER}"),
    (bridge("windows: [{space: io, pci: 0, size: 1, prefetchable: true}]"), "not-allowed",
     (*B0, "windows", 0, "prefetchable"), None, "'prefetchable' must be false, not true, for space 'io'"),
    (bridge("intx: {controller: gic}"), "missing-key", (*B0, "intx"), "irqs",
     "missing key 'irqs' in an INTx description without a map"),
    (bridge("intx: {controller: gic, irqs: [1, 2, 3, 4], map: [{pin: A, irq: 1}]}"), "unknown-key",
     (*B0, "intx"), "irqs", "unknown key 'irqs' in an INTx description with a map"),
    (bridge("intx: {controller: gic, irqs: [1, 2, 3, 4, 5]}"), "out-of-range", (*B0, "intx", "irqs"), None,
     "'irqs' needs 4 entries, found 5"),
    (bridge("msi: {}"), "missing-key", (*B0, "msi"), "controller",
     "missing key 'controller' in an MSI description without a map"),
    (bridge("acpi: {hid: pnp0a08}"), "malformed", (*B0, "acpi", "hid"), None,
     "'pnp0a08' is not a hardware id (a PNP or ACPI id, as in PNP0A08)"),
    (bridge("dt: {properties: {'a b': 1}}"), "malformed", (*B0, "dt", "properties"), "a b",
     "'a b' is not a property name (up to 31 letters, digits and any of ,._+?#-)"),
    (device("name: a"), "missing-key", (*B0, "devices", 0), "dev", "missing key 'dev' in a device"),
    (device("dev: 32"), "out-of-range", (*B0, "devices", 0, "dev"), None,
     "32 is above the largest device number 31"),
    (device("dev: '1'"), "wrong-type", (*B0, "devices", 0, "dev"), None,
     "expected an integer, found the text '1'"),
    (device("dev: 0, type: endpoint, devices: []"), "unknown-key", (*B0, "devices", 0), "devices",
     "unknown key 'devices' for type 'endpoint'"),
    (device("dev: 0, type: pci-bridge, slot: 1"), "unknown-key", (*B0, "devices", 0), "slot",
     "unknown key 'slot' for type 'pci-bridge'"),
    (device("dev: 0, devices: []"), "unknown-key", (*B0, "devices", 0), "devices",
     "unknown key 'devices' in a device without type and model, that is, an endpoint"),
    (device("dev: 0, id: 8086"), "wrong-type", (*B0, "devices", 0, "id"), None,
     f"expected {PAIR}, found the number 8086"),
    (device("dev: 0, acs: [sv, xx]"), "not-allowed", (*B0, "devices", 0, "acs", 1), None,
     "an entry of 'acs' must be one of sv, tb, rr, cr, uf, ec, dt, not 'xx'"),
    (device("dev: 0, acs: 1"), "wrong-type", (*B0, "devices", 0, "acs"), None,
     "expected true or false or a list, found the number 1"),
    (PLATFORM + BRIDGE + "interrupt_controllers: [{name: a, kind: io-apic, base: 0, distributor: 0}]",
     "unknown-key", ("interrupt_controllers", 0), "distributor",
     "unknown key 'distributor' for kind 'io-apic'"),
    (PLATFORM + BRIDGE + "iommus: [{name: a, kind: arm-smmu-v3}]", "missing-key", ("iommus", 0), "base",
     "missing key 'base' for kind 'arm-smmu-v3'"),
    (PLATFORM + BRIDGE + "msi_controllers: [{name: a, kind: arm-gic-v3}]", "not-allowed",
     ("msi_controllers", 0, "kind"), None,
     "'kind' must be one of arm-gic-v3-its, arm-gic-v2m, dt-node, not 'arm-gic-v3'"),
    (PLATFORM + BRIDGE + "iommus: [{name: a, kind: arm-smmu-v3, base: 0, interrupts: {evtq: 1}}]",
     "unknown-key", ("iommus", 0, "interrupts"), "evtq", "unknown key 'evtq' in SMMUv3 interrupts"),
    (PLATFORM + BRIDGE + "expect: {addresses: {nic: '00:1f.0'}}", "malformed", ("expect", "addresses", "nic"),
     None, "'00:1f.0' is not an SBDF (segment, bus, device and function in hexadecimal, as in 0000:01:00.0)"),
    (PLATFORM + BRIDGE + "expect: {addresses: {Nic: '0000:00:1f.0'}}", "malformed", ("expect", "addresses"),
     "Nic", f"'Nic' is not {DEVICE}"),
    (PLATFORM + BRIDGE + "suppress: [{code: RPX0502, at: nic, reason: ''}]", "malformed",
     ("suppress", 0, "reason"), None, "'reason' is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "path", "key", "message"), FAULTS)
def test_a_fault_is_said_once(
    text: str, kind: str, path: tuple[str | int, ...], key: str | None, message: str
) -> None:
    (violation,) = violations(yaml.safe_load(text), SCHEMA)
    assert (kind, path, key, message) == (
        violation.kind, violation.path, violation.key, violation.message
    )  # fmt: skip


def only(text: str) -> Violation:
    (violation,) = violations(yaml.safe_load(text), SCHEMA)
    return violation


def test_allowed_lists_what_could_stand_there() -> None:
    assert tuple(KEYS["host_bridge"].split()) == only(bridge("segmnt: 1")).allowed
    assert (
        tuple(KEYS["io-apic"].split())
        == only(
            f"{PLATFORM}{BRIDGE}interrupt_controllers: [{{name: a, kind: io-apic, base: 0, gsibase: 0}}]"
        ).allowed
    )
    assert {"bus", "devices"} == {"slot", "hotplug", "external_facing", "bus", "devices"} & set(
        only(device("dev: 0, type: pci-bridge, slot: 1")).allowed
    )
    assert only(config("kind: egam, base: 0")).allowed == ("ecam", "cam", "windowed", "quirk")


def test_all_faults_of_a_document_in_its_order() -> None:
    document = yaml.safe_load("""
rootplex: 1
platform: {name: x, arch: arm65, nmae: y}
host_bridges:
  - {segmnt: 0, bus_range: [0, 300], config: {base: 0}}
  - {name: b, config: {base: []}}
extra: 1
""")
    assert [(violation.path, violation.key) for violation in violations(document, SCHEMA)] == [
        (("platform", "arch"), None),
        (("platform",), "nmae"),
        (("host_bridges", 0), "name"),
        (("host_bridges", 0), "segmnt"),
        (("host_bridges", 0, "bus_range", 1), None),
        (("host_bridges", 1, "config", "base"), None),
        ((), "extra"),
    ]


def test_a_long_text_is_cut_short() -> None:
    assert f"'{'A' * 40}…' is not {NAME}" == only(bridge(f"msi: {{controller: {'A' * 5000}}}")).message


def test_integers_that_python_cannot_print() -> None:
    document = {**EXAMPLE, "memory": [{"base": -1 << 20000, "size": 1 << 20000}], "boot": 1 << 20000}
    assert [violation.message for violation in violations(document, SCHEMA)] == [
        "expected a mapping, found a number of more than 128 bits",
        "a number of more than 128 bits is below the smallest number 0",
        "a number of more than 128 bits is above the largest number 0xffffffffffffffff",
    ]


def test_many_faults_stay_in_order() -> None:
    document = {**EXAMPLE, "expect": {"addresses": {f"d{index}": "nowhere" for index in range(2000)}}}
    assert [f"d{index}" for index in range(2000)] == [
        violation.path[-1] for violation in violations(document, SCHEMA)
    ]
