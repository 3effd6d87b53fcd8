"""What `docs/how-to/editor.md` gives to paste is well formed and starts the server."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from tests.editor.open_documents import CHECKOUT

from rootplex.cli import COMMANDS

PAGE = (CHECKOUT / "docs" / "how-to" / "editor.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("language", ["lua", "toml", "elisp", "js"])
def test_each_starts_the_server(language: str) -> None:
    words = re.findall(r'"([^"\n]*)"', BLOCKS[language])
    assert {"rootplex", "lsp"} <= set(words)
    assert "lsp" in COMMANDS


def test_each_is_well_formed() -> None:
    helix = tomllib.loads(BLOCKS["toml"])
    assert helix["language-server"]["rootplex"] == {"command": "rootplex", "args": ["lsp"]}
    assert json.loads(BLOCKS["json"])["main"] == "./extension.js"
    for language in ("lua", "elisp", "js"):
        for opens, closes in ("()", "{}", "[]"):
            assert BLOCKS[language].count(opens) == BLOCKS[language].count(closes)


def test_what_it_says_of_the_commands_is_true(checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"lsp", "watch"} <= project["optional-dependencies"].keys()
