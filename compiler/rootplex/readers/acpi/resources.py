"""Resource templates, the buffers of `_CRS` (ACPI 6.5 §6.4), to descriptors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ResourceType: TypeAlias = Literal["memory", "io", "bus", "irq", "dma", "other"]


@dataclass(frozen=True, slots=True)
class Resource:
    """One descriptor. `kind` is its macro's word: Word, DWord, QWord, Extended, IO, FixedIO,
    Memory24, Memory32, Memory32Fixed, IRQ, Interrupt, DMA, … `producer` is set where a bridge
    passes the range to the bus below (bit 0 of the general flags clear); descriptors without that
    bit are consumers. `numbers` lists the lines of interrupts and DMA channels."""

    type: ResourceType
    kind: str
    minimum: int
    maximum: int
    translation: int
    length: int
    granularity: int
    producer: bool
    general_flags: int
    type_flags: int
    numbers: tuple[int, ...]
    offset: int
    size: int

    @property
    def prefetchable(self) -> bool:
        """Memory address spaces: type flags bits 2:1 = 3."""
        return self.type == "memory" and self.type_flags >> 1 & 3 == 3

    @property
    def cpu_minimum(self) -> int:
        """The minimum as the CPU sees it: with the translation added, modulo 2^64."""
        return (self.minimum + self.translation) % (1 << 64)


@dataclass(frozen=True, slots=True)
class ResourceList:
    """The descriptors of one template, in order. `fault` says why reading stopped early: a
    descriptor that runs past the end, no end tag; None where all is well."""

    items: tuple[Resource, ...]
    fault: str | None
