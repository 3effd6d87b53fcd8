"""What Proxmox and libvirt show of the booted machines, in their forms: the same as lspci and sysfs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from tests.capture.pasted.machines import PCS, kernels_groups, partition, pasted

from rootplex.capture.pasted.facts import PastedFunction, Where, called
from rootplex.capture.pasted.reading import forms_of, read_paste
from rootplex.jobs.pasted.simulation import simulate_pastes
from rootplex.jobs.settings import RunOptions

KEYS = ("class", "device", "id", "iommugroup", "vendor")


def functions(name: str) -> dict[str, PastedFunction]:
    return {called(each.where): each for each in pasted(name, "lspci -nnvvv")[0].functions}


def rows(name: str) -> Iterator[dict[str, str | int]]:
    numbers = {sbdf: number for number, group in enumerate(kernels_groups(name)) for sbdf in group}
    for sbdf, each in functions(name).items():
        vendor, device = str(each.keys["id"]).split(":")
        yield {
            "class": f"0x{each.keys['class']:06x}",
            "device": f"0x{device}",
            "id": sbdf,
            "iommugroup": numbers.get(sbdf, -1),
            "vendor": f"0x{vendor}",
            "device_name": "Some [controller] {of} it",
            "mdev": 1,
        }


def pvesh(name: str) -> str:
    """As the command draws its table."""
    lines = [f"│ {' │ '.join(KEYS)} │ device_name │ mdev │", "╞══════╪══════╡"]
    for row in rows(name):
        lines += [
            f"│ {' │ '.join(f'{row[key]:>10}' for key in KEYS)} │ {row['device_name']} │      │",
            "├───┼───┤",
        ]
    return (
        "root@pve:~# pvesh get /nodes/pve/hardware/pci\n┌──────┬──────┐\n"
        + "\n".join(lines)
        + "\n└──────┴──────┘\n"
    )


def bare(name: str) -> str:
    return "\n".join(" ".join(str(row[key]) for key in (*KEYS, "device_name")) for row in rows(name))


def parents(name: str) -> dict[str, str]:
    found = functions(name)
    bridges: dict[tuple[int, int], Where] = {
        (each.where[0], each.buses[0]): each.where for each in found.values() if each.buses
    }
    return {
        sbdf: called(bridges[each.where[:2]]) for sbdf, each in found.items() if each.where[:2] in bridges
    }


def node(sbdf: str) -> str:
    return "pci_" + sbdf.replace(":", "_").replace(".", "_")


def xml(name: str) -> str:
    """As `virsh nodedev-dumpxml` prints each device."""
    groups = {sbdf: (n, group) for n, group in enumerate(kernels_groups(name)) for sbdf in group}
    above = parents(name)
    text = ""
    for row in rows(name):
        sbdf = str(row["id"])
        number, group = groups[sbdf]
        members = "".join(f"      <address {_xml_address(each)}/>\n" for each in sorted(group))
        text += (
            f"$ virsh nodedev-dumpxml {node(sbdf)}\n<device>\n  <name>{node(sbdf)}</name>\n"
            f"  <path>/sys/devices/pci0000:00/{sbdf}</path>\n"
            f"  <parent>{node(above[sbdf]) if sbdf in above else 'computer'}</parent>\n  <driver>\n"
            "    <name>vfio-pci</name>\n  </driver>\n  <capability type='pci'>\n"
            f"    <class>{row['class']}</class>\n    <product id='{row['device']}'>A</product>\n"
            f"    <vendor id='{row['vendor']}'>B</vendor>\n    <iommuGroup number='{number}'>\n{members}"
            "    </iommuGroup>\n  </capability>\n</device>\n\n"
        )
    return text


def _xml_address(sbdf: str) -> str:
    parts = ("domain", sbdf[:4]), ("bus", sbdf[5:7]), ("slot", sbdf[8:10]), ("function", sbdf[11])
    return " ".join(f"{name}='0x{value}'" for name, value in parts)


def tree(name: str) -> str:
    """As `virsh nodedev-list --tree` draws it."""
    above = parents(name)
    below: dict[str | None, list[str]] = {}
    for sbdf in functions(name):
        below.setdefault(above.get(sbdf), []).append(sbdf)

    def lines(parent: str | None, indent: str) -> Iterator[str]:
        for sbdf in below.get(parent, ()):
            yield f"{indent}+- {node(sbdf)}"
            yield from lines(sbdf, f"{indent}|   ")
            yield f"{indent}|"

    return (
        "computer\n  |\n  +- net_lo_00_00_00_00_00_00\n" + "\n".join(lines(None, "  ")) + "\n  +- usb_usb1\n"
    )


FORMS: dict[str, Callable[[str], str]] = {
    "pvesh": pvesh,
    "pvesh --noborder": bare,
    "json": lambda name: json.dumps(list(rows(name))),
    "json-pretty": lambda name: json.dumps(list(rows(name)), indent=3),
    "xml": xml,
    "xml in a page": lambda name: xml(name).replace("<", "&lt;").replace(">", "&gt;"),
    "xml in a mail": lambda name: "".join(f"> {line}\n" for line in xml(name).splitlines()),
}


@pytest.mark.parametrize("name", PCS)
@pytest.mark.parametrize("form", FORMS)
def test_each_form_tells_ids_and_groups(name: str, form: str) -> None:
    text = FORMS[form](name)
    assert {"managed"} == forms_of(text)
    read = read_paste(text, "x")
    assert kernels_groups(name) == partition(read)
    told = {called(each.where): each.keys for each in read.functions if each.keys}
    assert {sbdf: (each.keys["class"], each.keys["id"]) for sbdf, each in functions(name).items()} == {
        sbdf: (keys["class"], keys["id"]) for sbdf, keys in told.items()
    }


@pytest.mark.parametrize("name", PCS)
@pytest.mark.parametrize("form", [xml, tree])
def test_libvirt_tells_what_is_below_which_bridge(name: str, form: object) -> None:
    found = read_paste(form(name), "x")  # type: ignore[operator]
    buses = {
        each.where[:2]: parents(name)[sbdf] for sbdf, each in functions(name).items() if sbdf in parents(name)
    }
    assert buses == {bus: called(where) for bus, where in found.parents.items()}
    outcome = simulate_pastes([found], RunOptions())
    assert outcome is not None
    assert {} == outcome.machine.unplaced


def test_a_function_without_a_group_has_none() -> None:
    text = '[{"class":"0x020000","device":"0x1533","id":"0000:00:03.0","iommugroup":-1,"vendor":"0x8086"}]'
    read = read_paste(text, "x")
    assert ((), 1) == (read.groups, len(read.functions))


# As libvirt's "Node devices XML format" shows a function with virtual ones, one of these, and a root bus.
LIBVIRTS = """\
<device>
  <name>pci_0000_80_00_0</name>
  <parent>computer</parent>
  <capability type='pci'>
    <class>0x020000</class>
    <product id='0x10c9'>82576 Gigabit Network Connection</product>
    <vendor id='0x8086'>Intel Corporation</vendor>
    <capability type='virt_functions' maxCount='7'>
      <address domain='0x0000' bus='0x80' slot='0x10' function='0x0'/>
    </capability>
    <iommuGroup number='12'>
      <address domain='0x0000' bus='0x80' slot='0x00' function='0x0'/>
    </iommuGroup>
  </capability>
