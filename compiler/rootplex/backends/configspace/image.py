"""config.bin and config.json of a platform: its host bridges and every function that is there.

Both firmwares describe this one hardware; what `dt` or `acpi` override is not in it. Functions are
listed parents first, in the order of the file; equal pages are stored once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import NamedTuple

from msgspec import Struct

from rootplex.backends.artifact import Artifact
from rootplex.backends.configspace.bridge import bridge_entry
from rootplex.backends.configspace.function import function_page, virtual_page
from rootplex.backends.configspace.page import Page
from rootplex.backends.configspace.shape import Shape, shape_of
from rootplex.model.bridge import HostBridge
from rootplex.model.device import PORT_TYPES, Device
from rootplex.model.platform import Platform
from rootplex.source.finding import unreadable

NO_ALIASES = "none"
"""What config.json has for an empty list: the description says that there are none."""

CONFIG, PAGES = "config.json", "config.bin"
VERSION = 1
LAST_RID = 0xFFFF
MOST_FUNCTIONS = 1 << 20
"""More are refused: sixteen full segments, 200 MB of config.json."""


def virtual_key(key: str, index: int) -> str:
    """The key of a VF of the device with a key."""
    return f"{key}/vf{index}"


class HardwareImage(Struct, frozen=True):
    """The hardware image and how it belongs to the description.

    `ids` maps a function's id to (bridge name, device key); a VF's key is its PF's, `/vf` and its
    index. `bridges` maps a bridge's name to its id in the image.
    """

    config: Artifact
    pages: Artifact
    ids: Mapping[str, tuple[str, str]]
    bridges: Mapping[str, str]


class _Found(NamedTuple):
    """A present device, the id of the bridge above it, the number of its bus, its ARI successor."""

    device: Device
    parent: str | None
    bus: int
    next_function: int


class _Pages:
    """The distinct pages, in the order in which they are first needed."""

    def __init__(self) -> None:
        self._data = BytesIO()
        self._known: dict[tuple[Shape, bool], tuple[int, list[list[int]]]] = {}

    @property
    def data(self) -> bytes:
        """All pages, reset and writable, without a second copy."""
        return self._data.getvalue()

    def place(self, shape: Shape, *, virtual: bool) -> tuple[int, list[list[int]]]:
        """(page index, write-1-to-clear bits) of a function, or of a VF of such a function."""
        known = self._known.get((shape, virtual))
        if known is None:
            page: Page = virtual_page(shape) if virtual else function_page(shape)
            known = len(self._known), [list(bits) for bits in sorted(page.clears)]
            self._data.write(page.finish())
            self._known[shape, virtual] = known
        return known


def config_space(platform: Platform) -> HardwareImage:
    """The hardware image of a platform. `Unreadable` where it has more than 1,048,576 functions."""
    _refuse_too_many(platform)
    pages = _Pages()
    ids: dict[str, tuple[str, str]] = {}
    functions: list[str] = []
    hardware = {bridge.name: f"h{bridge.index}" for bridge in platform.host_bridges}

    def add(name: str, key: str, entry: dict[str, object]) -> str:
        id = f"f{len(functions)}"
        functions.append(json.dumps({"id": id, **entry}, sort_keys=True))
        ids[id] = (name, key)
        return id

    for bridge in platform.host_bridges:
        made: dict[str, str] = {}
        for device, parent, bus, next_function in _present(bridge, made):
            shape = shape_of(device, bus, next_function)
            page, clears = pages.place(shape, virtual=False)
            place = {"bridge": hardware[bridge.name], "parent": parent, "w1c": clears, "page": page}
            made[device.key] = id = add(bridge.name, device.key, {**place, **_own(device)})
            if device.sriov is None:
                continue
            page, clears = pages.place(shape, virtual=True)
            for index in range(_virtual_functions(bridge, device)):
                own = {"vf_of": id, "vf_index": index, "devfn": 0, "acs_quirk": None, "aliases": []}
                add(
                    bridge.name, virtual_key(device.key, index), {**place, "w1c": clears, "page": page, **own}
                )
    bridges = [
        json.dumps(bridge_entry(platform, bridge, hardware[bridge.name]), sort_keys=True)
        for bridge in platform.host_bridges
    ]
    return HardwareImage(
        config=Artifact(CONFIG, _document(bridges, functions)),
        pages=Artifact(PAGES, pages.data),
        ids=ids,
        bridges=hardware,
    )


def _own(device: Device) -> dict[str, object]:
    return {
        "devfn": device.devfn,
        "acs_quirk": device.acs_quirk,
        "aliases": NO_ALIASES if device.aliases == () else [alias.devfn for alias in device.aliases or ()],
        "vf_of": None,
    }


def _present(bridge: HostBridge, made: Mapping[str, str]) -> Iterator[_Found]:
    """Every present function below present ones, parents first, in the order of the file.

    `made` gives the id of a device's key; the caller fills it in as it goes.
    """
    levels = [_bus(bridge.devices, None, bridge.bus_range.first)]
    while levels:
        found = next(levels[-1], None)
        if found is None:
            levels.pop()
            continue
        yield found
        if found.device.devices:
            secondary = found.device.bus[0] if found.device.bus is not None else 0
            levels.append(_bus(found.device.devices, (found.device, made[found.device.key]), secondary))


def _bus(devices: tuple[Device, ...], above: tuple[Device, str] | None, number: int) -> Iterator[_Found]:
    """The present functions of one bus; below a port all of them are one device to ARI."""
    present = [device for device in devices if device.present]
    one_device = above is not None and above[0].type in PORT_TYPES
    successor: dict[tuple[int, int], int] = {}
    last: dict[int, Device] = {}
    for device in sorted((each for each in present if each.ari), key=lambda each: each.devfn):
        slot = 0 if one_device else device.dev
        if slot in last:
            successor[slot, last[slot].devfn] = device.devfn if one_device else device.fn
        last[slot] = device
    for device in present:
        slot = 0 if one_device else device.dev
        next_function = successor.get((slot, device.devfn), 0) if device.ari else 0
        yield _Found(device, None if above is None else above[1], number, next_function)


def _refuse_too_many(platform: Platform) -> None:
    total = 0
    for bridge, device in platform.walk():
        total += 1 + _virtual_functions(bridge, device)
        if total > MOST_FUNCTIONS:
            place = device.at("" if device.sriov is None else "sriov.total")
            raise unreadable(place, f"more than {MOST_FUNCTIONS} functions in all")


def _virtual_functions(bridge: HostBridge, device: Device) -> int:
    """How many VFs can have a requester id, their PF being on the first bus; the rest never answers."""
    sriov = device.sriov
    if sriov is None:
        return 0
    room = LAST_RID - (bridge.bus_range.first << 8 | device.devfn) - sriov.offset
    if room < 0:
        return 0
    return min(sriov.total, 1 if sriov.stride == 0 else 1 + room // sriov.stride)


def _document(bridges: list[str], functions: list[str]) -> bytes:
    """The JSON text: one line a bridge and a function, so that a difference is a line."""
    lists = (
        f' "{name}": [\n  ' + ",\n  ".join(entries) + "\n ]" if entries else f' "{name}": []'
        for name, entries in (("bridges", bridges), ("functions", functions))
    )
    return ("{\n" + ",\n".join(lists) + f',\n "rootplex_config": {VERSION}\n}}\n').encode()
