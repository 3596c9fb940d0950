"""The command explain of a block: scale and codes are those of `quantize`."""

import json
import re

import numpy as np
import pytest

import refnum as rn
from refnum.blocks import block_format, names
from refnum.cli import main

ROW = [float(value) for value in np.random.default_rng(0).normal(size=300)]


def explainable(name):
    fmt = block_format(name).stored
    return fmt.element_cast.random_bits is None and not isinstance(fmt.block, tuple)


NAMES = [name for name in names() if explainable(name)]


def told_of(capsys, *arguments):
    assert main(["explain", *arguments, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def test_the_whole_text(capsys):
    assert main(["explain", "0.5", "-1.1", "3", "6", "mxfp4"]) == 0
    facts, blocks, elements = capsys.readouterr().out.split("\n\n")
    assert facts.splitlines()[:3] == [
        "mxfp4",
        "  elements: e2m1, nearest_even, finite",
        "  block: 32 elements",
    ]
    assert blocks == "values 0 to 3: amax 6, scale 7f = 1"
    assert [line.split() for line in elements.splitlines()] == [
        ["value", "code", "stands", "for", "error"],
        ["0.5", "1", "0.5", "0"],
        ["-1.10000002", "a", "-1", "0.1"],
        ["3", "5", "3", "0"],
        ["6", "7", "6", "0"],
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_format_as_quantize(name, capsys):
    fmt = block_format(name)
    told = told_of(capsys, *map(repr, ROW), name)
    q = rn.quantize(np.array(ROW, np.float32), fmt)
    codes = [int(element["code"], 16) for element in told["elements"]]
    assert codes == q.codes.tolist()
    values = [float(element["stands_for"]) for element in told["elements"]]
    np.testing.assert_array_equal(np.float32(values), rn.dequantize(q))
    scales = [int(block["scale"].split()[0], 16) for block in told["blocks"]]
    assert scales == q.scales.tolist()
    found = told["tensor_scale"]
    outer = [] if found is None else [float(word) for word in found.split(", ")]
    want = [] if q.tensor_scale is None else np.ravel(q.tensor_scale)
    np.testing.assert_array_equal(np.float32(outer), want)


def test_blocks_are_numbered_and_the_last_is_ragged(capsys):
    told = told_of(capsys, *map(str, range(40)), "mxfp4")
    assert [block["values"] for block in told["blocks"]] == ["0 to 31", "32 to 39"]
    assert [block["amax"] for block in told["blocks"]] == ["31", "39"]


def test_a_tensor_amax_from_outside(capsys):
    told = told_of(capsys, "1", "-0x1p-1", "nvfp4", "--tensor-amax", "2688")
    q = rn.quantize([1.0, -0.5], rn.NVFP4, tensor_amax=2688.0)
    assert told["tensor_scale"] == "1"
    assert told["blocks"][0]["scale"].startswith(f"{int(q.scales[0]):02x} = ")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", ["1e300", "-inf", "nan", "1e-45", "-0"])
@pytest.mark.parametrize("name", ["mxfp4", "nvfp4", "nvfp4_tetrajet"])
def test_special_values(value, name, capsys):
    told = told_of(capsys, value, "1", name)
    with np.errstate(over="ignore"):
        x = np.array([float(value), 1], np.float32)
    codes = rn.quantize(x, block_format(name)).codes.tolist()
    assert [int(element["code"], 16) for element in told["elements"]] == codes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["1", "nvfp4_sr"], "nvfp4_sr rounds stochastically"),
        (["1", "nvfp4_16x16"], "nvfp4_16x16 shares scales between rows"),
        (["1", "2", "e4m3"], "e4m3 is no block format: one value"),
        (["1", "e4m3", "--tensor-amax", "2"], "e4m3 is no block format: --tensor-amax"),
        (["1", "mxfp4", "--tensor-amax", "2"], "mxfp4 has no tensor scale"),
        (["1", "x", "nvfp4"], "'x' is not a number"),
        (["1", "nvfp5"], "unknown format 'nvfp5'"),
    ],
)
def test_errors_are_one_line(arguments, message, capsys):
    assert main(["explain", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"refnum: [^\n]+\n", captured.err)
    assert message in captured.err
