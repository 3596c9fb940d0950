"""How Sphinx builds these pages: ``pip install ".[docs]"``, ``sphinx-build docs OUT``."""

import refnum

project = "refnum"
author = "The refnum authors"
release = refnum.__version__
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
# Pages also read well without Sphinx, so they link to files beside docs/ as well.
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]
