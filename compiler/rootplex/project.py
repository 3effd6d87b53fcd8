"""The project as others know it: its version and its address. The package's metadata is built from here."""

__version__ = "0.1.0"

ADDRESS = ""
"""Where the project is on the web, without a stroke at the end; empty until there is one. What is made of it
(links in reports, the package's URLs) is left out meanwhile."""
