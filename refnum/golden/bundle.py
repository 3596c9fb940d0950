"""Golden folders: tensors as raw files, and a ``case.json`` that says what they are.

A raw file is little-endian, in C order, without a header, so that ``fread`` and
``np.fromfile`` load it. Its name is ``<tensor>.<type>.bin``: ``x.f32.bin``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Bundle", "Tensor", "read_bundle", "render_bundle"]

_CASE = "case.json"
_AXES = 32
_ROLES = ("in", "out")
_TYPES = {
    "u8": "<u1",
    "u16": "<u2",
    "u32": "<u4",
    "u64": "<u8",
    "i8": "<i1",
    "i16": "<i2",
    "i32": "<i4",
    "i64": "<i8",
    "f16": "<f2",
    "f32": "<f4",
    "f64": "<f8",
}
_NAMES = {np.dtype(kind): name for name, kind in _TYPES.items()}
_FIELDS = {"name", "dtype", "shape", "role", "sha256"}


@dataclass(frozen=True, eq=False)
class Tensor:
    """One array of a bundle: its name, whether it goes ``in`` or comes ``out``."""

    name: str
    role: str
    array: npt.NDArray[np.generic]

    def __post_init__(self) -> None:
        if self.role not in _ROLES:
            raise ValueError(f"{self.name}: role must be in or out, not {self.role!r}")
        if not (self.name.isidentifier() and self.name.isascii()):
            raise ValueError(f"{self.name!r} is no tensor name: use letters, digits, _")
        if self.array.dtype.newbyteorder("<") not in _NAMES:
            raise TypeError(
                f"{self.name}: {self.array.dtype} has no raw form; "
                f"{', '.join(_TYPES)} have"
            )

    @property
    def dtype(self) -> str:
        """Name of the type: ``u8``, ``f32``."""
        return _NAMES[self.array.dtype.newbyteorder("<")]

    @property
    def filename(self) -> str:
        """Name of the raw file."""
        return f"{self.name}.{self.dtype}.bin"

    def data(self) -> bytes:
        """Return the raw file: little-endian, in C order."""
        return self.array.astype(_TYPES[self.dtype]).tobytes(order="C")


@dataclass(frozen=True, eq=False)
class Bundle:
    """One golden folder in memory.

    Parameters
    ----------
    op : str
        The operation: ``quantize``, ``matmul``.
    spec : mapping
        All that decides the outputs, in JSON's types.
    tensors : tuple of Tensor
        Inputs and outputs.
    """

    op: str
    spec: Mapping[str, Any]
    tensors: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        names = [tensor.name for tensor in self.tensors]
        if len(set(names)) != len(names):
            raise ValueError(f"two tensors share a name: {', '.join(names)}")
        if not any(tensor.role == "out" for tensor in self.tensors):
            raise ValueError("a bundle needs a tensor of role out")

    def __getitem__(self, name: str) -> npt.NDArray[np.generic]:
        for tensor in self.tensors:
            if tensor.name == name:
                return tensor.array
        known = ", ".join(tensor.name for tensor in self.tensors)
        raise KeyError(f"no tensor {name!r}; there are {known}")


def render_bundle(bundle: Bundle) -> dict[str, bytes]:
    """Return the content of each file of the folder, by file name.

    Parameters
    ----------
    bundle : Bundle
        What to write.

    Returns
    -------
    dict of str to bytes
        ``case.json`` and one raw file a tensor.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.golden import Bundle, Tensor, render_bundle
    >>> y = Tensor("y", "out", np.array([1, 2], np.uint8))
    >>> render_bundle(Bundle("copy", {}, (y,)))["y.u8.bin"]
    b'\\x01\\x02'
    """
    files = {tensor.filename: tensor.data() for tensor in bundle.tensors}
    tensors = [
        {
            "name": tensor.name,
            "dtype": tensor.dtype,
            "shape": list(tensor.array.shape),
            "role": tensor.role,
            "sha256": hashlib.sha256(files[tensor.filename]).hexdigest(),
        }
        for tensor in bundle.tensors
    ]
    case = {"op": bundle.op, "spec": dict(bundle.spec), "tensors": tensors}
    text = json.dumps(case, indent=1, sort_keys=True, allow_nan=False) + "\n"
    return {_CASE: text.encode(), **files}


def read_bundle(folder: Path | str) -> Bundle:
    """Read a golden folder.

    Parameters
    ----------
    folder : Path or str
        Its place.

    Returns
    -------
    Bundle
        Its tensors, each checked against its shape and its SHA-256.

    Raises
    ------
    ValueError
        If ``case.json`` or a raw file is damaged or does not fit; the message names it.
    OSError
        If a file cannot be read.
    """
    place = Path(folder)
    case_path = place / _CASE
    text = case_path.read_bytes()
    try:
        op, spec, described = _read_case(text)
        whole = [_read_facts(facts) for facts in described]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{case_path}: {error}") from None
    tensors = tuple(_read_tensor(place, *facts) for facts in whole)
    try:
        return Bundle(op, spec, tensors)
    except ValueError as error:
        raise ValueError(f"{case_path}: {error}") from None


def _read_case(text: bytes) -> tuple[str, dict[str, Any], list[Any]]:
    """Return the operation, what decides it, and the facts of the tensors."""
    try:
        case = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(case, dict) or set(case) != {"op", "spec", "tensors"}:
        raise ValueError("must hold op, spec and tensors alone")
    kinds = tuple(type(case[name]) for name in ("op", "spec", "tensors"))
    if kinds != (str, dict, list):
        raise ValueError("spec is an object, op a text, tensors a list")
    return case["op"], case["spec"], case["tensors"]


def _read_facts(facts: Any) -> tuple[Tensor, list[int], str]:
    """Return a tensor without elements, its shape and its digest, each checked.

    Nothing of that shape is made yet: a stranger's sizes may be absurd.
    """
    if not isinstance(facts, dict) or set(facts) != _FIELDS:
        raise ValueError(f"a tensor has {', '.join(sorted(_FIELDS))}")
    name, dtype, shape = facts["name"], facts["dtype"], facts["shape"]
    if type(name) is not str:
        raise ValueError(f"{name!r} is no tensor name")
    if type(dtype) is not str or dtype not in _TYPES:
        raise ValueError(f"{name}: unknown dtype {dtype!r}")
    sizes = isinstance(shape, list) and len(shape) <= _AXES
    if not (sizes and all(type(n) is int and n >= 0 for n in shape)):
        raise ValueError(f"{name}: shape {shape!r} is no list of sizes")
    like = Tensor(name, facts["role"], np.zeros(0, _TYPES[dtype]))
    return like, shape, str(facts["sha256"])


def _read_tensor(folder: Path, like: Tensor, shape: list[int], digest: str) -> Tensor:
    path = folder / like.filename
    data = path.read_bytes()
    size = math.prod(shape) * like.array.itemsize
    if len(data) != size:
        raise ValueError(
            f"{path}: {len(data)} bytes; shape {shape} of {like.dtype} has {size}"
        )
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{path}: its SHA-256 is not the one in {_CASE}")
    array = np.frombuffer(data, _TYPES[like.dtype]).reshape(shape)
    return Tensor(like.name, like.role, array)
