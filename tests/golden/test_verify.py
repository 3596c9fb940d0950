"""Candidates in every form: equal ones, wrong ones, and those that answer nothing."""

import io
import json

import numpy as np
import pytest

import refnum as rn
from refnum.golden import Options, compare, entries, render, verify
from refnum.golden.record import Case

ENTRIES = {entry.path: entry for entry in entries()}
TIE = 0x43E80000  # 464, midway between 448 and 480


@pytest.fixture(scope="module")
def encode_file():
    return ENTRIES["encode/e4m3.nearest_even.finite.hex"].make(Options())


@pytest.fixture
def golden(tmp_path, encode_file):
    path = tmp_path / "golden.hex"
    path.write_text(render(encode_file))
    return path


def place(path, tmp_path):
    """Write a golden file of the suite."""
    file = ENTRIES[path].make(Options())
    golden = tmp_path / "other.hex"
    golden.write_text(render(file))
    return golden, file


def codes_of(file):
    return file.output_array().reshape(-1)


def save(path, array):
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        array.tofile(path)
    return path


def test_a_golden_file_is_equal_to_itself(golden, encode_file):
    report = verify(golden, golden)
    assert report.equal
    assert report.cases == len(encode_file.cases)
    assert str(report) == f"equal: all {report.cases} cases of {golden}"


@pytest.mark.parametrize("form", ["mine.bin", "mine.npy"])
def test_the_outputs_alone_are_equal(golden, encode_file, form):
    candidate = save(golden.with_name(form), codes_of(encode_file))
    assert verify(golden, candidate).equal


def test_one_changed_code_is_found_and_named(golden):
    mine = golden.with_name("mine.hex")
    mine.write_text(golden.read_text().replace("43e80000_7e", "43e80000_7d"))
    report = verify(golden, mine)
    assert (report.differing, report.largest_distance) == (1, 1)
    (one,) = report.first
    assert one.inputs == {"x": "43e80000"}
    assert (one.input_value, one.got_value, one.want_value) == ("464", "416", "448")
    assert (one.got, one.want, one.distance) == ("7d", "7e", 1)
    assert one.reason == "midpoint 448|480: tie to the even code"
    assert str(report).splitlines()[1:] == [
        f"case {one.case}: x 43e80000 = 464",
        "  got 7d = 416, want 7e = 448, 1 code apart",
        "  midpoint 448|480: tie to the even code",
    ]


def test_the_first_five_are_shown(golden, encode_file):
    codes = codes_of(encode_file)
    wrong = codes ^ (np.arange(codes.size) % 100 == 0).astype(np.uint8)
    report = verify(golden, save(golden.with_name("mine.npy"), wrong))
    assert report.differing == -(-codes.size // 100)
    assert [one.case for one in report.first] == [1, 101, 201, 301, 401]
    assert report.share == report.differing / codes.size
    assert str(report).endswith(f"and {report.differing - 5} more")


def test_the_report_is_json(golden, encode_file):
    wrong = codes_of(encode_file) ^ 0x80
    report = verify(golden, save(golden.with_name("mine.bin"), wrong))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["equal"] is False
    assert data["differing"] == data["cases"] == len(encode_file.cases)
    assert data["first"][0]["got_value"] == "-0"
    assert data["largest_distance"] == 2 * 0x7E


def test_distance_is_unknown_next_to_a_nan(golden, encode_file):
    codes = codes_of(encode_file)
    x = [case.fields[0] for case in encode_file.cases]
    codes[x.index(TIE)] = 0x7F
    report = verify(golden, save(golden.with_name("mine.bin"), codes))
    assert report.first[0].distance is None
    assert report.largest_distance is None
    assert "got 7f = NaN, want 7e = 448\n" in str(report)


def test_a_nan_code_with_a_sign_differs(golden, encode_file):
    codes = codes_of(encode_file)
    codes[codes == 0x7F] = 0xFF
    report = verify(golden, save(golden.with_name("mine.bin"), codes))
    assert {one.want for one in report.first} == {"7f"}


def test_any_nan_is_right_where_the_outputs_are_numbers(tmp_path):
    golden, file = place("decode/e5m2.hex", tmp_path)
    values = rn.E5M2.values.astype(np.float32)
    mine = save(tmp_path / "mine.npy", np.where(np.isnan(values), -np.nan, values))
    assert verify(golden, save(mine, values)).equal
    words = codes_of(file)
    words[np.isnan(words.view(np.float32))] = 0xFFFFFFFF
    assert verify(golden, save(tmp_path / "mine.bin", words)).equal
    values[0x7F] = 1
    report = verify(golden, save(tmp_path / "mine.npy", values))
    assert [one.case for one in report.first] == [0x80]


def test_zeros_of_other_sign_differ(tmp_path):
    golden, _ = place("decode/e4m3.hex", tmp_path)
    values = np.abs(rn.E4M3.values.astype(np.float32)) * np.sign(rn.E4M3.values)
    report = verify(golden, save(tmp_path / "mine.npy", values.astype(np.float32)))
    assert [(one.got_value, one.want_value) for one in report.first] == [("0", "-0")]


def test_philox_has_four_outputs(tmp_path):
    golden, file = place("philox/4x32-10.hex", tmp_path)
    words = file.output_array()
    assert verify(golden, save(tmp_path / "mine.npy", words)).equal
    assert verify(golden, save(tmp_path / "mine.bin", words)).equal
    words[1, 2] ^= 1
    report = verify(golden, save(tmp_path / "mine.npy", words))
    (one,) = report.first
    assert (one.case, one.reason, one.distance) == (2, "ones", None)
    assert one.want == "408f276d_41c83b0e_a20bc7c6_6d5451fd"


def test_nine_bit_codes_are_two_bytes(tmp_path):
    golden, file = place("encode/e5m3.nearest_even.finite.hex", tmp_path)
    codes = codes_of(file)
    assert codes.dtype == np.uint16
    assert verify(golden, save(tmp_path / "mine.bin", codes)).equal


def test_stochastic_files_show_the_random_bits(tmp_path):
    golden, file = place("stochastic/e4m3.stochastic_a.2.hex", tmp_path)
    codes = codes_of(file)
    codes[5] ^= 1
    (one,) = verify(golden, save(tmp_path / "mine.bin", codes)).first
    assert one.inputs["random"] == "1"


def test_integer_types_are_taken_by_value(golden, encode_file):
    codes = codes_of(encode_file)
    mine = golden.with_name("mine.npy")
    assert verify(golden, save(mine, codes.astype(np.int64))).equal
    assert verify(golden, save(mine, codes.view(np.int8))).equal
    assert verify(golden, save(mine, codes.view("V1"))).equal  # as ml_dtypes saves
    assert verify(golden, save(mine, codes.astype(">u2").reshape(-1, 1))).equal


@pytest.mark.parametrize("form", ["hex", "bin", "npy"])
def test_standard_input(golden, encode_file, form):
    path = golden
    if form != "hex":
        path = save(golden.with_name(f"mine.{form}"), codes_of(encode_file))
    assert verify(golden, "-", stdin=io.BytesIO(path.read_bytes())).equal


def test_standard_input_may_be_closed(golden):
    with pytest.raises(ValueError, match="standard input is closed"):
        verify(golden, "-")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rounding=nearest_even", "rounding=to_odd", "rounding=to_odd, but the golden"),
        ("out=e4m3", "out=e5m2", "out=e5m2, but the golden file has out=e4m3"),
        ("op=encode", "op=decode", "op=decode, but"),
        (" rounding=nearest_even", "", "no rounding=, but the golden file has round"),
        ("op=encode", "op=encode cast=torch", "cast=torch, but .* has none"),
        ("code:8", "code:12", ":2: code '00' has 2 digits, not 3"),
        ("x:32,code:8", "y:32,code:8", "its columns are not those"),
        ("43e80000_", "43e80001_", "another input than the golden file"),
        ("43e80000_7e", "43e80000_7", "code '7' has 1 digits, not 2"),
        ("count=", "count=9", "the header says count=9"),
    ],
)
def test_another_text_is_refused(golden, old, new, message):
    mine = golden.with_name("mine.hex")
    text = golden.read_text()
    assert old in text
    mine.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=rf"mine\.hex.*{message}"):
        verify(golden, mine)


