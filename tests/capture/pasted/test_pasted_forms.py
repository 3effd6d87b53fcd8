"""Every form in which lspci, the lists of groups and the log tell of one machine tells the same of it."""

from __future__ import annotations

import re

import pytest
from tests.capture.pasted.machines import LIST, LISTS, NAMES, PCS, kernels_groups, partition, pasted, sections

from rootplex.capture.pasted.facts import Paste, PastedFunction, called
from rootplex.capture.pasted.reading import forms_of, read_paste


def functions(paste: Paste, form: str) -> dict[str, PastedFunction]:
    return {called(each.where): each for each in paste.functions if each.form == form}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", LISTS)
def test_every_list_of_groups_tells_the_same(name: str, form: str) -> None:
    assert kernels_groups(name) == partition(pasted(name, form)[0], "groups")


@pytest.mark.parametrize("name", NAMES)
def test_the_log_tells_the_same_groups(name: str) -> None:
    assert kernels_groups(name) == partition(pasted(name, "dmesg")[0], "log")


@pytest.mark.parametrize("name", PCS)
def test_lspci_tells_the_same_groups(name: str) -> None:
    for command in ("lspci -nnvvv", "lspci -vvv", "lspci -nnvmm", "user lspci -nnv"):
        assert kernels_groups(name) == partition(pasted(name, command)[0])


@pytest.mark.parametrize("name", PCS)
def test_ids_classes_and_buses_are_the_same_in_every_form(name: str) -> None:
    (whole,) = pasted(name, "lspci -nnvvv")
    told = functions(whole, "verbose")
    for command, form in (("lspci -nn", "names"), ("lspci -nnvmm", "records"), ("dmesg", "log")):
        (other,) = pasted(name, command)
        found = functions(other, form)
        assert told.keys() == found.keys()
        for sbdf, each in found.items():
            assert told[sbdf].keys["id"] == each.keys["id"]
            assert int(str(told[sbdf].keys["class"])) >> 8 == int(str(each.keys["class"])) >> 8
            assert told[sbdf].bridge == each.bridge
    (log,) = pasted(name, "dmesg")
    assert {key: each.buses for key, each in told.items()} == {
        key: each.buses for key, each in functions(log, "log").items()
    }


@pytest.mark.parametrize("name", PCS)
def test_the_tree_tells_what_is_below_each_bridge(name: str) -> None:
    (whole,) = pasted(name, "lspci -nnvvv")
    below = {each.where[0:1] + each.buses[:1]: each.where for each in whole.functions if each.buses}
    for command in ("lspci -t", "lspci -tv"):
        (tree,) = pasted(name, command)
        assert {called(each.where) for each in tree.functions} == {
            called(each.where) for each in whole.functions
        }
        assert below == tree.parents


def test_a_user_who_is_not_root_sees_no_capabilities() -> None:
    (paste,) = pasted("desktop-6.1", "user lspci -nnv")
    found = functions(paste, "verbose")
    assert ("denied", (3, 4)) == (found["0000:00:03.0"].shown, found["0000:00:03.0"].buses)
    assert "type" not in found["0000:00:03.0"].keys
    assert ("whole", "pci") == (found["0000:00:1f.0"].shown, found["0000:00:1f.0"].keys["type"])


def spoilt(text: str, how: str) -> str:
    """What happens to a text on its way."""
    lines = text.replace("\r", "").splitlines()
    match how:
        case "crlf":
            return "\r\n".join(lines)
        case "fence":
            return "Here it is:\n```text\n$ sudo lspci -nnvvv\n" + "\n".join(lines) + "\n```\nThanks!\n"
        case "quote":
            return "\n".join(f"> {line}" for line in lines)
        case "indent":
            return "\n".join(f"    {line}" for line in lines)
        case "flat":
            return "\n".join(line.strip() for line in lines)
        case "colours":
            return "\n".join(f"\x1b[01;32m\x1b[K{line[:7]}\x1b[m\x1b[K{line[7:]}\x1b[0m" for line in lines)
        case "terminal":
            return "\n".join(line[at : at + 80] for line in lines for at in range(0, len(line) or 1, 80))
        case "mail":
            return "\n".join(re.sub(r"(?=.{73})(.{20,72}) ", r"\1\n", line) for line in lines)
        case "doubled":
            return "\n\n".join(lines)
        case "entities":
            return "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        case "prompt":
            return "me@box:~$ lspci -nnvvv\n" + "\n".join(lines) + "\nme@box:~$ \n"
    raise AssertionError(how)


@pytest.mark.parametrize("name", ["desktop-6.1", "mixed-7.2"])
@pytest.mark.parametrize(
    "how",
    [
        "crlf",
        "fence",
        "quote",
        "indent",
        "flat",
        "colours",
        "terminal",
        "mail",
        "entities",
        "prompt",
        "doubled",
    ],
)
def test_what_happened_to_a_text_on_its_way_changes_nothing(name: str, how: str) -> None:
    text = sections(name)["lspci -nnvvv"]
    whole, other = (
        functions(read_paste(text, "x"), "verbose"),
        functions(read_paste(spoilt(text, how), "x"), "verbose"),
    )
    assert whole.keys() == other.keys()
    for sbdf, each in whole.items():
        assert (dict(each.keys), each.buses) == (dict(other[sbdf].keys), other[sbdf].buses)
        assert (each.bars, each.rom, each.forwards) == (
            other[sbdf].bars,
            other[sbdf].rom,
            other[sbdf].forwards,
        )
        if sbdf != max(whole):
            assert each.shown == other[sbdf].shown


