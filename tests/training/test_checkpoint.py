"""Checkpoints: what comes back, what is refused, and what a full disk leaves."""

import errno
import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from refnum.training import read_checkpoint, write_checkpoint

ROOT = Path(__file__).resolve().parents[2]
MAGIC = b"refnum-state-v1\n"
ARRAYS = {
    "parameters/w": np.array([[1.5, -0.0], [np.nan, np.inf]], np.float32),
    "optimizer/count": np.array(7, np.int64),
    "empty": np.zeros((0, 3), np.float64),
    "scales": np.arange(5, dtype=np.uint8),
}


def sealed(head, data=b"", magic=MAGIC):
    """A file whose digest is right, whatever its head says."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    body = magic + len(text).to_bytes(8, "little") + text + data
    return body + hashlib.sha256(body).digest()


def described(**changes):
    return {"name": "w", "dtype": "<f4", "shape": [2]} | changes


def test_bits_come_back(tmp_path):
    path = tmp_path / "state"
    write_checkpoint(path, {"step": 3, "settings": {"a": [1.5, None]}}, ARRAYS)
    loaded = read_checkpoint(path)
    assert loaded.facts == {"step": 3, "settings": {"a": [1.5, None]}}
    assert list(loaded.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        got = loaded.arrays[name]
        assert (got.dtype, got.shape) == (array.dtype, array.shape)
        assert got.tobytes() == array.tobytes()
        got[...] = 0  # arrays are the reader's own


def test_byte_order_and_layout_do_not_matter(tmp_path):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    written = []
    for name, array in {
        "a": values,
        "b": values.astype(">f4"),
        "c": values.T.copy().T,
    }.items():
        write_checkpoint(tmp_path / name, {}, {"w": array})
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1] == written[2]


@pytest.mark.parametrize("dtype", [object, "U3", "complex64", "float16", "M8[s]", bool])
def test_other_types_are_not_written(tmp_path, dtype):
    with pytest.raises(TypeError, match="a checkpoint holds numbers"):
        write_checkpoint(tmp_path / "state", {}, {"w": np.zeros(2, dtype)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fact", [float("nan"), float("inf")])
def test_facts_are_json(tmp_path, fact):
    with pytest.raises(ValueError, match="JSON"):
        write_checkpoint(tmp_path / "state", {"loss": fact}, {})
    assert list(tmp_path.iterdir()) == []


HOSTILE = {
    "nothing": (b"", "not a checkpoint"),
    "a pickle": (pickle.dumps(print), "not a checkpoint"),
    "a zip": (b"PK\x03\x04" + bytes(100), "not a checkpoint"),
    "another version": (sealed({}, magic=b"refnum-state-v9\n"), "another version"),
    "only the magic": (MAGIC, "cut short or changed"),
    "no digest": (sealed({"facts": {}, "arrays": []})[:-1], "cut short or changed"),
    "an endless head": (
        MAGIC + b"\xff" * 8 + hashlib.sha256(MAGIC + b"\xff" * 8).digest(),
        "more than the file",
    ),
    "no JSON": (sealed(b"{'facts': 1}"), "not JSON"),
    "no text": (sealed(b"\xff\xfe"), "not JSON"),
    "deep JSON": (sealed(b"[" * 100_000 + b"]" * 100_000), "not JSON"),
    "a list": (sealed([]), "facts and arrays alone"),
    "more": (sealed({"facts": {}, "arrays": [], "x": 1}), "facts and arrays alone"),
    "facts": (sealed({"facts": [], "arrays": []}), "facts must be an object"),
    "fields": (sealed({"facts": {}, "arrays": [{}]}), "name, dtype and shape"),
}
ARRAY_HEADS = {
    "objects": (described(dtype="|O"), "unknown type"),
    "big-endian": (described(dtype=">f4"), "unknown type"),
    "a list as type": (described(dtype=["<f4"]), "unknown type"),
    "negative": (described(shape=[-2]), "impossible shape"),
    "huge": (described(shape=[2**39, 2**39]), "more than the file"),
    "far too long": (described(shape=[2**64]), "impossible shape"),
    "bool": (described(shape=[True]), "impossible shape"),
    "float": (described(shape=[2.0]), "impossible shape"),
    "no list": (described(shape=8), "no shape"),
    "many axes": (described(shape=[1] * 40), "no shape"),
    "name": (described(name=3), "no name"),
    "too much": (described(shape=[1]), "belong to no array"),
    "too little": (described(shape=[3]), "more than the file"),
}
for name, (entry, message) in ARRAY_HEADS.items():
    head = {"facts": {}, "arrays": [entry]}
    HOSTILE[f"array: {name}"] = (sealed(head, bytes(8)), message)
twice = {"facts": {}, "arrays": [described(), described()]}
HOSTILE["a name twice"] = (sealed(twice, bytes(16)), "no name of one array")


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused_in_one_line(tmp_path, kind):
    data, message = HOSTILE[kind]
    path = tmp_path / "state"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == data


def test_every_truncation_and_every_changed_byte_is_noticed(tmp_path):
    path = tmp_path / "state"
    write_checkpoint(path, {"step": 1}, {"w": np.arange(3, dtype=np.float32)})
    data = path.read_bytes()
    for k in range(len(data)):
        path.write_bytes(data[:k])
        with pytest.raises(ValueError, match="checkpoint"):
            read_checkpoint(path)
        path.write_bytes(data[:k] + bytes([data[k] ^ 1]) + data[k + 1 :])
        with pytest.raises(ValueError, match="checkpoint"):
            read_checkpoint(path)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not a file"):
        read_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a file"):
        read_checkpoint(tmp_path / "pipe")


def test_no_space_left_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "state"
    write_checkpoint(path, {"step": 1}, ARRAYS)
    old = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_checkpoint(path, {"step": 2}, ARRAYS)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == old
    assert [one.name for one in tmp_path.iterdir()] == ["state"]


# A limit on the size of files ends a write in its middle, as a full disk does.
FULL = """
import resource, signal, sys
import numpy as np
from refnum.training import write_checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
write_checkpoint(sys.argv[1], {"step": 1}, {"w": np.zeros(100, np.float32)})
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_checkpoint(sys.argv[1], {"step": 2}, {"w": np.zeros(100_000, np.float32)})
except OSError as error:
    print(error.filename)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of resources")
def test_a_write_cut_off_in_its_middle_keeps_the_old_checkpoint(tmp_path):
    path = tmp_path / "state"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == str(path)
    assert read_checkpoint(path).facts == {"step": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["state"]
