"""The register engine of vPCI: the cases of xen.md §8, as tables, over hardware of all ones."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootplex.simulator.xen.vpci.registers import Register, Registers


class Ones:
    """Hardware that reads all ones and remembers what is written."""

    def __init__(self) -> None:
        self.writes: list[tuple[int, int, int]] = []

    def read(self, register: int, size: int) -> int:
        return (1 << 8 * size) - 1

    def write(self, register: int, size: int, value: int) -> None:
        self.writes.append((register, size, value))


class Cell:
    """A register with a value."""

    def __init__(self, value: int = 0) -> None:
        self.value = value

    def at(self, offset: int, size: int, **masks: int) -> Register:
        return Register(offset=offset, size=size, read=lambda: self.value, write=self.put, **masks)

    def put(self, value: int) -> None:
        self.value = value


def with_cells(*layout: tuple[int, int]) -> tuple[Registers, list[Cell], Ones]:
    ones = Ones()
    registers = Registers(ones)
    cells = [Cell() for _ in layout]
    for cell, (offset, size) in zip(cells, layout, strict=True):
        assert registers.add(cell.at(offset, size)) == 0
    return registers, cells, ones


def handled(offset: int, size: int, **masks: int) -> Register:
    return Cell().at(offset, size, **masks)


MASKS = ("ro", "rw1c", "rsvdp", "rsvdz")
REFUSED = [
    *(handled(offset, size) for offset, size in ((1, 2), (1, 4), (2, 4), (3, 2))),
    *(handled(0, size) for size in (0, 3, 8)),
    handled(4096, 1),
    Register(offset=0, size=4),
    *(handled(0, 4, **{a: 0x10, b: 0x30}) for a, b in combinations(MASKS, 2)),
    *(handled(0, 1, **{mask: 0x100}) for mask in MASKS),
    *(handled(0, 2, **{mask: 0x10000}) for mask in MASKS),
]


@pytest.mark.parametrize("register", REFUSED)
def test_refused_registers(register: Register) -> None:
    assert Registers(Ones()).add(register) == -22


@pytest.mark.parametrize(("offset", "size"), [(4, 4), (4, 1), (6, 2), (7, 1), (4, 2)])
def test_overlaps_are_refused(offset: int, size: int) -> None:
    registers, _, _ = with_cells((4, 4))
    assert registers.add(handled(offset, size)) == -17
    assert registers.add(handled(8, size)) == registers.add(handled(3, 1)) == 0


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_register_whole_and_in_parts(size: int) -> None:
    registers, (cell,), _ = with_cells((0, size))
    registers.write(0, size, 0x12345678 & (1 << 8 * size) - 1)
    assert registers.read(0, size) == cell.value == 0x12345678 & (1 << 8 * size) - 1
    for at in range(size):
        registers.write(at, 1, 0xA0 + at)
        assert registers.read(at, 1) == 0xA0 + at
    assert cell.value == int.from_bytes(bytes(range(0xA0, 0xA0 + size)), "little")


@pytest.mark.parametrize("size", [1, 2, 4])
def test_an_unset_area(size: int) -> None:
    """Hardware for Dom0; a guest reads ones and its writes go nowhere."""
    for registers in (Registers(Ones()), Registers(None)):
        assert registers.read(0x40, size) == (1 << 8 * size) - 1
        registers.write(0x40, size, 0)
        assert registers.read(0x40, size) == (1 << 8 * size) - 1


def test_a_gap_and_three_bytes() -> None:
    registers, cells, _ = with_cells((1, 1), (2, 1), (3, 1))
    for cell, value in zip(cells, (0x11, 0x22, 0x33), strict=True):
        cell.value = value
    assert registers.read(0, 4) == 0x332211FF


@pytest.mark.parametrize(
    ("cell", "pieces"),
    [((0, 1), [(1, 1, 0x56), (2, 2, 0x1234)]), ((3, 1), [(0, 2, 0x5678), (2, 1, 0x34)])],
)
def test_gaps_of_three_bytes_are_split_by_parity(
    cell: tuple[int, int], pieces: list[tuple[int, int, int]]
) -> None:
    registers, _, ones = with_cells(cell)
    registers.write(0, 4, 0x12345678)
    assert ones.writes == pieces


LAYOUTS = [tuple((at, size) for at in range(0, 4, size)) for size in (1, 2, 4)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("write", [1, 2, 4])
@pytest.mark.parametrize("read", [1, 2, 4])
def test_all_sizes_over_all_layouts(layout: tuple[tuple[int, int], ...], write: int, read: int) -> None:
    registers, _, _ = with_cells(*layout)
    data = 0xDEADBEEF
    for at in range(0, 4, write):
        registers.write(at, write, data >> 8 * at & (1 << 8 * write) - 1)
    found = sum(registers.read(at, read) << 8 * at for at in range(0, 4, read))
    assert found == data


def test_register_and_gap_in_turn() -> None:
    registers, cells, ones = with_cells((0, 1), (2, 1))
    registers.write(0, 4, 0x44332211)
    assert [cell.value for cell in cells] == [0x11, 0x33]
    assert ones.writes == [(1, 1, 0x22), (3, 1, 0x44)]
    assert registers.read(0, 4) == 0xFF33FF11


KINDS = [
    # (mask, read before, after writing zeros, after writing ones), stored value 0x5A in each byte
    ("ro", 0x5A, 0x5A, 0x5A),
    ("rw1c", 0x5A, 0x00, 0xFF),
    ("rsvdp", 0x00, 0x5A, 0x5A),
    ("rsvdz", 0x00, 0x00, 0x00),
]


@pytest.mark.parametrize(("mask", "shown", "zeros", "ones"), KINDS)
@pytest.mark.parametrize("byte", range(4))
def test_masks_by_byte_and_dword(mask: str, shown: int, zeros: int, ones: int, byte: int) -> None:
    """One masked byte; the three others are plain."""
    for value, expected in ((0, zeros), (0xFFFFFFFF, ones)):
        cell = Cell(0x5A5A5A5A)
        registers = Registers(Ones())
        assert registers.add(cell.at(0, 4, **{mask: 0xFF << 8 * byte})) == 0
        assert registers.read(byte, 1) == shown
        assert registers.read(byte ^ 1, 1) == 0x5A
        registers.write(0, 4, value)
        plain = value & ~(0xFF << 8 * byte) & 0xFFFFFFFF
        assert cell.value == plain | expected << 8 * byte


def test_partial_writes_do_not_write_back_write_one_to_clear() -> None:
    cell = Cell(0x00F0)
    registers = Registers(Ones())
    registers.add(cell.at(0, 2, rw1c=0x00F0))
    registers.write(1, 1, 0x12)
    assert cell.value == 0x1200


def test_removal() -> None:
    registers, _, _ = with_cells((0, 2), (2, 1), (4, 4))
    assert registers.remove(2, 1) == 0
    assert registers.remove(6, 2) == -34
    assert registers.remove(1, 7) == -34
    assert len(registers.registers) == 2
    assert registers.remove(0, 8) == 0
    assert registers.read(0, 4) == 0xFFFFFFFF


@given(
    st.permutations([(0, 1), (1, 1), (2, 2), (4, 4), (8, 2)]),
    st.integers(0, 5),
    st.integers(0, 11),
    st.sampled_from([1, 2, 4]),
)
def test_an_access_is_its_bytes(layout: list[tuple[int, int]], count: int, offset: int, size: int) -> None:
    """Reading and writing at once and byte by byte come to the same, whatever the registers are."""
    offset -= offset % size
    value = int.from_bytes(bytes(range(0x81, 0x81 + size)), "little")
    whole, cells, _ = with_cells(*layout[:count])
    parts, others, _ = with_cells(*layout[:count])
    whole.write(offset, size, value)
    for at in range(size):
        parts.write(offset + at, 1, value >> 8 * at & 0xFF)
    assert [cell.value for cell in cells] == [cell.value for cell in others]
    assert whole.read(offset, size) == sum(parts.read(offset + at, 1) << 8 * at for at in range(size))
