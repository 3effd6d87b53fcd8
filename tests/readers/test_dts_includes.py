"""Device tree sources that include others: what may be opened, what is never, and what comes of it."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from rootplex.readers import includes, preprocessing
from rootplex.readers.dtb import read_dtb
from rootplex.readers.dts import compile_dts
from rootplex.source.finding import Finding, Unreadable
from rootplex.source.place import FilePlace, Span
from rootplex.tools.runner import run

pytestmark = pytest.mark.skipif(
    shutil.which("dtc") is None or shutil.which("cpp") is None, reason="needs dtc and cpp"
)

SECRET = "rootplex-test-secret"
CPP = ["cpp", "-nostdinc", "-undef", "-w", "-x", "assembler-with-cpp", "-P"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """`board/` with the source, `headers/` that -I names, and a secret elsewhere."""
    for name in ("board", "headers", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere" / "secret").write_text(f"{SECRET};\n")
    return tmp_path


def compiled(place: Path, text: str) -> dict[str, bytes]:
    """The root's properties of a source in `board/`."""
    source = place / "board" / "x.dts"
    source.write_text(text)
    blob = compile_dts(text, str(source), [str(place / "headers")])
    return read_dtb(blob, "x").root.properties


def refused(place: Path, text: str) -> Finding:
    with pytest.raises(Unreadable) as error:
        compiled(place, text)
    (finding,) = error.value.findings
    return finding


ATTACKS = {
    "by its path": '#include "{secret}"',
    "by its path, angled": "#include <{secret}>",
    "up": '#include "../elsewhere/secret"',
    "up from a folder": "#include <../elsewhere/secret>",
    "up and down": '#include "../board/../elsewhere/secret"',
    "a macro": '#define FILE "{secret}"\n#include FILE',
    "a macro of a macro": '#define A(x) x\n#define FILE A("{secret}")\n#include A(FILE)',
    "next": '#include_next "{secret}"',
    "import": '#import "{secret}"',
    "a comment before": '/* x */ #include "{secret}"',
    "a comment of lines before": '/* x\n*/#include "{secret}"',
    "comments between": '#/**/include/**/"{secret}"',
    "a comment of lines between": '#/*\n*/include/*\n\n*/"{secret}"',
    "splices": '#\\\ninc\\\nlude\\\n "{secret}"',
    "a splice with spaces": '#inc\\ \t \nlude "{secret}"',
    "a splice in a comment's sign": '/\\\n* x *\\\n/#include "{secret}"',
    "splices of DOS": '#\\\r\ninc\\\r\nlude "{secret}"\r\n',
    "an old Mac's ends": 'x;\r#include "{secret}"\r',
    "a zero": '#\0include "{secret}"',
    "other white space": '\f#\v\finclude\f"{secret}"',
    "behind a broken string": '"\n#include "{secret}"',
    "behind an apostrophe": "don't /* \n#include \"{secret}\" // */",
    "behind a comment in a string": '"/*"\n#include "{secret}"\n"*/"',
    "behind a comment behind a line's": '// /*\n#include "{secret}"\n// */',
    "in a macro's arguments": '#define X(a) a\nX(\n#include "{secret}"\n)',
    "in what looks like a raw string": 'R"x(\n#include "{secret}"\n)x"',
    "where a condition holds": '#if 1 && !defined(X)\n#else\n#endif\n#ifndef X\n#include "{secret}"\n#endif',
    "by a link beside": '#include "link"',
    "by a link to its folder": '#include "way/secret"',
    "by a link in -I": "#include <link>",
    "dtc's own": '/include/ "{secret}"',
    "dtc's own, up": '/include/ "../elsewhere/secret"',
    "dtc's own by a link": '/include/ "link"',
    "dtc's own of a macro": '#define I /include/\nI "{secret}"',
    "dtc's own that is pasted": '#define I(a) a##/\n/include/ "{secret}"',
    "a mark of another folder": '# 1 "{elsewhere}/x.dts"\n#include "secret"',
    "a line of another folder": '#line 1 "{elsewhere}/x.dts"\n#include "secret"',
    "a mark of dtc": '# 1 "{elsewhere}/x.dts"\n/include/ "secret"',
    "bytes": '/ {{ a = /incbin/("{secret}"); }};',
    "bytes of a macro": '#define I /incbin/\n/ {{ a = I("{secret}"); }};',
    "bytes of beside": '/ {{ a = /incbin/("x.dts"); }};',
}  # fmt: skip


