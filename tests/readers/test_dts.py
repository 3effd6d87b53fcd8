"""Device tree sources: what is refused before dtc sees it, and what only looks like it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rootplex.readers.dtb import read_dtb
from rootplex.readers.dts import compile_dts
from rootplex.source.finding import Unreadable
from rootplex.source.place import Span
from rootplex.tools.runner import run

pytestmark = pytest.mark.skipif(shutil.which("dtc") is None, reason="needs dtc")

CASES = Path(__file__).parents[1] / "hostile" / "cases"


def refused(text: str) -> Span:
    with pytest.raises(Unreadable) as error:
        compile_dts(text, "x.dts")
    (finding,) = error.value.findings
    assert finding.message == "device tree source includes another file"
    assert isinstance(finding.at, Span)
    return finding.at


@pytest.mark.parametrize("case", sorted(CASES.glob("incbin-*.dts")), ids=lambda case: case.stem)
def test_a_file_that_dtc_would_read_is_refused_at_its_line(case: Path) -> None:
    assert refused(case.read_text()) == Span("x.dts", 4, 31, 4, 39)


@pytest.mark.parametrize(
    "text",
    [
        '/ { a = /incbin/("SECRET"); };',
        '/ { a = /incbin/ ("SECRET"); };',
        '/ { a = /incbin/\n\t("SECRET", 0, 1); };',
        '/ { a = /incbin/ /* " */ ("SECRET"); };',
        '/ { a = /incbin/ // "\n ("SECRET"); };',
        '/ { a = l0: /incbin/ /**/ ("SECRET") l1: ; };',
        '/ { a = "\\"", /incbin/("SECRET"); };',
        '/ { a = "/*", /incbin/("SECRET"), "*/"; };',
        '/ { a = <\'"\'>, /incbin/("SECRET"), ""; };',
        "/ { a = <'\\''>, /incbin/(\"SECRET\"); };",
        '/* " */ / { a = /incbin/("SECRET"); }; /* " */',
        '// /*\n/ { a = /incbin/("SECRET"); }; // */',
        '/include/ "SECRET"',
        '/ { /include/\n"SECRET" };',
    ],
)
def test_whatever_stands_between_the_words(text: str, tmp_path: Path) -> None:
    source = "/dts-v1/;\n" + text
    opened = run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-"], cwd=tmp_path, stdin=source.encode())
    assert "SECRET" in opened.stderr, "dtc itself does not look for the file"
    assert refused(source).line == 2 + text.count("\n", 0, text.index("/in"))


@pytest.mark.parametrize(
    "text",
    ['/ { /**//incbin/("x"); };', '/include//**/"x"', '/include/ // "\n"x"', "/incbin/", "/include/x/"],
)
def test_the_words_alone_are_refused_too(text: str) -> None:
    assert refused("/dts-v1/;\n" + text).line == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('a = "x"; /* /incbin/("y") */', b"x\0"),
        ('// /include/ "y"\na = "x";', b"x\0"),
        ('a = "/incbin/(\\"y\\")";', b'/incbin/("y")\0'),
        ('a = "/include/", "//", "/* /incbin/";', b"/include/\0//\0/* /incbin/\0"),
        ("a = <'\"'>; // /incbin/ \"", b'\0\0\0"'),
    ],
)
def test_words_in_comments_and_strings_mean_nothing(text: str, value: bytes) -> None:
    tree = read_dtb(compile_dts(f"/dts-v1/;\n/ {{ {text}\n}};", "x.dts"), "x.dts")
    assert tree.root.properties["a"] == value


@pytest.mark.parametrize(
    "start", ["/*", '"', "'", '"\\\n', "'\\'", "/* *", "//", "/include/ /*", "*/", "&{/"]
)
def test_a_source_without_ends_takes_linear_time(start: str) -> None:
    with pytest.raises(Unreadable):
        compile_dts("/dts-v1/;\n" + start * (1 << 20), "x.dts")
