"""A paste, whatever is in it and in which order, to its facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.capture.pasted import groups, log, lspci, managers
from rootplex.capture.pasted.facts import Form, Paste, PastedFunction, PastedGroup, PastedRoot
from rootplex.capture.pasted.groups import GroupReader
from rootplex.capture.pasted.log import LogReader
from rootplex.capture.pasted.lspci import LspciReader, TreeReader
from rootplex.capture.pasted.managers import ManagerReader
from rootplex.capture.pasted.text import LIMIT, rows
from rootplex.source.finding import unreadable
from rootplex.source.place import Span

FUNCTIONS_LIMIT = 1 << 16
"""Functions of a paste, and as many of each kind of list: a whole segment."""


def read_paste(text: str, file: str) -> Paste:
    """The facts. Unreadable where nothing of the kind is in it, for more than 16 MiB or 65,536 functions."""
    found = _read(text, file)
    if not found.forms:
        raise unreadable(
            file,
            "no function that lspci, pvesh or virsh shows, no list of IOMMU groups, no line of the kernel's "
            "log about PCI",
            help="take it with `lspci -nnvvv` as root",
        )
    return found


def forms_of(head: str) -> frozenset[Form]:
    """What a text is, by its beginning."""
    return _read(head, "").forms


def begins(text: str) -> bool:
    """Whether a line begins something that is read here."""
    return lspci.begins(text) or bool(groups.BEGINS.match(text)) or log.begins(text) or managers.begins(text)


def _read(text: str, file: str) -> Paste:
    functions, tree = LspciReader(file), TreeReader()
    listed, said, managed = GroupReader(file), LogReader(file), ManagerReader(file)
    managed.read(text[:LIMIT])
    for row in rows(text, file, begins):
        counts = (len(functions.functions), len(listed.groups), len(said.functions), len(tree.members))
        if max(*counts, len(managed.functions), len(managed.groups)) > FUNCTIONS_LIMIT:
            raise unreadable(file, f"pasted text of more than {FUNCTIONS_LIMIT:,} functions")
        if not row.text or functions.holds(row.text):
            listed.take(row, inside=True)
            functions.take(row)
            continue
        if log.begins(row.text) and said.take(row):
            functions.close(whole=True)
            continue
        if tree.take(row) or managed.take(row):
            continue
        left = listed.take(row, inside=functions.is_inside)
        if left is True:
            functions.close(whole=True)
            continue
        functions.take(row if left is False else left)
    functions.close(whole=False)
    return Paste(
        file=file,
        forms=frozenset(_forms(functions, tree, listed, managed, said)),
        functions=(
            *functions.functions,
            *said.functions.values(),
            *_of_tree(tree, file),
            *managed.functions,
            *_members(listed.groups),
            *_members(managed.groups),
            *_members(each for at, each in said.groups.items() if at not in said.functions),
        ),
        groups=(*functions.groups, *listed.groups, *managed.groups, *said.groups.values()),
        roots=(
            *said.roots,
            *_roots(tree.roots, "tree", file),
            *_roots(listed.roots, "groups", file),
            *_roots(managed.roots, "managed", file),
        ),
        parents=listed.parents | managed.parents | functions.parents | tree.parents,
        log=said.log,
    )


def _forms(
    functions: LspciReader, tree: TreeReader, listed: GroupReader, managed: ManagerReader, said: LogReader
) -> Iterator[Form]:
    yield from (each.form for each in functions.functions)
    if tree.members:
        yield "tree"
    if listed.groups:
        yield "groups"
    if managed.functions or managed.groups:
        yield "managed"
    log = said.log
    about_pci = said.functions or said.groups or said.roots or log.failures or log.complaints
    if about_pci or log.release or log.iommu:
        yield "log"


def _of_tree(tree: TreeReader, file: str) -> Iterator[PastedFunction]:
    for where, row in tree.members.items():
        yield PastedFunction(
            where=where, place=Span(file, row.number, 1, row.number, len(row.text) + 1), form="tree"
        )


def _members(listed: Iterable[PastedGroup]) -> Iterator[PastedFunction]:
    """Functions of which a list of groups tells that they are there."""
    for each in listed:
        yield PastedFunction(where=each.where, place=each.place, form=each.form)


def _roots(found: dict[tuple[int, int], int], form: Form, file: str) -> Iterator[PastedRoot]:
    for (segment, bus), number in found.items():
        yield PastedRoot(segment=segment, bus=bus, place=Span(file, number, 1, number, 2), by=form)
