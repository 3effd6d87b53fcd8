"""The schema of the JSON output: made of the types, held by what every command prints."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from tests.json_report import SCHEMA, is_document

from rootplex.cli import COMMANDS, main
from rootplex.cli.frame import whole_parser
from rootplex.report.schema import DOCUMENTS, render

FAULTY = """\
rootplex: 1
platform: {name: faulty, arch: arm64, base: qemu-virt}
host_bridges:
  - {name: main, segment: 0, bus_range: [0, 0x3f], config: {base: 0x40_1000_0000},
     windows: [{space: mem32, pci: 0x1000_0000, size: 256MiB}],
     devices: [{name: rp, dev: 1, type: root-port, acs: true,
                devices: [{name: nic, dev: 0, msix: 4, bars: [{index: 0, space: mem32, size: 64KiB}]}]}]}
  - {name: second, segment: 1, bus_range: [0x40, 0x7f], config: {base: 0x40_1400_0000}, acpi: {segment: 2},
     windows: [{space: mem32, pci: 0x2000_0000, size: 256MiB}]}
xen: {guests: [{name: router, devices: [nic]}]}
"""


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    path = tmp_path / "faulty.yaml"
    path.write_text(FAULTY)
    return path


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str | Path) -> Any:
        main([*map(str, words)])
        return json.loads(capsys.readouterr().out)

    return run


def test_the_schema_is_of_the_types_that_are_printed() -> None:
    """Where it is not: `rootplex.report.schema.render()` is to be written there."""
    assert render() == json.dumps(SCHEMA, indent=1) + "\n"
    Draft202012Validator.check_schema(SCHEMA)


def test_every_command_with_json_has_its_document() -> None:
    with_json = set()
    for name, parser in whole_parser(COMMANDS)[1].items():
        for action in parser._actions:
            if isinstance(action, argparse._StoreAction) and "json" in (action.choices or ()):
                with_json.add(name)
    assert with_json == {command for commands in DOCUMENTS.values() for command in commands}


@pytest.mark.parametrize("firmware", ["dt", "acpi"])
def test_check(printed: Any, checkout: Path, faulty: Path, firmware: str) -> None:
    board = checkout / "topologies" / "qemu-virt.yaml"
    is_document(printed("check", board, "--firmware", firmware, "--format", "json"), "board")
    is_document(printed("check", board, faulty, "--firmware", firmware, "--format", "json"), "boards")
    is_document(printed("check", faulty, "--bare-metal", "--format", "jsonl"), "line")


def test_what_cannot_be_read(printed: Any, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("rootplex: [")
    for command in ("check", "validate", "import", "compile"):
        is_document(printed(command, tmp_path / "x", "--format", "json"), "board")


def test_groups_of_what_was_pasted(printed: Any, tmp_path: Path) -> None:
    paste = tmp_path / "lspci.txt"
    paste.write_text("00:1c.0 PCI bridge [0604]: A [8086:8c10]\n\tCapabilities: <access denied>\n")
    told = printed("groups", paste, "--format", "json")
    is_document(told, "groups")
    named = SCHEMA["$defs"]["groups"]["properties"]
    assert {"assumed", "unknown", "differing"} <= told.keys() <= named.keys()
    for key in ("assumed", "unknown"):
        assert told[key]
        with pytest.raises(ValidationError):
            is_document({**told, key: [0]}, "groups")


def test_compile_validate_import(printed: Any, faulty: Path, tmp_path: Path) -> None:
    made = printed("compile", faulty, "--despite-errors", "-o", tmp_path / "out", "--format", "json")
    is_document(made, "board")
    folder = tmp_path / "out" / "faulty"
    is_document(printed("validate", folder, "--format", "json"), "board")
    is_document(printed("validate", folder / "faulty.dtb", folder / "mcfg.aml", "--format", "json"), "board")


def test_groups_diff_plan(printed: Any, faulty: Path, checkout: Path) -> None:
    board = checkout / "topologies" / "qemu-switches.yaml"
    is_document(printed("groups", board, "--format", "json"), "groups")
    is_document(printed("diff", faulty, board, "--format", "json"), "diff")
    is_document(printed("plan", faulty, "--format", "json"), "plan")


def test_it_tells_what_is_none() -> None:
    with pytest.raises(ValidationError):
        is_document({"rootplex": 1, "verdict": "perhaps"}, "board")


def test_survey(printed: Any, capsys: pytest.CaptureFixture[str], faulty: Path, tmp_path: Path) -> None:
    main(["check", str(faulty), "--resume", str(tmp_path / "r.jsonl")])
    capsys.readouterr()
    results = tmp_path / "r.jsonl"
    is_document(printed("survey", results, "--since", results, "--format", "json"), "survey")
