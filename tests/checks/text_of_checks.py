"""The code of a check, for tests that read it."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from rootplex.checks.check import Check, Page


def text_of(check: Page) -> str:
    """The source of a check's function, and of what it calls in its own module."""
    if not isinstance(check, Check):
        return ""
    module = sys.modules[check.run.__module__]
    own = {name: each for name, each in vars(module).items() if inspect.isfunction(each)}
    found = {check.run.__name__: check.run}
    waiting: list[Any] = [check.run]
    while waiting:
        for name in waiting.pop().__code__.co_names:
            if name in own and name not in found:
                found[name] = own[name]
                waiting.append(own[name])
    return "".join(map(inspect.getsource, found.values()))
