"""Golden files and folders of strangers: one clear error, or what was there."""

import json
import random
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from refnum.golden import Bundle, read, read_bundle

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "golden/encode/e2m1.nearest_even.finite.hex"
FOLDER = ROOT / "golden/quantize/mxfp4.plain"
MIB = 2**20


def mutated(data: bytes, seed: int) -> bytes:
    """The bytes cut, with bits flipped, runs overwritten, or strange ones put in."""
    rng = random.Random(seed)
    changed = bytearray(data)
    place = rng.randrange(len(changed))
    match seed % 5:
        case 0:
            del changed[place:]
        case 1:
            for _ in range(rng.randrange(1, 4)):
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        case 2:
            changed[place : place + 8] = b"9" * 8
        case 3:
            changed[place:place] = rng.randbytes(rng.randrange(1, 64))
        case 4:
            changed[place : place + rng.randrange(1, 200)] = b""
    return bytes(changed)


def read_within_memory(reader, path):
    """What a reader gives, or None with one ValueError that names the file."""
    tracemalloc.start()
    found, message = None, ""
    try:
        found = reader(path)
    except ValueError as error:
        message = str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 256 * MIB
    assert found is not None or str(path) in message
    return found


@pytest.mark.parametrize("seed", range(100))
def test_mutated_files(tmp_path, seed):
    path = tmp_path / "case.hex"
    path.write_bytes(mutated(FILE.read_bytes(), seed))
    found = read_within_memory(read, path)
    if found is not None:
        assert len(found.cases) == 139


@pytest.mark.parametrize("seed", range(100))
def test_mutated_folders(tmp_path, seed):
    folder = tmp_path / "case"
    shutil.copytree(FOLDER, folder)
    names = sorted(path.name for path in folder.iterdir())
    name = "case.json" if seed % 2 else names[seed // 2 % len(names)]
    (folder / name).write_bytes(mutated((folder / name).read_bytes(), seed))
    found = read_within_memory(read_bundle, folder)
    if found is not None:
        assert isinstance(found, Bundle)
        assert found["codes"].shape == (4, 64)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", [2**39, 2**39]),
        ("shape", [-1, 64]),
        ("shape", [4, 64, *[1] * 40]),
        ("shape", 256),
        ("dtype", "object"),
        ("dtype", ["u8"]),
        ("name", "../../../../etc/passwd"),
        ("name", "codes.u8"),
        ("name", 7),
        ("role", "execute"),
        ("role", None),
        ("sha256", "0" * 64),
    ],
)
def test_strange_tensors(tmp_path, field, value):
    folder = tmp_path / "case"
    shutil.copytree(FOLDER, folder)
    case = json.loads((folder / "case.json").read_text())
    case["tensors"][1][field] = value
    (folder / "case.json").write_text(json.dumps(case))
    assert read_within_memory(read_bundle, folder) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", "[" * 100_000, '{"op": 1, "spec": 2, "tensors": 3}'],
)
def test_strange_cases(tmp_path, text):
    (tmp_path / "case.json").write_text(text)
    assert read_within_memory(read_bundle, tmp_path) is None


def test_a_raw_file_of_another_length(tmp_path):
    folder = tmp_path / "case"
    shutil.copytree(FOLDER, folder)
    np.zeros(255, np.uint8).tofile(folder / "codes.u8.bin")
    with pytest.raises(ValueError, match=r"codes\.u8\.bin: 255 bytes; shape \[4, 64\]"):
        read_bundle(folder)
