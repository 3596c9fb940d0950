"""The command formats: the table of all, the page of one."""

import json
from pathlib import Path

import numpy as np
import pytest

import refnum as rn
from refnum.blocks import block_format, describe
from refnum.blocks import names as block_names
from refnum.cli import main
from refnum.formats import FORMATS

README = Path(__file__).resolve().parents[2] / "README.md"


def out_of(capsys, *arguments):
    assert main(["formats", *arguments]) == 0
    return capsys.readouterr().out


def value_of(word):
    """Read a number as the tables write it: 448, 1.5*2^-16, infinity."""
    sign, word = (-1, word[1:]) if word.startswith("-") else (1, word)
    factor, power, exponent = word.rpartition("2^")
    if not power:
        return sign * float(word)
    return sign * float(factor.rstrip("*") or 1) * 2.0 ** int(exponent)


def test_readme_has_the_table(capsys):
    text = README.read_text(encoding="utf-8")
    shown = text.partition("<!-- formats -->\n")[2].partition("<!-- /formats -->")[0]
    assert shown == out_of(capsys)


def test_a_row_a_format(capsys):
    head, rule, *rows = out_of(capsys).splitlines()
    assert set(rule) == {"|", "-", " "}
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == [fmt.name for fmt in FORMATS]
    assert len({len(row) for row in (head, rule, *rows)}) == 1  # aligned
    for fmt, row in zip(FORMATS, cells, strict=True):
        largest, normal, smallest = (value_of(word) for word in row[4:7])
        assert largest == fmt.max
        assert normal == fmt.smallest_normal
        assert smallest == fmt.smallest_subnormal


def test_special_codes(capsys):
    rows = {line.split()[1]: line for line in out_of(capsys).splitlines()[2:]}
    assert rows["e5m2"].split("|")[-3:-1] == [
        f" {'0x7c':<10} ",
        f" {'0x7d to 0x7f':<24} ",
    ]
    for fmt in FORMATS:
        if fmt.bits > 9:
            continue
        infinity, nan = (c.strip() for c in rows[fmt.name].split("|")[-3:-1])
        if infinity != "none":
            assert fmt.values[int(infinity, 16)] == np.inf
        codes = [int(word, 16) for word in nan.split(" to ") if word != "none"]
        nans = np.flatnonzero(np.isnan(fmt.values[: fmt.magnitude_mask + 1])).tolist()
        if fmt.name.endswith("fnuz"):
            nans = [0x80]
        assert codes == nans[:1] + nans[1:][-1:]


@pytest.mark.parametrize("fmt", [f for f in FORMATS if f.bits <= 9], ids=str)
def test_the_values_of_a_page_are_exact(fmt, capsys):
    rows = out_of(capsys, fmt.name).partition("\n\n")[2].splitlines()
    starts = [int(row.split()[0], 16) for row in rows]
    assert starts == list(range(0, 2**fmt.bits, 8))
    values = [value_of(word) for row in rows for word in row.split()[1:]]
    np.testing.assert_array_equal(values, fmt.values)
    assert (np.signbit(values) == np.signbit(fmt.values))[~np.isnan(values)].all()


def test_wide_formats_have_no_table(capsys):
    page = out_of(capsys, "fp16")
    assert "infinity_code       0x7c00\n" in page
    assert "\n\n" not in page


def test_aliases_and_block_formats(capsys):
    page = out_of(capsys, "float8_e4m3fn")
    assert page.startswith(
        "name                e4m3\naliases             float8_e4m3fn "
    )
    assert out_of(capsys, "Binary8p4se").startswith("name                binary8p4se\n")


@pytest.mark.parametrize("name", block_names())
def test_block_formats(name, capsys):
    assert out_of(capsys, name) == f"{describe(block_format(name))}\n"


def test_json(capsys):
    everything = json.loads(out_of(capsys, "--json"))
    assert [facts["name"] for facts in everything] == [fmt.name for fmt in FORMATS]
    one = json.loads(out_of(capsys, "ue8m0", "--json"))
    assert one["bias"] == rn.UE8M0.bias
    assert "float8_e8m0fnu" in one["aliases"]
    assert (one["zero"], one["nan_code"], one["infinity_code"]) == (False, 255, None)
    assert json.loads(out_of(capsys, "nvfp4", "--json"))
