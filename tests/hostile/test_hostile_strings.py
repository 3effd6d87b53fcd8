"""Strings that would end a string, a comment, a tag or a command: each comes out as what it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.topologies.bundled import CHECKOUT

from rootplex.backends.acpi.ssdt import ssdt_source
from rootplex.backends.devicetree import device_tree
from rootplex.jobs.check import check_text
from rootplex.jobs.describe import read_checked
from rootplex.jobs.importing import description_text, import_source
from rootplex.jobs.qemu.files import SCRIPT, files
from rootplex.jobs.qemu.preparation import prepare
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import source_of_bytes
from rootplex.model.platform import Platform
from rootplex.readers.dtb import read_dtb
from rootplex.readers.dts import compile_dts
from rootplex.report import graph, page, svg
from rootplex.source.finding import Unreadable
from rootplex.source.printable import printable
from rootplex.tools.runner import private_folder, run

STRINGS = {
    "quotes": "\"'`\\\" '",
    "braces": "{{ 1 }} {% x %} {#c#} ${HOME} %s {0}",
    "comment ends": "*/ /* // */ --> <!-- #",
    "lines": "a\nb\r\n\tc\n/ { evil; };",
    "tags": "</script><script>alert(1)</script><img src=x onerror=alert(1)>&amp;<!--",
    "shell": "$(touch evil) `touch evil` ; touch evil & | > evil",
    "options": "-append x -device e1000 --help",
    "commas": "x,file=/etc/passwd,,id=evil",
    "bidirectional": "a\u202eb\u2066c\u200f\u2028d",
    "controls": "\x1b]0;x\x07\x7f\x9b31m",
    "words of dtc": '/incbin/("/etc/passwd") /include/ "x"',
    "no ASCII": "\u00e9\u6f22\U0001f600\\x41 \\u0041",
    "hexadecimal after an escape": "\u00e9a0b",
    "line directive": '# 1 "x"\n#line 7',
    "long": "x" * 3000,
}

TEXT = """rootplex: 1
platform:
  name: strings
  title: {value}
  vendor: {value}
  model: {value}
  compatible: [{value}, "b,c"]
  arch: arm64
  base: qemu-virt
  bootargs: {value}
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x3f]
    config: {{base: 0x40_1000_0000, compatible: ["pci-host-ecam-generic", {value}]}}
    windows: [{{space: mem32, pci: 0x10000000, size: 256MiB}}]
    intx: {{controller: gic, irqs: [3, 4, 5, 6]}}
    msi: {{controller: its}}
    dt: {{properties: {{"x,text": {value}, "x,list": [{value}, {value}]}}}}
    devices: [{{name: nic, dev: 1, model: "qemu:virtio-net-pci"}}]
suppress: [{{code: RPX0411, at: nic, reason: {value}}}]
"""

needs_tools = pytest.mark.skipif(
    not all(map(shutil.which, ("dtc", "iasl", "acpiexec"))), reason="needs dtc and acpica-tools"
)


def quoted(value: str) -> str:
    """As YAML has it: JSON's escapes, but for what JSON writes in two."""
    return json.dumps(value, ensure_ascii=max(value) <= "\uffff")


def text_with(value: str) -> str:
    return TEXT.format(value=quoted(value))


def platform_with(value: str) -> Platform:
    checked = read_checked(text_with(value).encode(), "x.yaml")
    assert checked.platform is not None, checked.findings
    return checked.platform


