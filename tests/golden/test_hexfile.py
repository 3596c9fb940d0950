"""The golden text form: what is written is read back, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnum.golden import Case, Column, GoldenFile, parse, read, render

HEAD = "// refnum golden 1  op=encode in=f32 out=e4m3 "
SAMPLE = (
    HEAD + "rounding=nearest_even saturation=finite count=3 columns=x:32,code:8\n"
    "43e00000_7e // max 448\n"
    "43e80000_7e // midpoint 448|480: tie to the even code\n"
    "43e88000_7e // past the midpoint: saturates\n"
)


def test_sample_is_read():
    file = parse(SAMPLE)
    assert file.facts["rounding"] == "nearest_even"
    assert file.columns == (Column("x", 32), Column("code", 8))
    assert file.cases[1].fields == (0x43E80000, 0x7E)
    assert file.cases[1].reason == "midpoint 448|480: tie to the even code"
    assert file.output_array().tolist() == [[0x7E]] * 3


def test_sample_is_written_as_it_was():
    assert render(parse(SAMPLE)) == SAMPLE


@given(
    st.lists(st.sampled_from([4, 8, 12, 32, 64]), min_size=1, max_size=5),
    st.data(),
)
def test_round_trip(widths, data):
    columns = tuple(Column(f"c{i}", bits) for i, bits in enumerate(widths))
    fields = st.tuples(*(st.integers(0, 2**bits - 1) for bits in widths))
    reason = st.sampled_from(["", "max 448", "4|6 // at 3/16"])
    cases = tuple(Case(*c) for c in data.draw(st.lists(st.tuples(fields, reason))))
    outputs = data.draw(st.integers(1, len(widths)))
    file = GoldenFile({"op": "none"}, columns, cases, outputs)
    assert parse(render(file)) == file


def test_reader_takes_windows_line_ends_and_comment_lines():
    text = SAMPLE.replace("\n", "\r\n", 1).replace("43e0", "// more\n43e0", 1)
    assert parse(text.replace("\n", "\r\n")).cases == parse(SAMPLE).cases


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("43e00000_7e\n", ":1: the header"),
        (SAMPLE.replace("golden 1 ", "golden 2 "), ":1: golden form 2"),
        (SAMPLE.replace("count=3 ", ""), ":1: the header lacks count="),
        (SAMPLE.replace("count=3", "count=three"), ":1: count=three is not a number"),
        (SAMPLE.replace("count=3", "count=4"), ":4: 3 cases, .* count=4"),
        (SAMPLE.replace("columns=x:32,code:8", ""), "lacks columns="),
        (SAMPLE.replace("code:8", "code:7"), "column code: 7 bits"),
        (SAMPLE.replace("code:8", "code"), "column 'code' is not of the form"),
        (SAMPLE.replace("in=f32", "in=f32 in=f64"), "in= stands twice"),
        (SAMPLE.replace("in=f32", "in"), "'in' is not of the form key=value"),
        (SAMPLE.replace("count=3", "outputs=3 count=3"), "outputs=3 of 2 columns"),
        (SAMPLE[:-1], ":4: cut short"),
        (SAMPLE[: SAMPLE.rindex("43e8")], ":3: 2 cases, .* count=3"),
        (SAMPLE.replace("43e80000_7e", "43e8000_7e"), ":3: x '43e8000' has 7 digits"),
        (SAMPLE.replace("43e80000_7e", "43e80000_07e"), ":3: code '07e' has 3"),
        (SAMPLE.replace("43e80000_7e", "43e80000_xx"), ":3: code 'xx' is not hex"),
        (SAMPLE.replace("43e80000_7e", "43e80000"), ":3: 1 fields, .* 2 columns"),
        (SAMPLE.replace("43e80000_7e", "43e80000_0_7e"), ":3: 3 fields"),
        (SAMPLE.replace("43e80000", "\n43e80000", 1), ":3: 1 fields"),
        (b"\x80\x81", "not a text file"),
    ],
)
def test_what_is_not_whole_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_messages_name_the_file(tmp_path):
    path = tmp_path / "mine.hex"
    path.write_text(SAMPLE[:-1])
    with pytest.raises(ValueError, match=r"mine\.hex:4: cut short"):
        read(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.hex")


@pytest.mark.parametrize("bits", [0, 7, 68])
def test_columns_are_whole_digits(bits):
    with pytest.raises(ValueError, match=f"{bits} bits"):
        Column("x", bits)


def test_fields_fit_their_columns():
    columns = Column("x", 8), Column("y", 4)
    with pytest.raises(ValueError, match="16 does not fit the 4 bits of column y"):
        GoldenFile({}, columns, (Case((1, 16)),))
    with pytest.raises(ValueError, match="case 1 has 1 fields for 2 columns"):
        GoldenFile({}, columns, (Case((1,)),))
    with pytest.raises(ValueError, match="3 outputs"):
        GoldenFile({}, columns, (), outputs=3)
