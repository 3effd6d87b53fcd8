"""Looks known devices and class names up in the catalogue's data files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import cast

from rootplex.source.yaml12 import load_yaml

_MODELS = ("qemu", "real")
_CLASSES = "classes"
_CLASS_NAMES = "class_names"


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


def class_by_name(name: str) -> int | None:
    """The class and sub-class, 16 bits, that lspci calls so (`PCI bridge` is 0x0604); None where it calls
    none so."""
    return _class_names().get(name)


@cache
def _class_names() -> Mapping[str, int]:
    return MappingProxyType(cast("dict[str, int]", _read(_CLASS_NAMES)))


@cache
def _models() -> Mapping[str, Mapping[str, object]]:
    models = (cast("dict[str, dict[str, object]]", _read(file)) for file in _MODELS)
    return MappingProxyType({name: MappingProxyType(each) for file in models for name, each in file.items()})


@cache
def _classes() -> Mapping[str, int]:
    return MappingProxyType(cast("dict[str, int]", _read(_CLASSES)))


def _read(file: str) -> dict[str, object]:
    path = Path(__file__).with_name(f"{file}.yaml")
    return cast("dict[str, object]", load_yaml(path.read_bytes(), path.name).plain())
