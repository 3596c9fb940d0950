"""How Sphinx builds these pages: ``pip install ".[docs]"``, ``sphinx-build docs OUT``."""

import refnum

project = "refnum"
author = "The refnum authors"
release = refnum.__version__
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
# Pages also read well without Sphinx, so they link to files beside docs/ as well.
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]
# The reference is made of the docstrings; values of constants are records, and long.
autodoc_member_order = "alphabetical"
autodoc_typehints = "none"
autodoc_default_options = {"no-value": True}
numpydoc_show_class_members = False
