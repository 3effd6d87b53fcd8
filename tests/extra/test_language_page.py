"""The copies in `tests/source/schema_samples.py` beside the page that fixes the language."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from tests.source.schema_samples import EXAMPLE, KEYS, NO_ROW

ADDED = ("guests", "linux")
"""At the top since: the page tells of them below its tables."""


def test_the_lists_of_keys_have_every_key_of_the_pages_tables(shared: Path) -> None:
    page = (shared / "language.md").read_text(encoding="utf-8")
    for name, heading in (("", "Top level"), ("host_bridge", "host_bridges"), ("device", "devices")):
        section = re.split(r"^#+ ", page.split(f"# {heading}\n")[1], flags=re.MULTILINE)[0]
        cells = re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE)
        keys = [key for cell in cells for key in re.findall(r"`(\w+)`", cell)]
        ours = KEYS[name].split()
        assert keys == [key for key in ours if key in keys]
        assert {key for key in ours if key not in keys} <= {*NO_ROW, *ADDED}


def test_the_example_is_the_pages(shared: Path) -> None:
    page = (shared / "language.md").read_text(encoding="utf-8")
    text = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)[0]
    quoted = re.sub(r"(0x[0-9a-f]+_[0-9a-f_]+)", r'"\1"', text)  # an integer in YAML 1.1 only
    assert yaml.safe_load(quoted) == EXAMPLE
