"""Checkpoints: named arrays and facts in one file, whole or not at all.

The form, with integers little-endian::

    magic        16 bytes   "refnum-state-v1" and a newline
    length        8 bytes   of the head
    head                    JSON: {"facts": {...}, "arrays": [{name, dtype, shape}, ...]}
    data                    the arrays, C order, little-endian, one after the other
    digest       32 bytes   SHA-256 of all before it

Nothing in it is executed. A reader trusts no number in it: the digest, then the sizes
are compared with the length of the file before an array is made. A writer puts the new
file beside the old one, has it stored, and only then gives it the name.
"""

from __future__ import annotations

import hashlib
import json
import math
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum._files import write_atomically

__all__ = ["Checkpoint", "read_checkpoint", "write_checkpoint"]

_MAGIC = b"refnum-state-v1\n"
_FAMILY = b"refnum-state-v"
_LENGTH = 8
_DIGEST = 32
_TYPES = ("|u1", "<u2", "<u4", "<u8", "|i1", "<i2", "<i4", "<i8", "<f4", "<f8")
_FIELDS = {"name", "dtype", "shape"}

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint holds.

    Parameters
    ----------
    facts : dict
        Step, settings and other small things, in JSON's types.
    arrays : dict of str to ndarray
        Parameters, the optimiser's state, and so on.
    """

    facts: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]


def write_checkpoint(
    path: Path | str, facts: Mapping[str, Any], arrays: Arrays
) -> None:
    """Write a checkpoint in the place of the one that is there.

    Parameters
    ----------
    path : Path or str
        Where. Whatever goes wrong, it holds the old file or the new one.
    facts : mapping
        In JSON's types, without NaN and infinities.
    arrays : mapping of str to ndarray
        Of integers, float32 or float64.

    Raises
    ------
    TypeError
        If an array has another type.
    ValueError
        If a fact is no JSON.
    OSError
        If the file cannot be written, for instance as the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from refnum.training import read_checkpoint, write_checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "state"
    ...     write_checkpoint(path, {"step": 3}, {"w": np.arange(2)})
    ...     loaded = read_checkpoint(path)
    >>> loaded.facts, loaded.arrays
    ({'step': 3}, {'w': array([0, 1])})
    """
    stored = {name: _stored(name, array) for name, array in arrays.items()}
    described = [
        {"name": name, "dtype": array.dtype.str, "shape": list(array.shape)}
        for name, array in stored.items()
    ]
    content = {"facts": dict(facts), "arrays": described}
    head = json.dumps(content, allow_nan=False, sort_keys=True).encode()
    parts = [_MAGIC, len(head).to_bytes(_LENGTH, "little"), head]
    parts += [array.tobytes() for array in stored.values()]
    data = b"".join(parts)
    write_atomically(Path(path), data + hashlib.sha256(data).digest())


def read_checkpoint(path: Path | str) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : Path or str
        A file from `write_checkpoint`.

    Returns
    -------
    Checkpoint
        Its facts and arrays.

    Raises
    ------
    ValueError
        If it is no checkpoint, of another version, cut short or changed.
    OSError
        If it cannot be read.
    """
    place = Path(path)
    try:
        return _parse(_bytes_of(place))
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _bytes_of(path: Path) -> bytes:
    """Return the content of an ordinary file: a pipe would never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("not a file")
    return path.read_bytes()


def _parse(data: bytes) -> Checkpoint:
    if not data.startswith(_MAGIC):
        if data.startswith(_FAMILY):
            raise ValueError("a checkpoint of another version of refnum")
        raise ValueError("not a checkpoint")
    start = len(_MAGIC) + _LENGTH
    end = len(data) - _DIGEST
    if end < start or hashlib.sha256(data[:end]).digest() != data[end:]:
        raise ValueError("the checkpoint is cut short or changed")
    length = int.from_bytes(data[len(_MAGIC) : start], "little")
    if length > end - start:
        raise ValueError(f"the head has {length} bytes, more than the file")
    facts, described = _head(data[start : start + length])
    arrays: dict[str, npt.NDArray[Any]] = {}
    place = start + length
    for entry in described:
        name, dtype, shape = _description(entry, arrays)
        size = math.prod(shape) * dtype.itemsize
        if size > end - place:
            raise ValueError(f"{name} has {size} bytes, more than the file")
        flat = np.frombuffer(data, dtype, math.prod(shape), place)
        arrays[name] = flat.reshape(shape).astype(dtype.newbyteorder("="))
        place += size
    if place != end:
        raise ValueError(f"{end - place} bytes belong to no array")
    return Checkpoint(facts, arrays)


def _head(text: bytes) -> tuple[dict[str, Any], list[Any]]:
    try:
        head = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("the head is not JSON") from None
    if not isinstance(head, dict) or head.keys() != {"facts", "arrays"}:
        raise ValueError("the head must hold facts and arrays alone")
    facts, described = head["facts"], head["arrays"]
    if not (isinstance(facts, dict) and isinstance(described, list)):
        raise ValueError("facts must be an object and arrays a list")  # noqa: TRY004
    return facts, described


def _description(
    entry: Any, known: Arrays
) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    """Return the name, type and shape of an array, each checked."""
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        raise ValueError("an array must have name, dtype and shape alone")
    name, dtype, shape = entry["name"], entry["dtype"], entry["shape"]
    if not isinstance(name, str) or name in known:
        raise ValueError(f"{name!r} is no name of one array")
    if dtype not in _TYPES:
        raise ValueError(f"{name} has the unknown type {dtype!r}")
    if not isinstance(shape, list) or len(shape) > 32:
        raise ValueError(f"{name} has no shape")
    if not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise ValueError(f"{name} has the impossible shape {shape}")
    return name, np.dtype(dtype), tuple(shape)


def _stored(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    stored = np.asarray(array)
    little = stored.astype(stored.dtype.newbyteorder("<"), order="C", copy=False)
    if little.dtype.str not in _TYPES:
        raise TypeError(f"{name}: a checkpoint holds numbers, not {stored.dtype}")
    return little
