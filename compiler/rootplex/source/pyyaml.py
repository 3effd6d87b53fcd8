"""PyYAML, imported without compiling its regular expressions: `from rootplex.source.pyyaml import yaml`.

Those of its own reader and of YAML 1.1's scalars are of no use here, where libyaml reads and YAML 1.2
holds; but with Python 3.11, which looks at each of 64,000 printable characters, they took a seventh of a
whole `check`. So while PyYAML is imported, `re.compile` gives patterns that are compiled when first used.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["yaml"]

_compile = re.compile


class _Late:
    """Stands for a compiled pattern: has its methods, and compiles it when one is asked for."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.wanted = (pattern, flags)

    def __getattr__(self, name: str) -> Any:
        return getattr(_compile(*self.wanted), name)  # `re` remembers what it has compiled


re.compile = _Late  # type: ignore[assignment]
try:
    import yaml
finally:
    re.compile = _compile
