"""docs/peers.md says what the installed libraries compute now."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
TABLE = runpy.run_path(str(DOCS / "peers_table.py"))
ROWS = dict(TABLE["rows_of"]((DOCS / "peers.md").read_text(encoding="utf-8")))


@pytest.mark.parametrize("peer", TABLE["installed"](), ids=lambda peer: peer.library)
def test_rows_are_what_is_measured(peer):
    for key, row in TABLE["measure"](peer):
        assert ROWS[key] == row


def test_each_cast_reproduces_its_library():
    assert len(ROWS) > 6
    for row in ROWS.values():
        assert row.strip().strip("|").split("|")[-1].strip() == "0"
