"""What Linux knows by a device's id, in words: a line for each function of the kernel's."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.jobs.known_device import KnownDevice, KnownRow

ACS = {
    "isolated": "isolates, as with ACS SV, RR, CR and UF on",
    "shared": "does not isolate, whatever its ACS capability says",
    "pch-registers": "isolates, as with ACS SV, RR, CR and UF on, by registers of its chipset",
    "southbridge": "isolates as one of several functions on a root bus, where firmware has an IVRS",
    "dword-control": "has its ACS control register as a dword at offset 8 of the capability",
    "without-sv": "is used without ACS source validation, which is broken",
}
ALIAS = {
    "function-0": "uses the requester id of function 0 of its device",
    "function-1": "uses the requester id of function 1 of its device, present or not",
    "five-of-each-device": "uses the requester ids of functions 0 to 4 of all devices of its bus",
    "every-devfn": "uses every requester id of its bus",
    "partitions": "uses the requester ids that its own memory lists (not simulated)",
}
BRIDGE = {
    "secondary": "is a PCIe-to-PCI bridge that does not say so: what is behind it is device 0 of its bus",
    "transparent": "passes on the requester ids of what is behind it",
    "translation-root": "is where translation begins: requester ids of bridges above it do not count",
}
ATS = {"off": "is used without ATS, which is broken", "required": "cannot do without ATS"}
REGISTERS = {
    "hidden-express": "has a PCI Express capability behind the end of its list",
    "header": "is made to show another header: several functions, or one (not simulated)",
}


def lines(known: KnownDevice) -> Iterator[str]:
    """The id, then what is known."""
    if not known.rows:
        yield f"{known.id}: Linux knows nothing by this id that bears on groups or requester ids"
        return
    yield f"{known.id}, as Linux knows it by this id:"
    for row, kernels in known.rows:
        file, _, function = row.source.partition(":")
        where = f" (only {', '.join(kernels)})" if kernels else ""
        yield f"    {_conditions(row)}{_effect(row)}{where}"
        yield f"        {file}, {function}"
    if any(row.kind == "alias" for row, _ in known.rows):
        yield "Xen knows no such ids: only its option pci-phantom= has it take more than one"


def _conditions(row: KnownRow) -> str:
    said = [f"as {_article(each)}" for each in row.types[:1]]
    if len(row.types) > 1:
        said = [f"as {', '.join(map(_article, row.types[:-1]))} or {_article(row.types[-1])}"]
    said += [f"of class {each}xx" for each in row.classes]
    if row.subsystems:
        said.append("of subsystem " + " or ".join(f"{one:04x}:{other:04x}" for one, other in row.subsystems))
    if row.revision is not None:
        said.append(f"of revision {row.revision:#x}")
    if row.below <= 0xFF:
        said.append(f"of a revision below {row.below:#x}")
    return f"{' '.join(said)}: " if said else ""


def _article(type: str) -> str:
    article = "an" if type[0] in "aeiou" else "a"
    return f"{article} {type.replace('-', ' ').replace('pcie to pci', 'PCIe-to-PCI')}"


def _effect(row: KnownRow) -> str:
    match row.kind, row.effect:
        case "class", int(code):
            return f"has class {code:#08x}, whatever it says itself"
        case "alias", tuple(devfns):
            ids = ", ".join(f"{devfn >> 3:02x}.{devfn & 7}" for devfn in devfns)
            return f"uses the requester ids of {ids} of its bus"
    words = {"acs": ACS, "alias": ALIAS, "bridge": BRIDGE, "ats": ATS, "registers": REGISTERS}
    return words[row.kind][str(row.effect)]
