"""The wheel carries the checkout's `schemas/` and `topologies/`; an editable install reads them there. The
URLs of the metadata are made of the project's one address, and left out while it has none."""

from __future__ import annotations

from runpy import run_path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

PAGES = {"Homepage": "", "Issues": "/issues", "Changelog": "/blob/main/CHANGELOG.md"}


class SharedData(BuildHookInterface[Any]):
    """Adds the two data folders to a standard wheel only, so that there is never a second copy."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"].update(
                {"schemas": "rootplex/schemas", "topologies": "rootplex/topologies"}
            )


class Addresses(MetadataHookInterface):
    """The project's URLs."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        address = run_path(f"{self.root}/compiler/rootplex/project.py")["ADDRESS"]
        metadata["urls"] = {name: address + page for name, page in PAGES.items()} if address else {}
