"""docs/recipes.md is what the records give."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_page():
    spec = importlib.util.spec_from_file_location("page", DOCS / "recipes_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "recipes.md").read_text(encoding="utf-8") == module.page()
