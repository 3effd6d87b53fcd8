"""The tests of the machines' tables on the vendors' own; and our tables beside the vendors'."""

import pytest
from tests.checks.acpi.test_vendor_dumps import *
from tests.checks.windows.test_window_checks_acpi import test_real_dumps
from tests.corpus.board_corpus import Corpus, validated
from tests.corpus.machine_tables import MACHINES, dumped
from tests.readers.acpi.test_acpi_tables import test_a_dump_gives_what_acpixtract_gives
from tests.readers.acpi.test_vendor_acpi import *

from rootplex.jobs.result import Result


@pytest.mark.parametrize("name", MACHINES)
def test_our_tables_have_the_findings_of_the_vendors(
    corpus: Corpus, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    ours = dumped(name, tmp_path_factory.mktemp("ours"))
    assert _told(validated(corpus(name))) == _told(validated(ours))


def _told(result: Result) -> list[object]:
    return [
        (each.code, each.level, str(each.at).partition(": ")[2], each.message, each.notes)
        for each in result.findings
    ]
