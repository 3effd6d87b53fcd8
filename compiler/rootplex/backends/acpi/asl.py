"""ASL text from a template, and AML from ASL text through `iasl`."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from rootplex.backends.acpi.header import with_fixed_creator
from rootplex.backends.text import environment
from rootplex.tools.runner import ToolError, private_folder, run

_TEMPLATES = Path(__file__).with_name("templates")
_COMPLAINT = re.compile(r"^\S*\((\d+)\) : (error|warning|remark) +(\d+) - (.*)$", re.I | re.M)
_SECONDS = 60.0


class Complaint(Struct, frozen=True):
    """What `iasl` says (an error, a warning or a remark), the line of the text (from 1) and its words."""

    line: int
    kind: str
    number: int
    message: str
    words: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message} in `{self.words}`"


class AslError(ToolError):
    """`iasl` refused the text, which is kept in `asl` with what was said about it."""

    def __init__(self, name: str, asl: str, complaints: tuple[Complaint, ...], otherwise: str) -> None:
        first = next((str(each) for each in complaints if each.kind == "error"), otherwise)
        super().__init__(f"iasl cannot compile {name}.asl: {first}")
        self.asl = asl
        self.complaints = complaints


def render(template: str, **values: object) -> str:
    """The text of `templates/<template>`; a value that the template wants and is not given is an error."""
    templates = environment(_TEMPLATES, hex=asl_number, text=asl_text, pnp=asl_hardware_id)
    return templates.get_template(template).render(values)


def asl_number(value: int, digits: int = 0) -> str:
    """A number as ASL reads it, in hexadecimal."""
    return f"0x{value:0{digits}X}"


def asl_text(value: str) -> str:
    """A string as ASL reads it (ACPI 6.5 §19.2.6): quotes, backslashes and what is not ASCII escaped."""
    data = value.encode("utf-8")
    plain = (chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02X}" for byte in data)
    return '"' + "".join(plain) + '"'


def asl_hardware_id(value: str) -> str:
    """`_HID` and `_CID`: three letters and four digits are an EISA id, everything else is a string."""
    if re.fullmatch(r"[A-Z]{3}[0-9A-F]{4}", value):
        return f'EisaId ("{value}")'
    return asl_text(value)


def compile_asl(asl: str, name: str) -> bytes:
    """The AML of one definition block, its creator fields fixed; `name` is what messages call it.

    One run of `iasl`, in a folder of its own, since it deletes its output when it fails.
    AslError with the text and the lines complained of; ToolError where `iasl` is missing.
    """
    return compile_with_complaints(asl, name)[0]


@lru_cache(maxsize=16)
def compile_with_complaints(asl: str, name: str) -> tuple[bytes, tuple[Complaint, ...]]:
    """As `compile_asl`, with the warnings and remarks that did not keep it from being compiled.
    The same text gives the same: a process that stays runs `iasl` once."""
    with private_folder() as folder:
        (folder / "block.asl").write_text(asl, encoding="ascii")
        outcome = run(["iasl", "-vi", "-p", "block", "block.asl"], cwd=folder, seconds=_SECONDS)
        complaints = _complaints(outcome.stdout + outcome.stderr, asl)
        made = folder / "block.aml"
        if outcome.status != 0 or not made.is_file():
            raise AslError(name, asl, complaints, f"it left with status {outcome.status}")
        return with_fixed_creator(made.read_bytes()), complaints


def _complaints(output: str, asl: str) -> tuple[Complaint, ...]:
    lines = asl.splitlines()
    found = []
    for number, kind, code, message in _COMPLAINT.findall(output):
        line = int(number)
        words = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        found.append(Complaint(line, kind.lower(), int(code), message.strip(), words))
    return tuple(found)
