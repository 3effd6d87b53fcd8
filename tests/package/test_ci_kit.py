"""What a project's CI takes: the hooks, the action, the snippet; run as far as that goes without a host."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from rootplex.cli import COMMANDS

FILES = ("topologies/good.yaml", "topologies/bad.yaml")
GOOD = """\
rootplex: 1
platform: {name: good, arch: arm64, base: qemu-virt, firmware: [dt]}
host_bridges:
  - {name: main, segment: 0, bus_range: [0, 0x3f], config: {base: 0x40_1000_0000},
     windows: [{space: mem32, pci: 0x1000_0000, size: 256MiB}]}
"""
BAD = GOOD.replace("name: good", "name: bad").replace("0x1000_0000, size", "0x4000_0000, size")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "topologies").mkdir()
    for name, text in zip(FILES, (GOOD, BAD), strict=True):
        (tmp_path / name).write_text(text)
    return tmp_path


def shell(script: str, project: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **environment, "PATH": path, "RUNNER_TEMP": str(project / "temp")}
    argv = ["sh", "-e", "-c", script]
    return subprocess.run(argv, cwd=project, env=environment, capture_output=True, text=True)


def test_the_hooks_name_commands_and_descriptions(checkout: Path, project: Path) -> None:
    hooks = read(checkout / ".pre-commit-hooks.yaml")
    assert ["rootplex-check", "rootplex-drift"] == [hook["id"] for hook in hooks]
    for hook in hooks:
        program, command, *_ = shlex.split(hook["entry"])
        assert ("rootplex", True) == (program, command in COMMANDS)
        assert all(re.search(hook["files"], name) for name in FILES)
        words = [*shlex.split(hook["entry"]), *hook.get("args", [])]
        assert 0 == shell(shlex.join([*words, FILES[0]]), project).returncode
        assert 1 == shell(shlex.join([*words, *FILES]), project).returncode


@pytest.mark.parametrize(("files", "status"), [(FILES[0], 0), ("topologies/*.yaml", 1)])
def test_the_action_checks_and_leaves_sarif(checkout: Path, project: Path, files: str, status: int) -> None:
    action = read(checkout / "action.yml")
    (step,) = (step for step in action["runs"]["steps"] if step["name"] == "Check")
    environment = {"FILES": files, "VALIDATE": "", "STRICT": "false"}
    assert set(environment) == set(step["env"])
    done = shell(step["run"], project, **environment)
    assert status == done.returncode, done.stderr
    (run,) = json.loads((project / "temp" / "sarif" / "check.sarif").read_text())["runs"]
    assert status == len(run["results"])
    assert "good: consistent" in done.stdout


def test_the_action_validates_firmware(checkout: Path, project: Path) -> None:
    shell(f"rootplex compile {FILES[0]}", project)
    (step,) = (step for step in read(checkout / "action.yml")["runs"]["steps"] if step["name"] == "Check")
    environment = {"FILES": FILES[0], "VALIDATE": "generated/good/good.dtb", "STRICT": "false"}
    assert 0 == shell(step["run"], project, **environment).returncode
    assert (project / "temp" / "sarif" / "validate.sarif").is_file()


def test_the_snippet_leaves_a_report(checkout: Path, project: Path) -> None:
    job = read(checkout / "ci" / "gitlab.yml")["rootplex"]
    script = "\n".join(job["script"]).replace("/opt/rootplex/bin/", "")
    done = shell(script, project, ROOTPLEX_FILES="topologies/*.yaml")
    assert 1 == done.returncode
    report = job["artifacts"]["reports"]["junit"]
    assert '<failure message="' in (project / report).read_text()


def test_the_workflows_and_templates_are_yaml(checkout: Path) -> None:
    files = list((checkout / ".github").rglob("*.yml"))
    assert all(isinstance(read(file), dict) for file in files)
    templates = [file for file in files if file.parent.name == "ISSUE_TEMPLATE" and file.name != "config.yml"]
    assert all("rootplex capture" in file.read_text(encoding="utf-8") for file in templates)


def test_the_image_runs_as_nobody_special(checkout: Path) -> None:
    lines = (checkout / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "USER rootplex" in lines
    assert lines.index("USER rootplex") > max(i for i, line in enumerate(lines) if line.startswith("RUN"))