@pytest.fixture
def linked(place: Path) -> Path:
    secret = place / "elsewhere" / "secret"
    for folder in ("board", "headers"):
        (place / folder / "link").symlink_to(secret)
        (place / folder / "way").symlink_to(secret.parent)
    return place


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_way_leads_to_another_file(linked: Path, attack: str) -> None:
    elsewhere = linked / "elsewhere"
    text = "/dts-v1/;\n" + ATTACKS[attack].format(secret=elsewhere / "secret", elsewhere=elsewhere)
    finding = refused(linked, text)
    assert SECRET not in f"{finding.message} {finding.notes} {finding.help}"
    (elsewhere / "secret").unlink()
    assert refused(linked, text) == finding, "it tells whether the file is there"


@pytest.mark.parametrize(
    "attack", [each for each in ATTACKS if not each.startswith(("dtc", "bytes", "a mark", "a line of"))]
)
def test_cpp_itself_would_have_opened_it(linked: Path, attack: str) -> None:
    text = ATTACKS[attack].format(secret=linked / "elsewhere" / "secret", elsewhere=linked / "elsewhere")
    argv = [*CPP, f"-I{linked / 'headers'}", "-"]
    outcome = run(argv, cwd=linked / "board", stdin=text.encode())
    assert SECRET in outcome.stdout + outcome.stderr


LOOKS = {
    "has_include": '#if __has_include("{secret}")\n/ {{ a; }};\n#endif',
    "has_include_next": '#if __has_include_next("{secret}")\n/ {{ a; }};\n#endif',
    "pasted": '#define P(a, b) a##b\n#if P(__has_, include)("{secret}")\n/ {{ a; }};\n#endif',
    "has_embed": '#if __has_embed("{secret}")\n/ {{ a; }};\n#endif',
    "a pragma": '#pragma GCC dependency "{secret}"\n/ {{ a; }};',
    "a pragma by its operator": '_Pragma("GCC dependency \\"{secret}\\"")\n/ {{ a; }};',
    "a pasted pragma": '#define P(a, b) a##b\nP(_Pra, gma)("GCC dependency \\"{secret}\\"")\n/ {{ a; }};',
    "unpoisoned": '#undef __has_include\n#if __has_include("{secret}")\n/ {{ a; }};\n#endif',
    "a header of before": '#pragma GCC pch_preprocess "{secret}"\n/ {{ a; }};',
    "embed": '/ {{ a = <\n#embed "{secret}"\n>; }};',
}  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_tells_whether_a_file_is_there(place: Path, look: str) -> None:
    """`#embed` of compilers to come is among them."""
    secret = place / "elsewhere" / "secret"
    text = "/dts-v1/;\n" + LOOKS[look].format(secret=secret)
    finding = refused(place, text)
    assert isinstance(finding.at, Span)
    assert "not followed in a device tree source" in finding.message
    secret.unlink()
    assert refused(place, text) == finding


def test_without_folders_nothing_is_included(place: Path) -> None:
    (place / "board" / "b.dtsi").write_text("/ { a; };\n")
    source = str(place / "board" / "x.dts")
    Path(source).write_text("")
    for text, said in (
        ('/dts-v1/;\n#include "b.dtsi"\n', "it has #include"),
        ('/dts-v1/;\n /include/ "b.dtsi"\n', "includes another file"),
    ):
        with pytest.raises(Unreadable, match=said) as error:
            compile_dts(text, source)
        (finding,) = error.value.findings
        assert isinstance(finding.at, Span)
        assert (finding.at.file, finding.at.line) == (source, 2)
        assert finding.help is not None
        assert f"-I {place / 'board'}`" in finding.help


