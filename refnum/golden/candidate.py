"""Reading what a kernel or a test bench gave, in whichever form it was written.

A candidate is the golden file itself with the outputs replaced, a raw little-endian
file of the outputs alone, or a ``.npy`` array of them. A form that cannot be told, or
a candidate that does not answer these very cases, is an error, never a difference.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from refnum.golden.hexfile import parse
from refnum.golden.record import GoldenFile

__all__ = ["read_candidate"]

_NPY = b"\x93NUMPY"
_TEXT = b"// refnum golden"


def read_candidate(
    golden: GoldenFile, path: Path | str, stdin: BinaryIO | None = None
) -> npt.NDArray[np.unsignedinteger]:
    """Read the outputs of a candidate.

    Parameters
    ----------
    golden : GoldenFile
        What the candidate answers.
    path : Path or str
        A ``.hex``, ``.bin`` or ``.npy`` file, or ``-`` for `stdin`, where the form is
        told by the first bytes.
    stdin : binary file, optional
        Read when `path` is ``-``.

    Returns
    -------
    ndarray
        Unsigned bit patterns, shape (cases, outputs).

    Raises
    ------
    ValueError
        If the form is unknown, the content damaged or cut short, or the cases are
        not those of `golden`.
    OSError
        If the file cannot be read.
    """
    name, data, form = _load(path, stdin)
    if form == ".hex":
        outputs = _from_text(golden, data, name)
    elif form == ".npy":
        outputs = _from_npy(golden, data, name)
    else:
        outputs = _from_raw(golden, data, name)
    _fits(golden, outputs, name)
    return outputs


def _load(path: Path | str, stdin: BinaryIO | None) -> tuple[str, bytes, str]:
    if str(path) == "-":
        if stdin is None:
            raise ValueError("standard input is closed")
        data = stdin.read()
        form = ".npy" if data.startswith(_NPY) else ".bin"
        return "standard input", data, ".hex" if data.startswith(_TEXT) else form
    place = Path(path)
    form = place.suffix.lower()
    if form not in (".hex", ".bin", ".npy"):
        raise ValueError(f"{place}: a candidate is a .hex, .bin or .npy file")
    return str(place), place.read_bytes(), form


def _from_text(
    golden: GoldenFile, data: bytes, name: str
) -> npt.NDArray[np.unsignedinteger]:
    candidate = parse(data, name)
    if (candidate.columns, candidate.outputs) != (golden.columns, golden.outputs):
        raise ValueError(f"{name}:1: its columns are not those of the golden file")
    for key in {**golden.facts, **candidate.facts}:
        ours, theirs = golden.facts.get(key), candidate.facts.get(key)
        if ours != theirs:
            mine = f"{key}={theirs}" if theirs else f"no {key}="
            yours = f"{key}={ours}" if ours else "none"
            raise ValueError(f"{name}:1: {mine}, but the golden file has {yours}")
    if len(candidate.cases) != len(golden.cases):
        raise ValueError(
            f"{name}: {len(candidate.cases)} cases, "
            f"but the golden file has {len(golden.cases)}"
        )
    given = len(golden.input_columns)
    pairs = zip(golden.cases, candidate.cases, strict=True)
    for number, (asked, answered) in enumerate(pairs, 1):
        if asked.fields[:given] != answered.fields[:given]:
            raise ValueError(
                f"{name}: case {number} has another input than the golden file"
            )
    return candidate.output_array()


def _from_raw(
    golden: GoldenFile, data: bytes, name: str
) -> npt.NDArray[np.unsignedinteger]:
    want = golden.output_array()
    if len(data) != want.nbytes:
        raise ValueError(
            f"{name}: {len(data)} bytes; {want.size} outputs of "
            f"{want.dtype.itemsize} bytes are {want.nbytes}"
        )
    return np.frombuffer(data, want.dtype).reshape(want.shape)


def _from_npy(
    golden: GoldenFile, data: bytes, name: str
) -> npt.NDArray[np.unsignedinteger]:
    if not data.startswith(_NPY):
        raise ValueError(f"{name}: not a .npy array")
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{name}: no readable .npy array ({error})") from None
    want = golden.output_array()
    if array.size != want.size or array.shape not in (want.shape, (want.size,)):
        raise ValueError(
            f"{name}: shape {array.shape}; the golden file has {want.shape}"
        )
    return _as_patterns(array, want.dtype, name).reshape(want.shape)


def _as_patterns(
    array: npt.NDArray[np.generic], kind: np.dtype[np.unsignedinteger], name: str
) -> npt.NDArray[np.unsignedinteger]:
    """Return bit patterns: of integers by value, of other types of this width as is."""
    if array.dtype.kind == "i" and array.dtype.itemsize == kind.itemsize:
        return array.astype(array.dtype.newbyteorder("<")).view(kind)
    if array.dtype.kind in "iu":
        if array.size and int(array.min()) < 0:
            raise ValueError(f"{name}: {int(array.min())} is no bit pattern")
        return array.astype(np.uint64)
    if array.dtype.itemsize != kind.itemsize or array.dtype.kind not in "fV":
        raise ValueError(f"{name}: type {array.dtype}; outputs are {kind.name}")
    if array.dtype.kind == "f":
        array = array.astype(array.dtype.newbyteorder("<"))
    return np.ascontiguousarray(array).view(kind)


def _fits(
    golden: GoldenFile, outputs: npt.NDArray[np.unsignedinteger], name: str
) -> None:
    for index, column in enumerate(golden.output_columns):
        values = outputs[:, index]
        if values.size and int(values.max()) >> column.bits:
            case = int(np.argmax(values >= 1 << column.bits)) + 1
            raise ValueError(
                f"{name}: case {case}: {int(values.max()):#x} does not fit the "
                f"{column.bits} bits of {column.name}"
            )
