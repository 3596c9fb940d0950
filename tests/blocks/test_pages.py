"""The pages of the block formats are those that their records give."""

import importlib.util
from pathlib import Path

import pytest

import refnum as rn

FOLDER = Path(__file__).resolve().parents[2] / "docs/blocks"


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("pages", FOLDER / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.mark.parametrize("name", rn.blocks.names())
def test_page(pages, name):
    written = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert written == pages[f"{name}.md"]
