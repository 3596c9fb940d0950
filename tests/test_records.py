"""Records whose hash is computed once."""

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass, replace

import pytest

import refnum as rn
from refnum import recipes
from refnum._records import hashed_once
from refnum.blocks import block_format, names
from refnum.blocks.arithmetic import EXACT

CHECK = """
import pickle, sys
records = pickle.load(sys.stdin.buffer)
import refnum as rn
from refnum import recipes
for name, record in records["formats"].items():
    own = rn.blocks.block_format(name)
    assert record == own and len({record, own}) == 1, name
for name, record in records["recipes"].items():
    assert record == recipes.get(name), name
assert records["element"] == rn.E2M1 and hash(records["element"]) == hash(rn.E2M1)
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
def test_records_are_the_same_in_another_process(seed):
    records = {
        "formats": {name: block_format(name) for name in names()},
        "recipes": {name: recipes.get(name) for name in recipes.names()},
        "element": rn.E2M1,
    }
    for record in (rn.E2M1, *records["formats"].values()):
        hash(record)
    rn.decode(rn.encode([1.0], rn.E2M1), rn.E2M1)  # makes tables
    data = pickle.dumps(records)
    assert len(data) < 1 << 18
    subprocess.run(
        [sys.executable, "-c", CHECK],
        input=data,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )


def test_arithmetic_of_the_user():
    own = replace(EXACT, name="of the user")
    data = pickle.dumps(own)
    assert pickle.loads(data) is own
    twin = replace(own, divides=True)  # another one of the same name
    assert pickle.loads(pickle.dumps(twin)) == twin
    missing = data.replace(b"of the user", b"of the xyzr")
    with pytest.raises(LookupError, match="no arithmetic 'of the xyzr' here"):
        pickle.loads(missing)
