"""Sphinx's settings. The site is made by `docs/making/site.py`."""

from __future__ import annotations

from rootplex.project import __version__

project = "Rootplex"
author = "the Rootplex developers"
version = release = __version__
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist", "attrs_block"]
myst_heading_anchors = 3
exclude_patterns: list[str] = []
html_theme = "furo"
html_title = "Rootplex"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["rootplex.css"]
html_last_updated_fmt = None
smartquotes = False
pygments_style = "friendly"
pygments_dark_style = "native"
html_show_search_summary = False  # fetched, which a browser refuses where the site is read from files
