"""Words, files and standard input: what each stands for, and what is refused."""

import io
import math
import sys

import numpy as np
import pytest

from refnum.cli.values import parse_code, parse_value, read_codes, read_values


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("448", 448.0),
        ("-1.5", -1.5),
        ("1e-40", 1e-40),
        ("0x1.8p+3", 12.0),
        ("-0x1p-149", -(2.0**-149)),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
    ],
)
def test_words_of_values(word, value):
    assert parse_value(word) == value


def test_words_of_nan():
    assert math.isnan(parse_value("nan"))
    assert math.copysign(1, parse_value("-0")) == -1


def test_bits_of_float32_and_float64():
    assert parse_value("43e80000", bits=True) == 464.0
    assert parse_value("0x43e80000", bits=True) == 464.0
    assert parse_value("1", bits=True) == 2.0**-149
    assert parse_value("407d000000000000", bits=True) == 464.0


@pytest.mark.parametrize("word", ["", "x", "1,5", "0x1.8q", "1e", "--1"])
def test_no_value(word):
    with pytest.raises(ValueError, match="is not a number"):
        parse_value(word)


@pytest.mark.parametrize("word", ["", "-1", "1.5", "10000000000000000", "0xg"])
def test_no_bits(word):
    with pytest.raises(ValueError, match="is not the bits of a float32 or float64"):
        parse_value(word, bits=True)


@pytest.mark.parametrize("word", ["", "7g", "-1", "100000000", "1.0"])
def test_no_code(word):
    with pytest.raises(ValueError, match="is no"):
        parse_code(word)


def test_a_dash_is_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("1 2\n\n-0.5\n"))
    assert read_values(["7", "-"]).tolist() == [7.0, 1.0, 2.0, -0.5]
    monkeypatch.setattr(sys, "stdin", io.StringIO("7e\nff\n"))
    assert read_codes(["-"]).tolist() == [0x7E, 0xFF]
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert read_values(["-"]).shape == (0,)


def test_files_keep_their_type(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.array([[1.5, 2.0], [3.0, 4.0]], np.float16))
    values = read_values([str(path)])
    assert values.dtype == np.float16
    assert values.tolist() == [1.5, 2.0, 3.0, 4.0]


def test_files_are_checked(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.array([1.5]))
    with pytest.raises(ValueError, match="codes must be integers, not float64"):
        read_codes([str(path)])
    with pytest.raises(ValueError, match="stands alone"):
        read_values(["1", str(path)])
    np.save(path, np.array([1j]))
    with pytest.raises(ValueError, match="one array of real numbers"):
        read_values([str(path)])
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match="no readable"):
        read_values([str(path)])
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="no readable"):
        read_values([str(path)])
    with pytest.raises(FileNotFoundError):
        read_values([str(tmp_path / "none.npy")])