def test_what_lies_beside_or_in_a_folder_is_included(place: Path) -> None:
    (place / "board" / "sub").mkdir()
    (place / "board" / "sub" / "b.dtsi").write_text('#include "c.dtsi"\n#include <numbers.h>\n')
    (place / "board" / "sub" / "c.dtsi").write_text("/ { c = <C>; };\n")
    (place / "board" / "d.dtsi").write_text('/include/ "sub/e.dtsi"\n')
    (place / "board" / "sub" / "e.dtsi").write_text(
        '/ { e = <0xe>; }; /include/ "f.dtsi" / { g = "/include/"; };\n'
    )
    (place / "headers" / "f.dtsi").write_text("/ { f = <0xf>; };")
    (place / "headers" / "numbers.h").write_text("#ifndef N\n#define N\n#define C 12\n#endif\n")
    (place / "headers" / "up.h").write_text('#include "../board/sub/../up.dtsi"\n')
    (place / "board" / "up.dtsi").write_text("/ { up; };\n")
    (place / "board" / "inside").symlink_to("sub")
    text = """/dts-v1/;
#include <numbers.h>
#include "sub/b.dtsi"
#include "inside/c.dtsi"
/include/ "d.dtsi"
#include <up.h>
#if C == 12 /* twelve
*/
/ { #size-cells = <(C + 1)>; s = "http://x", "C"; };
#else
#include "missing.h"
#include_next "missing.h"
#if __GNUC__ && nonsense
#endif
#endif
"""
    number = {"c": 12, "e": 14, "f": 15, "#size-cells": 13}
    assert compiled(place, text) == {
        **{name: value.to_bytes(4, "big") for name, value in number.items()},
        "g": b"/include/\0",
        "up": b"",
        "s": b"http://x\0C\0",
    }


def test_guards_hold_against_a_circle(place: Path) -> None:
    headers = place / "headers"
    (headers / "a.h").write_text('#ifndef A\n#define A\n#include "b.h"\n#define AA 1\n#endif\n')
    (headers / "b.h").write_text(
        '/* b */\n#ifndef B\n#define B\n#include "a.h"\n#define BB 2\n#endif /* B */\n'
    )
    (headers / "once.h").write_text('#pragma once\n#include "once.h"\n/ { once = <AA BB>; };\n')
    text = (
        "/dts-v1/;\n#include <a.h>\n#include <b.h>\n#if 0\n#include <once.h>\n#endif\n"
        + "#include <once.h>\n" * 2
    )
    assert compiled(place, text) == {"once": bytes((0, 0, 0, 1, 0, 0, 0, 2))}


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ('#include "x.dts"', "board/x.dts includes itself", 2),
        ('/include/ "x.dts"', "board/x.dts includes itself", 2),
        ('\n#include "none.h"', "no file none.h beside the source or in a folder of -I", 3),
        ("#include <none.h>", "no file none.h in a folder of -I", 2),
        ('/include/ "none"', "no file none beside the source or in a folder of -I", 2),
        ('#include ""', "an include without a file's name", 2),
        ('#include "sub"', "no file sub beside the source or in a folder of -I", 2),
        (f'#include "{"x" * 5000}"', "no file of this name can be opened", 2),
        ("#error no board", "cpp: no board", 2),
        ("#if\n#endif", "cpp: #if with no expression", 2),
        ("/*", "a comment without an end", 2),
        ("#if 1\n/ { };", "an #if of this file has no #endif", 3),
        ("#if 0\n#endif\n#endif", "#endif without #if in this file", 4),
        ("/*\n\n*/ / { a = <B>; };", "dtc: syntax error", 4),
        ("#define B ]\n/* */\n/ { a = <B>; };", "dtc: syntax error", 4),
    ],
)
def test_what_is_wrong_is_told_at_its_line(place: Path, text: str, said: str, line: int) -> None:
    (place / "board" / "sub").mkdir()
    finding = refused(place, "/dts-v1/;\n" + text)
    assert said in finding.message
    assert isinstance(finding.at, Span)
    assert (finding.at.file, finding.at.line) == (str(place / "board" / "x.dts"), line)


def test_what_is_wrong_in_an_included_file_is_told_there(place: Path) -> None:
    header, body = place / "headers" / "h.dtsi", place / "board" / "b.dtsi"
    header.write_text("#define NODE(x) x: node {\\\n}\n\n/ {\n\ta = <1;\n};\n")
    finding = refused(place, "/dts-v1/;\n\n#include <h.dtsi>\n")
    assert finding.at == Span(str(header), 5, 8, 5, 10)
    body.write_text("/ { };\n/ {\n a = <1;\n};\n")
    finding = refused(place, '/dts-v1/;\n/include/ "b.dtsi"\n')
    assert finding.at == Span(str(body), 3, 8, 3, 10)


def test_a_source_from_standard_input_has_nothing_beside_it(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "headers" / "h.dtsi").write_text("/ { h; };\n")
    (place / "elsewhere" / "h.dtsi").write_text(f"{SECRET};\n")
    monkeypatch.chdir(place / "elsewhere")
    text = '/dts-v1/;\n#include "h.dtsi"\n'
    blob = compile_dts(text, "<stdin>", [str(place / "headers")])
    assert read_dtb(blob, "x").root.properties == {"h": b""}


