"""Looks known devices and class names up in the catalogue's data files.

Of the models only those that are asked for are parsed, once a process: all of them would take longer
than a whole description.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import cast

from rootplex.source.yaml12 import load_yaml

_MODELS = ("qemu", "real")
_CLASSES = "classes"


def model(name: str) -> Mapping[str, object]:
    """The facts of a model (`qemu:nvme`) under the keys of a device in the language.

    Beside those: `title`, a line for people, and for what QEMU has `qemu`: `device`, its name for
    `-device` (absent where QEMU makes the function by itself), `machine` (the one that has it built
    in), `properties`, `place` (where it can stand), `since` (the first version with it). KeyError
    where the catalogue does not know it.
    """
    return _parsed(name)


def names() -> tuple[str, ...]:
    """Every model that the catalogue knows, sorted."""
    return tuple(sorted(_texts()))


def class_code(name: str) -> int:
    """The 24-bit class code of a class name (`nvme` is 0x010802); KeyError where there is none."""
    return _classes()[name]


def class_names() -> tuple[str, ...]:
    """Every class name, sorted."""
    return tuple(sorted(_classes()))


@cache
def _texts() -> Mapping[str, str]:
    """Each model's paragraph of its file; other paragraphs are comments. A test holds the form."""
    paragraphs = (each for file in _MODELS for each in _text(file).strip().split("\n\n"))
    return MappingProxyType({each.partition(":\n")[0]: each for each in paragraphs if each[0] != "#"})


@cache
def _parsed(name: str) -> Mapping[str, object]:
    return MappingProxyType(cast("dict[str, object]", _read(_texts()[name])[name]))


@cache
def _classes() -> Mapping[str, int]:
    return MappingProxyType(cast("dict[str, int]", _read(_text(_CLASSES))))


def _text(file: str) -> str:
    return Path(__file__).with_name(f"{file}.yaml").read_text(encoding="utf-8")


def _read(text: str) -> dict[str, object]:
    return cast("dict[str, object]", load_yaml(text, "catalogue").plain())
