"""Xen's linked lists (`xen/include/xen/list.h`): a head is a member of its ring like any other.

What a real Xen does with memory that it freed or linked twice depends on who is next to whom, so
the records' lists are kept as rings and not as Python's lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar

from rootplex.simulator.xen.outcome import stop


class Listed(Protocol):
    """What can be in a list: a record, which has an address to be named by."""

    @property
    def sbdf(self) -> str: ...


T = TypeVar("T", bound=Listed)


class ListHead(Generic[T]):
    """`struct list_head` inside a record (`owner`), or the head of a domain's list (None). `written`:
    somebody wrote here after the memory was freed."""

    __slots__ = ("next", "owner", "prev", "written")

    def __init__(self, owner: T | None = None) -> None:
        self.owner = owner
        self.next: ListHead[T] = self
        self.prev: ListHead[T] = self
        self.written = False

    @property
    def is_empty(self) -> bool:
        """`list_empty`."""
        return self.next is self

    def add(self, head: ListHead[T]) -> None:
        """`list_add`: become the first after `head`; the neighbours are not looked at."""
        after = head.next
        after.written |= after.next is POISON
        after.prev = self
        self.next, self.prev = after, head
        head.next = self

    def delete(self, *, checked: bool) -> None:
        """`list_del`. A debug build asserts that both neighbours point back."""
        if checked and (self.next.prev is not self or self.prev.next is not self):
            gone = next((one for one in (self.next, self.prev) if one.next is POISON), None)
            what = (
                "in the list does not point back" if gone is None else f"{_name(gone)} was freed while listed"
            )
            cause = f"list_del of {_name(self)}: its neighbour {what}"
            raise stop("assertion", cause, "§2.3")
        self.next.prev, self.prev.next = self.prev, self.next

    def poison(self) -> None:
        """A debug build overwrites memory that is freed."""
        self.next = self.prev = POISON
        self.written = False

    def reuse(self, owner: T) -> None:
        """The same memory in a new record. Whoever still points here does not know."""
        if self.written:
            raise stop("BUG", f"memory that {_name(self)} had was written after it was freed", "§2.3")
        self.owner, self.next, self.prev = owner, self, self

    def members(self, *, x86: bool) -> Iterator[T]:
        """`list_for_each_entry` from this head. What is walked may have been freed: the end of Xen. A walk
        that does not come back is found as Brent does: it meets a member that it remembers from before."""
        here = self.next
        steps, until, before = 0, 1, self
        while here is not self:
            if here is POISON or here.owner is None or here.next is POISON:
                cause = "a list is walked through a record that was freed while listed"
                raise stop("general protection fault" if x86 else "data abort", cause, "§2.3")
            yield here.owner
            here = here.next
            if here is before is not self:
                raise stop("endless loop", f"the list of {_name(self)} does not come back to it", "§2.3")
            steps += 1
            if steps == until:
                before, until = here, 2 * until


def _name(entry: ListHead[Any]) -> str:
    return "a domain's list" if entry.owner is None else entry.owner.sbdf


POISON: ListHead[Any] = ListHead()
"""What the pointers of freed memory are in a debug build: nothing that can be followed."""
