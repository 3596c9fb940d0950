"""The command explain: its text for one value of each kind, and its JSON."""

import json

import numpy as np
import pytest

import refnum as rn
from refnum import casts
from refnum.cli import main
from refnum.cli.explain import explain
from refnum.cli.libraries import CONVERTS_TO, FINITE_ONLY, libraries_of
from refnum.formats import FORMATS

NAN, INF = float("nan"), float("inf")


def text_of(capsys, *arguments):
    assert main(["explain", *arguments]) == 0
    return capsys.readouterr().out


def test_the_whole_text(capsys):
    assert (
        text_of(capsys, "465", "e4m3")
        == """\
465.0 = 0x1.d100000000000p+8
float64 407d100000000000  float32 43e88000

in e4m3:
  past the largest finite value
  toward zero     0x7e = 448
  midpoint        464
  away from zero  480, without code
  it lies at      17/32 of the way from zero

roundings:
  finite, propagate: 0x7e = 448; none: 0x7f = NaN
      nearest_even, nearest_away, nearest_zero, nearest_up, toward_positive,
      away_from_zero
  0x7e = 448
      toward_zero, toward_negative, to_odd

libraries:
  0x7f = NaN
      AMD_HIP, CUDA_NOSAT, ML_DTYPES, ONNX_NOSAT, QEMU, TORCH_2_12
  0x7e = 448
      CUDA, CUDA_DOUBLE, CUTLASS, MICROXCALING, ONNX, ONNX_DOCUMENT, PTX_PZO, PTX_RS,
      TORCH
"""
    )


@pytest.mark.parametrize(
    ("value", "fmt", "lines"),
    [
        ("1.5", "e4m3", ["  exactly 0x3c = 1.5"]),
        ("-0", "e4m3", ["  exactly 0x80 = -0"]),
        ("-0", "e4m3fnuz", ["  exactly 0x00 = 0"]),
        ("2.5", "e2m1", ["  toward zero     0x4 = 2", "  midpoint        2.5"]),
        ("2.5", "e2m1", ["  it lies at      1/2 of the way from zero"]),
        ("-0.3", "int4", ["  toward zero     0xf = -0.25"]),
        ("-0.3", "e2m1", ["  toward zero     0x8 = -0", "  midpoint        -0.25"]),
        ("3e-3", "e4m3", ["  toward zero     0x01 = 2^-9"]),
        ("nan", "e2m1", ["  no place: a NaN, without code", "  0x8 = -0"]),
        ("nan", "e5m2", ["  no place: a NaN", "  0x7e = NaN", "  0x7f = NaN"]),
        ("-inf", "e5m2", ["  no place: an infinity"]),
        ("inf", "e4m3", ["  no place: an infinity, without code"]),
        ("0", "ue8m0", ["  below the smallest value, and there is no zero"]),
        (
            "-3",
            "ue8m0",
            ["  ue8m0 has no sign; this is the place of the absolute value"],
        ),
        ("1e300", "fp16", ["  past the largest finite value"]),
        ("1e300", "e4m3", ["float64 7e37e43c8800759c  float32 7f800000 (rounded)"]),
        ("1", "int8", ["libraries: none converts to int8"]),
        ("0.1", "fp32", ["float64 3fb999999999999a  float32 3dcccccd (rounded)"]),
    ],
)
def test_lines(capsys, value, fmt, lines):
    printed = text_of(capsys, value, fmt).splitlines()
    assert [line for line in lines if line not in printed] == []


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("value", [0.0, -0.0, 0.7, -3.3, 1e-40, 1e300, NAN, -INF])
def test_every_kind_of_value_in_every_format(fmt, value, capsys):
    printed = text_of(capsys, repr(value), fmt.name)
    assert max(map(len, printed.splitlines())) <= 132
    told = json.loads(text_of(capsys, repr(value), fmt.name, "--json"))
    even = rn.Cast(saturation=rn.Saturation.NONE)
    code = int(told["roundings"]["nearest_even"]["none"], 16)
    assert code == rn.encode(value, fmt, even)


def test_libraries_are_their_casts():
    told = explain(-0.25, rn.E2M1)["libraries"]
    for name, codes in told.items():
        cast = getattr(casts, name)
        draw = cast.random_bits and np.uint32(0)
        assert int(codes[0], 16) == rn.encode(-0.25, "e2m1", cast, random=draw)
    assert told["PTX_RS"] == ["8", "9"]
    assert told["TRANSFORMER_ENGINE_SR8"] == ["8", "9"]


def test_every_cast_says_what_it_converts_to():
    assert CONVERTS_TO.keys() == set(casts.names())
    for formats in CONVERTS_TO.values():
        for name in formats.split():
            assert rn.format(name).name == name
    assert CONVERTS_TO.keys() > FINITE_ONLY
    assert "MICROXCALING" in libraries_of(rn.E2M1)
    assert "MICROXCALING" not in libraries_of(rn.E2M1, finite=False)


def test_ml_dtypes_has_these_formats():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    theirs = {name for name in dir(ml_dtypes) if name.startswith(("float", "bfloat"))}
    ours = {rn.format(name).name for name in theirs}
    assert set(CONVERTS_TO["ML_DTYPES"].split()) == ours
