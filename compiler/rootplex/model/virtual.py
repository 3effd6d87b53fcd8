"""What virtual functions are called: `nic.vf0` is the first of the device `nic`."""

from __future__ import annotations

import re

_NAME = re.compile(r"(?P<physical>[a-z][a-z0-9_-]*)\.vf(?P<index>0|[1-9][0-9]{0,4})")


def virtual_name(physical: str, index: int) -> str:
    """The name of a VF, counted from 0."""
    return f"{physical}.vf{index}"


def device_of(name: str) -> str:
    """The name of the device that a name is of: a VF's is its PF."""
    virtual = physical_of(name)
    return name if virtual is None else virtual[0]


def physical_of(name: str) -> tuple[str, int] | None:
    """The device and the index that a VF's name has; None for any other name."""
    match = _NAME.fullmatch(name)
    return None if match is None else (match["physical"], int(match["index"]))
