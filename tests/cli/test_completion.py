"""Completion as the shells themselves make it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """With the program on the path, as installed."""
    program = Path(sys.executable).with_name("rootplex")
    if not program.exists():
        pytest.skip("rootplex is not installed beside this Python")
    return {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }


def asked(shell: str, text: str, environment: Mapping[str, str]) -> str:
    """What a shell prints of a program for it."""
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    flags = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    return subprocess.run(
        [shell, *flags, "-c", text], env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("rootplex che", {"check"}),
        ("rootplex check --fo", {"--format"}),
        ("rootplex check --format sa", {"sarif"}),
        ("rootplex explain RPX05", {"RPX0501", "RPX0513"}),
        (
            "rootplex explain host_bridges.config.si",
            {"host_bridges.config.size"},
        ),
        ("rootplex new --from qemu-virt-", {"qemu-virt-32", "qemu-virt-three-segments"}),
    ],
)
def test_bash(line: str, answers: set[str], environment: Mapping[str, str]) -> None:
    words = line.split()
    printed = asked(
        "bash",
        f"""eval "$(rootplex completion bash)"
        COMP_LINE='{line}' COMP_POINT={len(line)} COMP_TYPE=9 COMP_WORDS=({line}) COMP_CWORD={len(words) - 1}
        _python_argcomplete rootplex '{words[-1]}' '{words[-2]}'; printf '%s\\n' "${{COMPREPLY[@]}}" """,
        environment,
    )
    assert answers <= {each.strip() for each in printed.splitlines()}


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("rootplex pla", {"plan"}),
        ("rootplex plan --xen-version ", {"xen-4.17", "xen-4.20"}),
        ("rootplex explain RPX080", {"RPX0801"}),
    ],
)
def test_fish(line: str, answers: set[str], environment: Mapping[str, str]) -> None:
    printed = asked("fish", f"rootplex completion fish | source; complete -C '{line}'", environment)
    assert answers <= {each.split("\t")[0] for each in printed.splitlines()}


def test_zsh(environment: Mapping[str, str]) -> None:
    """zsh completes only where somebody types."""
    if shutil.which("zsh") is None:
        pytest.skip("needs zsh")
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], dict(environment))
    try:
        typed = 'autoload -U compinit; compinit -u -D; eval "$(rootplex completion zsh)"; echo ready\n'
        os.write(terminal, typed.encode())
        assert "\nready" in until(terminal, "\nready")
        os.write(terminal, b"rootplex check --format sar\t")
        assert "sarif" in until(terminal, "sarif")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)


def until(terminal: int, text: str) -> str:
    """What a terminal shows until a text is in it, or ten seconds have gone."""
    shown = ""
    deadline = time.monotonic() + 10
    while text not in shown and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 4096).decode("utf-8", "replace").replace("\r", "")
    return shown


def test_no_other_shell_is_known(environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        ["rootplex", "completion", "csh"], env=environment, capture_output=True, check=False
    )
    assert 2 == done.returncode