@pytest.mark.parametrize(
    "how", ["crlf", "fence", "quote", "indent", "colours", "terminal", "prompt", "doubled"]
)
@pytest.mark.parametrize(
    "form", ["loop", "oldloop", "dmesg", LIST, "ls -l groups", "lspci -xxxx", "lspci -nnvmm"]
)
def test_nor_to_the_other_forms(form: str, how: str) -> None:
    text = sections("mixed-7.2")[form]
    whole, other = read_paste(text, "x"), read_paste(spoilt(text, how), "x")
    assert partition(whole) == partition(other)
    assert {(each.where, each.buses, each.config) for each in whole.functions} == {
        (each.where, each.buses, each.config) for each in other.functions
    }


PREFIXES = {
    "none": "",
    "human": "[Fri Nov 28 17:04:15 2026] ",
    "journal": "Nov 28 17:04:15 box kernel: ",
    "iso": "2026-11-28T17:04:15+0100 box kernel: ",
    "levels": "kern  :info  : [    1.629767] ",
    "callers": "<6>[    1.629767][    T1] ",
    "deltas": "[  +0.000123] ",
    "syslog": "Nov 28 17:04:15 box kernel: [    1.629767] ",
}


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_the_log_is_read_whatever_stands_before_each_line(prefix: str) -> None:
    text = sections("mixed-7.2")["dmesg"].replace("\r", "")
    other = "\n".join(re.sub(r"^\[ *\d+\.\d+\] ", prefix, line) for line in text.splitlines())
    whole, read = read_paste(text, "x"), read_paste(other, "x")
    assert partition(whole) == partition(read)
    assert whole.functions
    assert {each.where: each.keys for each in whole.functions} == {
        each.where: each.keys for each in read.functions
    }
    assert [root.windows[0][0] for root in whole.roots] == [root.windows[0][0] for root in read.roots]
    assert (whole.log.release, whole.log.iommu) == (read.log.release, read.log.iommu)


TREE = """/sys/kernel/iommu_groups/
├── 0
│   ├── devices
│   │   └── 0000:00:00.0 -> ../../../../devices/pci0000:00/0000:00:00.0
│   ├── reserved_regions
│   └── type
└── 12
    ├── devices
    │   ├── 0000:00:1c.0 -> ../../../../devices/pci0000:00/0000:00:1c.0
    │   └── 0000:02:00.0 -> ../../../../devices/pci0000:00/0000:00:1c.0/0000:02:00.0
    └── type
"""
ASCII_TREE = TREE.replace("├", "|").replace("└", "`").replace("│", "|").replace("─", "-")
PLAIN_LS = """/sys/kernel/iommu_groups/0/devices:
0000:00:00.0

/sys/kernel/iommu_groups/12/devices:
0000:00:1c.0  0000:02:00.0
"""
LOOPS = {
    "resets": "IOMMU Group 0:\n\t\t00:00.0 Host bridge [0600]: A [8086:0c00]\nIOMMU Group"
    " 12:\n[RESET]\t00:1c.0 PCI bridge "
    "[0604]: B [8086:8c10] (rev d5)\n[RESET]\t02:00.0 Network controller [0280]: C [8086:08b1]\n",
    "padded": "IOMMU Group 00 0000:00:00.0 Host bridge [0600]: A [8086:0c00]\nIOMMU Group 12 0000:00:1c.0"
    " PCI bridge "
    "[0604]: B [8086:8c10]\nIOMMU Group 12 0000:02:00.0 Network controller [0280]: C [8086:08b1]\n",
    "ids first": "Group 0:\t[8086:0c00]     00:00.0  Host bridge\nGroup 12:\t[8086:8c10] [R] 00:1c.0  PCI"
    " bridge\n"
    "\t\t[8086:08b1] [R] 02:00.0  Network controller\n",
    "bare": "0000:00:00.0 0\n0000:00:1c.0 12\n0000:02:00.0 12\n",
    "dashes": "IOMMU group 0\n - 00:00.0\nIOMMU group 12\n - 00:1c.0\n - 02:00.0\n",
}


@pytest.mark.parametrize(
    "text", [TREE, ASCII_TREE, PLAIN_LS, *LOOPS.values()], ids=["tree", "ascii", "ls", *LOOPS]
)
def test_lists_that_these_machines_did_not_print(text: str) -> None:
    assert {frozenset({"0000:00:00.0"}), frozenset({"0000:00:1c.0", "0000:02:00.0"})} == partition(
        read_paste(text, "x")
    )


