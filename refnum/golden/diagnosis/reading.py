"""Reading what a kernel gave for a golden folder or a capture.

A candidate is a folder with raw files of the golden names (``codes.u8.bin``) or arrays
(``codes.npy``), any of them, or one such file. An output of another size than the
golden one is no error here: a kernel with another block size has other scales.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from refnum.golden.diagnosis.deviation import Array, Outputs

__all__ = ["from_arrays", "read_outputs"]


def read_outputs(golden: Outputs, path: Path | str) -> dict[str, Array]:
    """Return the outputs that a candidate has, in the types of the golden ones.

    Raises
    ------
    ValueError
        If there is none, or a file is damaged or holds another type.
    OSError
        If a file cannot be read.
    """
    place = Path(path)
    found: dict[str, Array] = {}
    for name, file in _files(golden, place):
        if name in found:
            raise ValueError(f"{place}: two files hold {name}")
        found[name] = _read(file, golden[name])
    if not found:
        names = ", ".join(_raw_name(name, array) for name, array in golden.items())
        raise ValueError(f"{place}: no output is there; names are {names}, or .npy")
    return found


def from_arrays(
    golden: Outputs, arrays: Mapping[str, npt.ArrayLike]
) -> dict[str, Array]:
    """Return outputs in memory, in the types of the golden ones.

    Raises
    ------
    ValueError
        If an output is unknown, or none is there.
    TypeError
        If one is of another type.
    """
    unknown = sorted(set(arrays) - set(golden))
    if unknown or not arrays:
        raise ValueError(
            f"outputs {', '.join(unknown) or 'are missing'}; "
            f"there are {', '.join(golden)}"
        )
    return {n: as_type(np.asarray(a), golden[n].dtype, n) for n, a in arrays.items()}


def as_type(array: Array, kind: np.dtype[np.generic], name: str) -> Array:
    """Return numbers or bit patterns as that type.

    Raises
    ------
    TypeError
        If the array holds neither.
    ValueError
        If an integer does not fit.
    """
    if array.dtype.newbyteorder("=") == kind.newbyteorder("="):
        return array.astype(kind, copy=False)
    if array.dtype.kind in "iu" and kind.kind in "iu":
        limits = np.iinfo(kind.str)
        if array.dtype.itemsize == kind.itemsize:
            return array.view(kind)
        if array.size and not limits.min <= array.min() <= array.max() <= limits.max:
            raise ValueError(f"{name}: values do not fit {kind}")
        return array.astype(kind)
    same_width = array.dtype.itemsize == kind.itemsize
    if same_width and array.dtype.kind in "iuV":
        return np.ascontiguousarray(array).view(kind)
    raise TypeError(f"{name}: type {array.dtype}; {kind} is needed")


def _files(golden: Outputs, place: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a candidate, with the names of the outputs they hold."""
    if place.is_dir():
        for name, array in golden.items():
            for file in (_raw_name(name, array), f"{name}.npy"):
                if (place / file).is_file():
                    yield name, place / file
        return
    stem = place.name.partition(".")[0]
    if stem in golden:
        yield stem, place
    elif len(golden) == 1:
        yield next(iter(golden)), place


def _read(file: Path, golden: Array) -> Array:
    if file.suffix == ".npy":
        try:
            array = np.load(file, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{file}: no readable .npy array ({error})") from None
        try:
            return as_type(array, golden.dtype, str(file))
        except TypeError as error:
            raise ValueError(str(error)) from None
    if file.suffix != ".bin":
        raise ValueError(f"{file}: a candidate is a folder, a .bin or a .npy file")
    data = file.read_bytes()
    if len(data) % golden.dtype.itemsize:
        raise ValueError(
            f"{file}: {len(data)} bytes are no whole {golden.dtype} values"
        )
    array = np.frombuffer(data, golden.dtype.newbyteorder("<")).astype(golden.dtype)
    return array.reshape(golden.shape) if array.size == golden.size else array


def _raw_name(name: str, array: Array) -> str:
    kind = array.dtype
    return f"{name}.{kind.kind}{8 * kind.itemsize}.bin"
