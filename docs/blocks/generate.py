"""Write one page for each block format, from its record and notes.toml.

Usage: python docs/blocks/generate.py [FOLDER]
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import refnum as rn

HERE = Path(__file__).parent


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    notes = tomllib.loads((HERE / "notes.toml").read_text(encoding="utf-8"))
    return {f"{name}.md": _page(name, notes[name]) for name in rn.blocks.names()}


def _page(name: str, note: dict[str, str]) -> str:
    fmt = rn.blocks.block_format(name)
    return "\n".join(
        [
            f"# {note['title']}",
            "",
            f'`rn.blocks.block_format("{name}")`. Used by: {note["used"]}',
            "",
            note["note"].strip(),
            "",
            "```text",
            rn.blocks.describe(fmt),
            "```",
            "",
        ]
    )


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
