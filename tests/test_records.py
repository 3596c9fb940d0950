"""Records whose hash is computed once."""

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass, replace

import pytest

import refnum as rn
from refnum._records import hashed_once

CHECK = """
import pickle, sys
import refnum as rn
for name, record in pickle.load(sys.stdin.buffer).items():
    own = getattr(rn, name)
    assert record == own and hash(record) == hash(own), name
    assert len({record, own}) == 1, name
"""


@hashed_once
@dataclass(frozen=True)
class Point:
    x: float
    name: str


def test_equal_records_have_equal_hashes():
    assert hash(Point(1.0, "a")) == hash(Point(1, "a")) == hash((1, "a"))
    assert replace(Point(1, "a"), x=2) != Point(1, "a")
    assert hash(replace(Point(1, "a"), x=2)) == hash((2, "a"))


def test_hash_is_computed_once():
    class Counted:
        count = 0

        def __hash__(self):
            self.count += 1
            return 5

    part = Counted()
    point = Point(part, "a")
    assert hash(point) == hash(point)
    assert part.count == 1


@pytest.mark.parametrize("seed", ["1", "2"])
def test_pickled_records_hash_as_those_of_the_other_process(seed):
    records = {name: getattr(rn, name) for name in ("MXFP4", "MXFP8_E4M3", "E2M1")}
    for record in records.values():
        hash(record)
    subprocess.run(
        [sys.executable, "-c", CHECK],
        input=pickle.dumps(records),
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
