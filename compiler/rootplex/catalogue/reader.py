"""Looks known devices and class names up in the catalogue's data files.

The files are ours and hold plain scalars, so PyYAML reads them as they are. Each is read when it is
first asked for, once a process; a description that names no model reads none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import cast

_MODELS = ("qemu", "real")
_CLASSES = "classes"


def model(name: str) -> Mapping[str, object]:
    """The facts of a model (`qemu:nvme`) under the keys of a device in the language.

    Beside those: `title`, a line for people, and for what QEMU has `qemu`: `device`, its name for
    `-device` (absent where QEMU makes the function by itself), `machine` (the one that has it built
    in), `properties`, `place` (where it can stand), `since` (the first version with it). KeyError
    where the catalogue does not know it.
    """
    return _models()[name]


def names() -> tuple[str, ...]:
    """Every model that the catalogue knows, sorted."""
    return tuple(sorted(_models()))


def class_code(name: str) -> int:
    """The 24-bit class code of a class name (`nvme` is 0x010802); KeyError where there is none."""
    return _classes()[name]


def class_names() -> tuple[str, ...]:
    """Every class name, sorted."""
    return tuple(sorted(_classes()))


@cache
def _models() -> Mapping[str, Mapping[str, object]]:
    merged: dict[str, Mapping[str, object]] = {}
    for file in _MODELS:
        for name, facts in _read(file).items():
            merged[name] = MappingProxyType(cast("dict[str, object]", facts))
    return MappingProxyType(merged)


@cache
def _classes() -> Mapping[str, int]:
    return MappingProxyType(cast("dict[str, int]", _read(_CLASSES)))


def _read(file: str) -> dict[str, object]:
    import yaml

    text = Path(__file__).with_name(f"{file}.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return cast("dict[str, object]", yaml.load(text, Loader=loader))
