"""What `plan` finds out, as values; the commands and files themselves are text, which `report` makes."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.jobs.result import Firmware, Named, Together

ObstacleKind: TypeAlias = Literal[
    "machine",  # nothing on this machine can take devices: `text` says why
    "unseen",  # the host does not see the device
    "bridge",  # a port, bridge or host bridge function
    "needed",  # the host boots or speaks from it
    "no-group",  # no IOMMU translates it, or its driver refuses it
    "unknown",  # what translates it is not known here: nothing can be said
    "group",  # others are in its IOMMU group
    "unsafe",  # others are not safely apart from it, whatever the kernel's groups say
    "line",  # its interrupt line is shared, and it cannot do without
    "no-messages",  # neither messages nor a pin of its own
    "messages",  # its messages are not told from others': VFIO refuses (no ITS, no interrupt remapping)
    "alias",  # a requester id of its that Xen cannot be told of
    "segment",  # a segment that the toolstack's parser does not take
    "reserved",  # firmware keeps memory mapped for it: VFIO refuses
    "refused",  # Xen's own answer
    "finding",  # an error that `check` finds of the device or of what it is on
]
"""Why a device may not be given to its guest."""


class Other(Struct, frozen=True, kw_only=True):
    """Another function that is in the way. `owner` is the guest that is to have it, None: the host;
    `needed` says what the host needs it for."""

    function: Named
    owner: str | None = None
    needed: str | None = None


class Obstacle(Struct, frozen=True, kw_only=True):
    """One reason against giving `function` (None: anything) to a guest. `why` are facts, `code` is the
    finding whose page says more; `text` and `help` are a finding's own."""

    kind: ObstacleKind
    function: Named | None = None
    others: tuple[Other, ...] = ()
    why: tuple[str, ...] = ()
    code: str | None = None
    text: str | None = None
    help: str | None = None


class Handed(Struct, frozen=True, kw_only=True):
    """A function that goes to the guest. `physfn` is the PF that must have its VFs enabled before, with their
    number; `phantom` the stride by which Xen must be told of ids that it also uses; `reserved`: firmware
    keeps memory mapped for it (RMRR)."""

    function: Named
    physfn: str | None = None
    vfs: int = 0
    phantom: int | None = None
    reserved: bool = False


class GuestPlan(Struct, frozen=True, kw_only=True):
    """One guest. `together` are the safe groups of its functions, each with its reasons; with `obstacles`
    it may not have them. `staying` are ports and bridges of those groups, which the host keeps;
    `lines` interrupt lines that are shared with others, who all can do without."""

    name: str
    devices: tuple[Handed, ...]
    together: tuple[Together, ...]
    obstacles: tuple[Obstacle, ...]
    staying: tuple[Named, ...] = ()
    lines: tuple[str, ...] = ()


class Plan(Struct, frozen=True, kw_only=True):
    """All guests of a platform. `hypervisor` None: Linux alone, with KVM. `elsewhere`: errors of the
    board that bear on no guest's device. `translated_by` are the kinds of IOMMU that the guests' devices are
    behind (`vt-d`, `smmu-v3`, …)."""

    platform: str
    arch: str
    hypervisor: Literal["xen"] | None
    kernel: str
    firmware: Firmware
    guests: tuple[GuestPlan, ...]
    translated_by: tuple[str, ...] = ()
    elsewhere: int = 0

    @property
    def refused(self) -> tuple[GuestPlan, ...]:
        """The guests that may not have what they wish."""
        return tuple(each for each in self.guests if each.obstacles)