</device>
<device>
  <name>pci_0000_80_10_0</name>
  <parent>computer</parent>
  <capability type='pci'>
    <class>0x020000</class>
    <product id='0x10ca'>82576 Virtual Function</product>
    <vendor id='0x8086'>Intel Corporation</vendor>
    <capability type='phys_function'>
      <address domain='0x0000' bus='0x80' slot='0x00' function='0x0'/>
    </capability>
    <iommuGroup number='31'>
      <address domain='0x0000' bus='0x80' slot='0x10' function='0x0'/>
    </iommuGroup>
  </capability>
</device>
"""


def test_libvirt_tells_what_is_virtual_and_what_is_a_root_bus() -> None:
    read = read_paste(LIBVIRTS, "x")
    told = {called(each.where): each.virtual for each in read.functions if each.keys}
    assert {"0000:80:00.0": False, "0000:80:10.0": True} == told
    assert {frozenset({"0000:80:00.0"}), frozenset({"0000:80:10.0"})} == partition(read)
    assert [(0, 0x80)] == [(each.segment, each.bus) for each in read.roots]


@pytest.mark.parametrize(
    "text",
    [
        "rootplex: 1\nplatform: {name: x}\n# {iommugroup: 0000:00:00.0}\n",
        "[1, 2, 3]\n",
        "<html><body><device>none</device></body></html>\n",
        "computer science\n  |\n  +- a tree\n",
    ],
)
def test_what_is_none_of_theirs(text: str) -> None:
    assert frozenset() == forms_of(text)
