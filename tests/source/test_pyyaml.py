"""PyYAML as we import it: what is compiled when, and that its own reader still works."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest


def in_a_new_process(program: str) -> str:
    """What a program prints in an interpreter that has not imported PyYAML yet."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, check=True)
    return done.stdout.decode().strip()


def test_the_import_compiles_no_pattern_and_puts_the_real_compile_back() -> None:
    printed = in_a_new_process("""
        import re, re._compiler
        compiled, real, at_work = [], re.compile, re._compiler.compile
        def counted(pattern, flags=0):
            compiled.append(pattern)
            return at_work(pattern, flags)
        re._compiler.compile = counted
        from rootplex.source.pyyaml import yaml
        print(compiled, re.compile is real)
    """)
    assert printed == "[] True"


@pytest.mark.parametrize("loader", ["SafeLoader", "CSafeLoader"])
def test_the_patterns_work_when_they_are_used(loader: str) -> None:
    printed = in_a_new_process(f"""
        from rootplex.source.pyyaml import yaml
        loader = getattr(yaml, "{loader}", yaml.SafeLoader)
        print(yaml.load("[1, 0x1F, 2001-12-14, no, 1.5, ~, a]", Loader=loader))
        try:
            yaml.load("a: \x01", Loader=loader)
        except yaml.reader.ReaderError:
            print("refused")
    """)
    assert printed == "[1, 31, datetime.date(2001, 12, 14), False, 1.5, None, 'a']\nrefused"


def test_dumping_works_too() -> None:
    printed = in_a_new_process("""
        from rootplex.source.pyyaml import yaml
        print(yaml.safe_dump({"a": "1", "b": 1.5, "c": "no"}))
    """)
    assert printed == "a: '1'\nb: 1.5\nc: 'no'"
