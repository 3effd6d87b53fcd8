"""The one place of the version (the package's metadata is built from it)."""

__version__ = "0.1.0"
