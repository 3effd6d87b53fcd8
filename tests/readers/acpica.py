"""Tables and AML for the reader tests, made by `iasl`: their bytes are not ours."""

from __future__ import annotations

import shutil

import pytest

from rootplex.readers.acpi.header import Table, read_table
from rootplex.tools.runner import private_folder, run

needs_iasl = pytest.mark.skipif(shutil.which("iasl") is None, reason="needs iasl")
needs_acpiexec = pytest.mark.skipif(
    shutil.which("acpiexec") is None or shutil.which("iasl") is None, reason="needs iasl and acpiexec"
)


def compiled(source: str, name: str = "x") -> Table:
    """The table that iasl makes of a source: ASL, or the fields of a data table."""
    with private_folder() as folder:
        (folder / "in.asl").write_text(source)
        outcome = run(["iasl", "-p", "out", "in.asl"], cwd=folder)
        assert outcome.status == 0, outcome.stdout + outcome.stderr
        return read_table((folder / "out.aml").read_bytes(), name)


def template(signature: str) -> str:
    """The source of iasl's own example of a data table."""
    with private_folder() as folder:
        run(["iasl", "-T", signature], cwd=folder)
        return (folder / f"{signature.lower()}.asl").read_text()


def header(signature: str, revision: int = 0) -> str:
    """The fields of a table header; iasl corrects length and checksum."""
    return f'''[0004] Signature : "{signature}"
[0004] Table Length : 00000000
[0001] Revision : {revision:02X}
[0001] Checksum : 00
[0006] Oem ID : "VENDOR"
[0008] Oem Table ID : "BOARD   "
[0004] Oem Revision : 00000001
[0004] Asl Compiler ID : "INTL"
[0004] Asl Compiler Revision : 20200925
'''
