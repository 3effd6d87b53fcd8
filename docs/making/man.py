"""The man page, `docs/rootplex.1` (man(7), groff_man(7))."""

from __future__ import annotations

from collections.abc import Iterator

from docs.making.arguments import commands

from rootplex.project import __version__

NAME = "PCI host bridges described once: to device tree and ACPI, checked by simulation"
DESCRIPTION = (
    "One YAML file says what PCI host bridges a platform has. Rootplex compiles it to a device tree and ACPI "
    "tables, and lets a simulated Xen and Dom0 boot on those bytes: it tells whether segment numbers, the "
    "boot device and the passthrough groups come out consistent."
)
STATUSES = {
    "0": "No errors.",
    "1": "Findings of level error, or warning with --strict; a difference; nothing found by a search.",
    "2": "The command could not do its work: bad usage, unreadable input, a program that is missing.",
    "130, 143, 129": "Interrupted, terminated, hung up.",
}
ENVIRONMENT = {
    "NO_COLOR": "No colours, also on a terminal.",
    "XDG_CACHE_HOME": "Where kernels are kept (default: ~/.cache).",
}
SEE_ALSO = ("dtc(1)", "iasl(1)", "acpidump(1)", "lspci(8)", "qemu-system-aarch64(1)", "xl(1)")


def man_page() -> str:
    """The whole; without a date, so that it changes with the program only."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield r".\" Made by docs/making of the program itself: do not edit."
    yield f'.TH ROOTPLEX 1 "" "rootplex {__version__}" "User Commands"'
    yield ".ad l"  # a list of choices may fill a line, and has no space to be stretched
    yield ".SH NAME"
    yield rf"rootplex \- {_text(NAME)}"
    yield ".SH SYNOPSIS"
    yield ".B rootplex"
    yield r"[\-\-version] [\-\-help]"
    yield ".I COMMAND"
    yield "\\&..."
    yield ".SH DESCRIPTION"
    yield _text(DESCRIPTION)
    yield ".SH COMMANDS"
    for command in commands():
        yield f'.SS "{_text(command.usage)}"'
        yield _sentence(command.help)
        for argument in command.arguments:
            if argument.written == "-h, --help":
                continue
            yield ".TP"
            yield rf"\fB{_text(argument.written)}\fR".replace(",", r",\:")
            yield _sentence(argument.help)
    for title, entries in (("EXIT STATUS", STATUSES), ("ENVIRONMENT", ENVIRONMENT)):
        yield f".SH {title}"
        for word, text in entries.items():
            yield ".TP"
            yield f".B {_text(word)}"
            yield _text(text)
    yield ".SH SEE ALSO"
    yield ", ".join(map(_text, SEE_ALSO))


def _sentence(words: str) -> str:
    return _text(words[:1].upper() + words[1:] + ("" if words.endswith(".") else "."))


def _text(words: str) -> str:
    """Words as roff shows them: its own characters escaped, no line taken for a request."""
    text = words.replace("\\", r"\e").replace("-", r"\-").replace("…", r"\&...")
    return rf"\&{text}" if text.startswith((".", "'")) else text
