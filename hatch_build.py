"""The wheel carries the checkout's `schemas/` and `topologies/`; an editable install reads them there."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SharedData(BuildHookInterface[Any]):
    """Adds the two data folders to a standard wheel only, so that there is never a second copy."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"].update(
                {"schemas": "rootplex/schemas", "topologies": "rootplex/topologies"}
            )