@pytest.mark.parametrize(
    "text",
    [
        "rootplex: 1\n# group 2: 0000:01:00.0 and 0000:01:00.1\n",
        "the disk at 00:1f.2 is in a group of its own, group 5 is not\n",
        "int main(void) { return 0; }\n",
        "00:01.0\n",
    ],
)
def test_what_is_no_paste(text: str) -> None:
    assert frozenset() == forms_of(text) or text.startswith("rootplex:")


FUNCTIONS = (
    "00:01.0 PCI bridge [0604]: A [8086:0c01]",
    "01:00.0 VGA compatible controller [0300]: B [10de:1c82]",
)
HEADINGS = (
    "[IOMMU Group {}]",
    "==== Group {} ====",
    "**IOMMU Group {}:**",
    "# IOMMU group {}",
    "IOMMU_GROUP={}",
)


@pytest.mark.parametrize("heading", HEADINGS)
def test_headings_that_people_make(heading: str) -> None:
    text = "".join(f"{heading.format(n)}\n{each}\n\n" for n, each in enumerate(FUNCTIONS, 1))
    assert {frozenset({"0000:00:01.0"}), frozenset({"0000:01:00.0"})} == partition(read_paste(text, "x"))


@pytest.mark.parametrize(
    "row",
    [
        "| {0} | {1} | {2} |",
        "{0},0000:{1},{2}",
        "{0}\t{1}\t{2}",
        "* `{1}` {2} IOMMU group {0}",
        "{1} {2} (IOMMU group: {0})",
        "IOMMU Group   {0}: {1} {2}",
        "0000:{1} | {0} |",
    ],
)
def test_rows_that_people_make(row: str) -> None:
    parts = [each.split(" ", 1) for each in FUNCTIONS]
    text = "".join(f"{row.format(n, *each)}\n" for n, each in enumerate(parts, 1))
    read = read_paste(text, "x")
    assert {frozenset({"0000:00:01.0"}), frozenset({"0000:01:00.0"})} == partition(read)
    if "{2}" in row:
        assert {"8086:0c01", "10de:1c82"} == {str(each.keys["id"]) for each in read.functions if each.keys}


def test_ids_that_stand_before_the_address_are_a_members() -> None:
    """By unRAID's page, and by scripts that print columns."""
    text = (
        "IOMMU group 1:\t[8086:1901] 00:01.0 PCI bridge: Intel Corporation PCIe Controller (x16) (rev 07)\n"
        "[10de:1c82] 01:00.0 VGA compatible controller: NVIDIA Corporation GP107 [GeForce GTX 1050 Ti]\n"
        "Group 15:\t[10de:21c4] [R] 09:00.0  VGA compatible controller                TU116 [GeForce GTX]\n"
        "\t\t[10de:1aec]     09:00.2  USB controller                           TU116 USB 3.1 Controller\n"
    )
    told = {called(each.where): each.keys for each in read_paste(text, "x").functions if each.keys}
    assert {
        "0000:00:01.0": ("8086:1901", 0x060400),
        "0000:01:00.0": ("10de:1c82", 0x030000),
        "0000:09:00.0": ("10de:21c4", 0x030000),
        "0000:09:00.2": ("10de:1aec", 0x0C0300),
    } == {sbdf: (keys.get("id"), keys.get("class")) for sbdf, keys in told.items()}


def test_a_list_in_single_backticks() -> None:
    text = "`" + "\n".join(f"IOMMU Group {n} {each}" for n, each in enumerate(FUNCTIONS, 1)) + "`\n"
    assert {frozenset({"0000:00:01.0"}), frozenset({"0000:01:00.0"})} == partition(read_paste(text, "x"))


def test_the_way_to_a_function_tells_the_bridges_above_it() -> None:
    """`lspci -PP`."""
    last = "02:03.0 USB controller [0c03]: C [1b21:1242]"
    text = f"{FUNCTIONS[0]}\n00:01.0/{FUNCTIONS[1]}\n00:01.0/01:00.0/{last}\n"
    read = read_paste(text, "x")
    assert {(0, 1): "0000:00:01.0", (0, 2): "0000:01:00.0"} == {
        bus: called(where) for bus, where in read.parents.items()
    }


def test_a_log_of_the_iommus_lines_alone() -> None:
    """`dmesg | grep -e DMAR -e IOMMU`."""
    text = "root@pve:~# dmesg | grep -e DMAR -e IOMMU\n[    0.062000] DMAR: IOMMU enabled\n"
    assert frozenset({"log"}) == forms_of(text)
    assert "intel-vtd" == read_paste(text, "x").log.iommu


def test_behind_an_empty_line_a_text_of_its_own_begins() -> None:
    """Its functions are in no group of the list before it."""
    group = "IOMMU Group 5:\n\t00:01.0 VGA compatible controller [0300]: A [10de:1c82]\n"
    paste = read_paste(f"{group}\n00:02.0 Ethernet controller [0200]: B [8086:1533]\n", "x")
    assert {"0000:00:01.0": 5} == {called(each.where): each.number for each in paste.groups}
    assert "0000:00:02.0" in {called(each.where) for each in paste.functions}
