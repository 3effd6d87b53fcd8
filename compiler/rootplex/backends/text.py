"""Text through jinja2: one way to make an environment, its compiled templates kept beside Python's.

jinja2 compiles a template each time it is loaded, which costs more than filling it in. Python keeps
its own compiled modules in `__pycache__` where it may write there; so do we, and go without elsewhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined, __version__
from jinja2.bccache import Bucket


class _Beside(BytecodeCache):
    """Compiled templates in `__pycache__` of the templates' folder; the bucket checks the source."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "__pycache__"
        self._tag = f"{sys.implementation.cache_tag}.jinja2-{__version__}"

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            with self._path(bucket).open("rb") as file:
                bucket.load_bytecode(file)
        except OSError:
            return  # not there yet: it is compiled now

    def dump_bytecode(self, bucket: Bucket) -> None:
        if sys.dont_write_bytecode:
            return
        path = self._path(bucket)
        fresh = path.with_suffix(f".{id(bucket):x}")
        try:
            path.parent.mkdir(exist_ok=True)
            with fresh.open("wb") as file:
                bucket.write_bytecode(file)
            fresh.replace(path)
        except OSError:
            return  # a folder that we may not write to: the next run compiles again

    def _path(self, bucket: Bucket) -> Path:
        return self._folder / f"{bucket.key}.{self._tag}.bin"


def environment(templates: Path) -> Environment:
    """An environment for the templates in a folder; a value that is wanted and not given is an error."""
    return Environment(
        loader=FileSystemLoader(templates),
        undefined=StrictUndefined,
        bytecode_cache=_Beside(templates),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