def test_fewer_cases_are_refused(tmp_path, golden, encode_file):
    fewer = type(encode_file)(
        encode_file.facts, encode_file.columns, encode_file.cases[:-1]
    )
    (tmp_path / "mine.hex").write_text(render(fewer))
    count = len(encode_file.cases)
    with pytest.raises(ValueError, match=f"{count - 1} cases, .* has {count}"):
        verify(golden, tmp_path / "mine.hex")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mine.bin", b"\x00", "1 bytes; 1111 outputs of 1 bytes are 1111"),
        ("mine.npy", b"\x93NUMPY\x01", "no readable .npy array"),
        ("mine.npy", b"PK\x03\x04", "not a .npy array"),
        ("mine.npy", b"", "not a .npy array"),
        ("mine.txt", b"", "a candidate is a .hex, .bin or .npy file"),
        ("mine.hex", b"", "empty"),
    ],
)
def test_damaged_files_are_refused(golden, name, content, message):
    golden.with_name(name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        verify(golden, golden.with_name(name))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3, np.uint8), r"shape \(3,\); the golden file has \(1111, 1\)"),
        (np.zeros((1, 1111), np.uint8), r"shape \(1, 1111\)"),
        (np.zeros(1111, np.float32), "type float32; outputs are uint8"),
        (np.zeros(1111, complex), "type complex128"),
        (np.full(1111, 256), "case 1: 0x100 does not fit the 8 bits of code"),
        (np.full(1111, -1), "-1 is no bit pattern"),
        (np.array(["7e"] * 1111), "type <U2"),
        (np.array([None] * 1111), "no readable .npy array"),
    ],
)
def test_other_arrays_are_refused(golden, array, message):
    np.save(golden.with_name("mine.npy"), array)
    with pytest.raises(ValueError, match=message):
        verify(golden, golden.with_name("mine.npy"))


def test_a_truncated_array_is_refused(golden, encode_file):
    mine = save(golden.with_name("mine.npy"), codes_of(encode_file))
    mine.write_bytes(mine.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"no readable \.npy array"):
        verify(golden, mine)


def test_a_file_without_cases_is_equal(golden, encode_file):
    empty = type(encode_file)(encode_file.facts, encode_file.columns, ())
    golden.write_text(render(empty))
    report = verify(golden, golden)
    assert report.equal
    assert report.share == 0


def test_shapes_must_agree(encode_file):
    with pytest.raises(ValueError, match=r"shape \(2, 1\); \(1111, 1\) is needed"):
        compare(encode_file, np.zeros((2, 1), np.uint8))


def test_twos_complement_distance(tmp_path):
    golden, file = place("encode/int8.nearest_even.finite.hex", tmp_path)
    codes = codes_of(file)
    index = next(i for i, c in enumerate(file.cases) if c == Case((0, 0), "+0"))
    codes[index] = 0xFF  # -1/64
    (one,) = verify(golden, save(tmp_path / "mine.bin", codes)).first
    assert (one.got_value, one.distance) == ("-0.015625", 1)
