"""The commands encode and decode: what they print."""

import io
import json
import sys

import numpy as np
import pytest

import refnum as rn
from refnum.cli import main


def out_of(capsys, *arguments):
    assert main(list(arguments)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_one_code_a_line(capsys):
    assert out_of(capsys, "encode", "e4m3", "448", "0.3") == "7e\n2a\n"
    assert out_of(capsys, "encode", "e5m3", "1") == "078\n"
    assert out_of(capsys, "encode", "e2m1", "6") == "7\n"


def test_negative_values_are_no_options(capsys):
    words = "-1.5", "-inf", "-0", "-.5", "-0x1p-1", "-1e9", "-nan"
    codes = "bc", "fe", "80", "b0", "b0", "fe", "7f"
    assert out_of(capsys, "encode", "e4m3", *words).split() == list(codes)


def test_bits(capsys):
    words = "43e80000", "407d100000000000", "ff800000"
    assert out_of(capsys, "encode", "e4m3", "--bits", *words) == "7e\n7e\nfe\n"


def test_float64_is_rounded_once(capsys):
    assert out_of(capsys, "encode", "e4m3", "-431.99999999999994") == "fd\n"
    assert out_of(capsys, "decode", "e4m3", "fd") == "-416.0\n"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], "7e"),
        (["--cast", "ML_DTYPES"], "7f"),
        (["--cast", "ml_dtypes"], "7f"),
        (["--saturation", "none"], "7f"),
        (["--saturation", "none", "--rounding", "toward_zero"], "7e"),
        (["--cast", "CUDA_NOSAT", "--rounding", "toward_zero"], "7e"),
        (["--cast", "ONNX", "--saturation", "none"], "7f"),
    ],
)
def test_casts(capsys, options, code):
    assert out_of(capsys, "encode", "e4m3", "465", *options) == f"{code}\n"


def test_random_bits(capsys):
    mode = ["--rounding", "stochastic_a", "--random-bits", "8"]
    one = out_of(capsys, "encode", "e2m1", "1.125", "1.25", *mode, "--random", "c0")
    assert one == "3\n3\n"
    each = out_of(capsys, "encode", "e2m1", "1.125", "1.25", *mode, "--random", "bf,7f")
    assert each == "2\n2\n"
    cast = ["--cast", "PTX_RS", "--random", "ffff"]
    assert out_of(capsys, "encode", "e4m3", "1.0625", *cast) == "39\n"


def test_files_and_standard_input(capsys, monkeypatch, tmp_path):
    x = np.linspace(-500, 500, 97).reshape(1, 97).astype(np.float32)
    path = tmp_path / "x.npy"
    np.save(path, x)
    codes = rn.encode(x, rn.E4M3).reshape(-1)
    printed = out_of(capsys, "encode", "e4m3", str(path))
    assert [int(line, 16) for line in printed.splitlines()] == codes.tolist()
    monkeypatch.setattr(sys, "stdin", io.StringIO(printed))
    values = out_of(capsys, "decode", "e4m3", "-").split()
    assert [float(v) for v in values] == rn.decode(codes, rn.E4M3).tolist()
    np.save(path, codes)
    assert out_of(capsys, "decode", "e4m3", str(path)).split() == values


def test_nothing_gives_nothing(capsys, monkeypatch):
    for command in ("encode", "decode"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        assert out_of(capsys, command, "e4m3", "-") == ""
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        assert json.loads(out_of(capsys, command, "e4m3", "-", "--json")) == []


def test_decode_words(capsys):
    codes = "00", "80", "0x01", "7e", "ff"
    words = ["0.0", "-0.0", "0.001953125", "448.0", "nan"]
    assert out_of(capsys, "decode", "e4m3", *codes).split() == words
    assert (
        out_of(capsys, "decode", "ue8m0", "00", "--hex") == "0x1.0000000000000p-127\n"
    )
    assert out_of(capsys, "decode", "e5m2", "fc") == "-inf\n"


def test_json(capsys):
    encoded = out_of(capsys, "encode", "float8_e4m3fn", "448", "-1", "--json")
    assert json.loads(encoded) == ["7e", "b8"]
    decoded = out_of(capsys, "decode", "e4m3", "7e", "7f", "--json")
    assert json.loads(decoded) == ["448.0", "nan"]