def test_it_is_bounded(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = place / "headers"
    monkeypatch.setattr(includes, "FILES_LIMIT", 100)
    for depth in range(30):
        (headers / f"{depth}.h").write_text(f'#include "{depth + 1}.h"\n' * 2)
    (headers / "30.h").write_text("x\n")
    assert "more than 100 files are included" in refused(place, "/dts-v1/;\n#include <0.h>\n").message
    for depth in range(70):
        (headers / f"{depth}.h").write_text(f'#include "{depth + 1}.h"\n')
    (headers / "70.h").write_text("x\n")
    assert "or one within 64 others" in refused(place, "/dts-v1/;\n#include <0.h>\n").message
    monkeypatch.setattr(includes, "LINES_LIMIT", 1000)
    (headers / "long.h").write_text("\n" * 600)
    finding = refused(place, "/dts-v1/;\n#include <long.h>\n#include <long.h>\n")
    assert "1,000 lines" in finding.message
    (headers / "wide.h").write_text("x" * (5 << 20))
    assert "8 MiB" in refused(place, "/dts-v1/;\n#include <wide.h>\n#include <wide.h>\n").message


def test_a_macro_that_doubles_without_end_is_ended(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocessing, "SECONDS", 0.5)
    lines = "".join(f"#define A{n + 1} A{n} A{n}\n" for n in range(40))
    finding = refused(place, f"/dts-v1/;\n#define A0 x\n{lines}A40\n")
    assert isinstance(finding.at, FilePlace)


@pytest.mark.parametrize(
    "start", ["/*", '"', "'", "\\\n", "#include \\\n", "/*\n", "#/*\n", "#if 1\n", "//\\\n", "\\ "]
)
def test_a_source_without_ends_takes_linear_time(place: Path, start: str) -> None:
    refused(place, "/dts-v1/;\n" + start * (50_000 // max(1, 4 * start.count("\n"))))


def test_the_same_tree_as_cpp_and_dtc_make(place: Path) -> None:
    """Random sources, with what the kernel's way makes of them as the judge."""
    random_ = random.Random(17)
    for number in range(8):
        names = [f"n{number}-{each}.dtsi" for each in range(4)]
        for at, name in enumerate(names):
            (place / "board" / name).write_text(_random_text(random_, names[at + 1 :], f"{number}_{at}"))
        source = place / "board" / f"s{number}.dts"
        text = "/dts-v1/;\n" + _random_text(random_, names, f"{number}_s")
        source.write_text(text)
        by_hand = subprocess.run([*CPP, str(source)], capture_output=True, check=True).stdout
        argv = ["dtc", "-q", "-I", "dts", "-O", "dtb", "-"]
        wanted = subprocess.run(argv, input=by_hand, capture_output=True, check=True).stdout
        assert compile_dts(text, str(source), [str(place / "headers")]) == wanted


def _random_text(random_: random.Random, below: list[str], key: str) -> str:
    pieces = [
        "#define VALUE 1\n",
        "#undef VALUE\n",
        "#ifdef VALUE\n/ { yes = <VALUE>; };\n#else\n/ { no; };\n#endif\n",
        '/ { s = "a\\\\", "/* no */", "//"; }; // "\n',
        "/ { c = <'\\''>; /* ' \" */ };\n",
        "#define ADD(a, \\\n  b) (a + \\\n b)\n/ { t = <ADD(1,\n 2)>; };\n",
        "/ {\n#address-cells = <1>; /* x\n */ #size-cells = <1>;\n};\n",
        "#if defined(VALUE) /* \n */ && VALUE == 1\n/ { one; };\n#endif\n",
        "#define CAT(a, b) a##b\n/ { CAT(p, q) = [00]; };\n#undef CAT\n",
        "#define ADD(a, b) (a - b)\n#undef ADD\n",
        f"/ {{ k{key}; }};\n",
        *(f'#include "{name}"\n' for name in below),
        *(f'#if 0\n#include "{name}"\n#endif\n' for name in below),
        *(f'/**/#/**/include "{name}" /* x\n*/\n' for name in below[:1]),
    ]
    return "".join(random_.choice(pieces) for _ in range(8))
