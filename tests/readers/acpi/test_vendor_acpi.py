"""Machines' tables against `expected/`: MCFG as `iasl -d` shows it, AML as another run of acpiexec did."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from tests.corpus.board_corpus import DUMPS, Corpus, expected

from rootplex.readers.acpi.acpidump import TableSet, read_tables
from rootplex.readers.acpi.aml import Value, evaluate
from rootplex.readers.acpi.mcfg import read_mcfg
from rootplex.readers.acpi.resources import Resource
from rootplex.readers.acpi.tables import AcpiTables


def load(corpus: Corpus, name: str) -> tuple[TableSet, dict[str, Any]]:
    return read_tables(corpus(name), name), expected(name)


@pytest.mark.parametrize("name", DUMPS)
def test_every_mcfg_is_read_duplicates_too(corpus: Corpus, name: str) -> None:
    tables, known = load(corpus, name)
    mcfgs = [read_mcfg(table) for table in AcpiTables(tables.tables).all("MCFG")]
    assert [
        [
            {"base": e.base, "segment": e.segment, "start_bus": e.start_bus, "end_bus": e.end_bus}
            for e in mcfg.entries
        ]
        for mcfg in mcfgs
    ] == [table["entries"] for table in known["mcfg_tables"]]


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
def test_bridges_are_those_that_acpiexec_shows(corpus: Corpus, name: str) -> None:
    tables, known = load(corpus, name)
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
                "seg": integer(bridge.seg),
                "seg_object": bridge.seg.state != "absent",
                "bbn": integer(bridge.bbn),
                "bbn_object": bridge.bbn.state != "absent",
                "cba": integer(bridge.cba),
                "sta_no_hw": integer(bridge.sta),
                "bus": [[r.minimum, r.maximum] for r in template.resources if r.type == "bus"],
                "windows": [window(r) for r in template.resources if r.type in ("io", "memory")],
            }
        )
    assert found == known["host_bridges"]
