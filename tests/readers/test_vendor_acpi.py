"""ACPI dumps against `expected/`: MCFG as `iasl -d` shows it, AML as another run of acpiexec did."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rootplex.readers.acpi.acpidump import TableSet, read_tables
from rootplex.readers.acpi.aml import Value, evaluate
from rootplex.readers.acpi.mcfg import read_mcfg
from rootplex.readers.acpi.resources import Resource

pytestmark = pytest.mark.shared

DUMPS = ("1979FBF2D488", "71656898DEBA", "9C99E007509B", "A82D1C626ADB", "C7F3CC0C50BF", "E5985CCBA349")


def load(shared: Path, name: str) -> tuple[TableSet, dict[str, Any]]:
    tables = read_tables(shared / "corpus/acpi" / f"{name}.acpidump.txt", name)
    return tables, json.loads((shared / "corpus/expected" / f"acpi-{name}.json").read_text())


@pytest.mark.parametrize("name", DUMPS)
def test_every_mcfg_is_read_duplicates_too(shared: Path, name: str) -> None:
    tables, expected = load(shared, name)
    mcfgs = [read_mcfg(table) for table in tables.all("MCFG")]
    assert [
        [
            {"base": e.base, "segment": e.segment, "start_bus": e.start_bus, "end_bus": e.end_bus}
            for e in mcfg.entries
        ]
        for mcfg in mcfgs
    ] == [table["entries"] for table in expected["mcfg_tables"]]


def integer(value: Value[int]) -> int | None:
    return value.value


def window(resource: Resource) -> dict[str, Any]:
    return {
        "type": {"memory": "mem"}.get(resource.type, resource.type),
        "kind": resource.kind,
        "min": resource.minimum,
        "max": resource.maximum,
        "tra": resource.translation,
        "len": resource.length,
        "consumer": bool(resource.general_flags & 1),
    }


@pytest.mark.skipif(shutil.which("acpiexec") is None, reason="needs acpiexec")
@pytest.mark.parametrize("name", DUMPS)
def test_bridges_are_those_that_acpiexec_shows(shared: Path, name: str) -> None:
    tables, expected = load(shared, name)
    namespace = evaluate(tables.tables)
    found = []
    for bridge in namespace.bridges:
        template = bridge.crs.value
        assert template is not None
        ids = [*([bridge.hid] if bridge.hid else []), *bridge.cids]
        found.append(
            {
                "path": bridge.path,
                "hid": ids,
                "seg": integer(bridge.segment),
                "seg_object": bridge.segment.state != "absent",
                "bbn": integer(bridge.bus),
                "bbn_object": bridge.bus.state != "absent",
                "cba": integer(bridge.config_base),
                "sta_no_hw": integer(bridge.status),
                "bus": [[r.minimum, r.maximum] for r in template.resources if r.type == "bus"],
                "windows": [window(r) for r in template.resources if r.type in ("io", "memory")],
            }
        )
    assert found == expected["host_bridges"]
