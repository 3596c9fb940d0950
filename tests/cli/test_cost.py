"""`refnum cost`."""

import json

import pytest

from refnum.cli import main


def test_one_recipe(capsys):
    assert main(["cost", "exploring-fp4", "--speeds", "fp8=1.57,fp4=2"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("exploring-fp4: 66.2 % of the time of BF16\n")


def test_all_recipes(capsys):
    assert main(["cost", "--model", "llama-9m"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 19
    assert lines[1].split()[:2] == ["bf16", "100.0%"]


def test_json(capsys):
    assert main(["cost", "mxfp4", "nvfp4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["recipe"] for one in found] == ["mxfp4", "nvfp4"]
    assert found[0]["relative"] == pytest.approx(0.3567, abs=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nvfp5"], "unknown recipe 'nvfp5'; near names: nvfp4"),
        (["mxfp4", "--speeds", "fp5=2"], "--speeds has 'fp5=2'"),
        (["mxfp4", "--speeds", "fp4=fast"], "fp4 is 'fast', no positive number"),
        (["mxfp4", "--speeds", "fp4=-1"], "fp4 is"),
    ],
)
def test_one_clear_line(capsys, words, message):
    assert main(["cost", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
