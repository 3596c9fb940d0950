"""A tiny study, and results without training."""

import json
import tomllib
from pathlib import Path

from refnum.studies import Configuration, Design, Setting, parse_study
from refnum.studies.measuring import FORM
from refnum.training import Plan

TINY = """
name = "tiny"
seeds = 2

[[tasks]]
task = "regression"
inputs = 16
outputs = 4
steps = 12
batch = 32

[[grid]]
format = [{scale = "ue8m0", block = 16}, {scale = "ue4m3", block = 16}]
stochastic = ["none", "dy"]
"""


def tiny(**changes):
    table = tomllib.loads(TINY)
    table["tasks"][0] |= changes
    return parse_study(table)


def write_tiny(path: Path, **changes) -> Path:
    lines = [
        f"{line.split(' =')[0]} = {changes[line.split(' =')[0]]}"
        if line.split(" =")[0] in changes
        else line
        for line in TINY.splitlines()
    ]
    path.write_text("\n".join(lines))
    return path


SETTING = Setting(
    "regression",
    (("inputs", 16), ("outputs", 4)),
    Plan(steps=12, batch=32, learning_rate=0.01, optimizer="adam"),
    "regression",
)


def line_of(design, seed, value, setting=SETTING, **more):
    """A line of results that nobody trained; a value of None is a run that diverged."""
    configuration = Configuration(setting, design, seed)
    return {
        "form": FORM,
        "id": configuration.id,
        "configuration": configuration.facts(),
        "outcome": "finished" if value is not None else "diverged",
        "measure": "risk",
        "value": value,
        "parameters": 64,
        "examples": 384,
        "seconds": 0.5,
        **more,
    }


def write_lines(folder: Path, lines) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


NVFP4_LIKE = Design(scale="ue4m3", block=16, tensor_scale=True)