@pytest.fixture(params=list(STRINGS.values()), ids=list(STRINGS))
def value(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@needs_tools
def test_a_device_tree_source_says_what_its_blob_says(value: str) -> None:
    tree = device_tree(platform_with(value))
    blob = read_dtb(tree.dtb().data, "x.dtb")
    text = tree.dts().data.decode()
    source = read_dtb(compile_dts(text, "x.dts"), "x.dts")
    assert [node.path for node in source.walk()] == [node.path for node in blob.walk()]
    for node in blob.walk():
        assert dict(source.by_path[node.path].properties) == dict(node.properties)
    assert blob.root.properties["model"] == value.encode() + b"\0"
    assert blob.by_path["/chosen"].properties["bootargs"] == value.encode() + b"\0"
    (bridge,) = (node for node in blob.walk() if "x,text" in node.properties)
    assert bridge.properties["x,list"] == (value.encode() + b"\0") * 2
    assert printable(text) == text


@needs_tools
def test_the_text_of_aml_compiles_without_a_word(value: str) -> None:
    text = ssdt_source(platform_with(value)).data.decode("ascii")
    assert printable(text) == text
    with private_folder() as folder:
        (folder / "x.asl").write_text(text)
        outcome = run(["iasl", "-p", "x", "x.asl"], cwd=folder)
        assert (outcome.status, "0 Errors" in outcome.stdout + outcome.stderr) == (0, True), outcome.stdout


@needs_tools
def test_the_shell_script_runs_one_command_with_these_words(value: str, tmp_path: Path) -> None:
    text = (CHECKOUT / "topologies" / "qemu-virt.yaml").read_text()
    head = f"  base: qemu-virt\n  bootargs: {quoted('pci=' + value)}\n  vendor: {quoted(value)}\n"
    checked = read_checked(text.replace("  base: qemu-virt\n", head, 1).encode(), "x.yaml")
    assert checked.platform is not None, checked.findings
    prepared = prepare(checked.platform, "dt", "linux-6.1", in_memory=False)
    script = files(prepared)[SCRIPT]
    (tmp_path / SCRIPT).write_bytes(script)
    (tmp_path / "qemu-system-aarch64").write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
    (tmp_path / "qemu-system-aarch64").chmod(0o755)
    for name in ("kernel", "initrd"):
        (tmp_path / name).touch()
    before = sorted(path.name for path in tmp_path.iterdir())
    done = subprocess.run(
        ["sh", SCRIPT, "kernel", "initrd"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        check=True,
    )
    words = done.stdout.decode().split("\0")[:-1]
    appended = words[words.index("-append") + 1]
    assert words[: words.index("-display")] == list(prepared.arguments)
    assert appended.split()[0].startswith("console=")
    assert f"pci={value}".split()[0] in appended.split()
    assert sorted(path.name for path in tmp_path.iterdir()) == before


class Tags(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


@needs_tools
def test_a_page_has_no_elements_of_its_texts(value: str) -> None:
    def tags_of(text: str) -> Tags:
        result = check_text(text.encode(), "x.yaml", RunOptions())
        parsed = Tags()
        parsed.feed(page.render([result], {"x.yaml": text}))
        return parsed

    plain, found = tags_of(text_with("plain")), tags_of(text_with(value))
    assert found.tags.count("script") == plain.tags.count("script")
    assert found.tags.count("img") == 0
    assert found.handlers == plain.handlers


@needs_tools
def test_a_picture_of_it_is_one(value: str) -> None:
    from xml.etree import ElementTree

    result = check_text(text_with(value).encode(), "x.yaml", RunOptions())
    ElementTree.fromstring(svg.render(result))
    for text in (graph.dot(result), graph.mermaid(result)):
        assert "\n/ { evil" not in text


@needs_tools
def test_an_imported_tree_s_strings_are_those_of_the_tree(value: str) -> None:
    """Through YAML and back; what a device tree cannot say in a string is left out and listed."""
    blob = device_tree(platform_with(value)).dtb().data
    text = description_text(import_source(source_of_bytes(blob, f"{value}.dtb")))
    assert printable(text) == text
    try:
        again = read_checked(text.encode(), "x.yaml")
    except Unreadable as error:
        pytest.fail(f"{error}: {text[:600]}")
    assert again.platform is not None
    assert again.platform.model == value


@pytest.mark.parametrize("name", ["\x1b[2J.yaml", "\u202ea.yaml", "\x9b2J", "a\x7f", "\udcff.yaml"])
def test_a_page_printed_on_a_terminal_steers_nothing(name: str) -> None:
    """Of a page without an output file the terminal reads the file's name."""
    text = page.render((check_text(b"x", name, RunOptions()),), {name: "x"})
    assert printable(text) == text
