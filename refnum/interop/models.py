"""Codes as tensors of ONNX models, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import Format, pack, unpack
from refnum.interop.codes import as_codes, as_format, need
from refnum.interop.names import format_named

__all__ = ["from_onnx", "to_onnx"]


def to_onnx(codes: npt.ArrayLike, fmt: Format | str, name: str) -> Any:
    """Return codes as an ONNX tensor.

    Parameters
    ----------
    codes : array_like of integers
        Codes; four-bit ones are packed by twos in C order, as ONNX has it.
    fmt : Format or str
        What they mean.
    name : str
        Of the tensor.

    Returns
    -------
    onnx.TensorProto
        With ``raw_data``.

    Raises
    ------
    ModuleNotFoundError
        If onnx is not installed.
    TypeError
        If `codes` are no integers.
    ValueError
        If ONNX has no such type, or a code does not fit.
    """
    from onnx import TensorProto

    form = as_format(fmt)
    kind = TensorProto.DataType.Value(need(form, "onnx"))
    array = as_codes(codes, form)
    data = pack(array, 4) if form.bits == 4 else array.astype(f"<u{array.itemsize}")
    return TensorProto(
        name=name, data_type=kind, dims=array.shape, raw_data=data.tobytes()
    )


def from_onnx(tensor: Any) -> tuple[npt.NDArray[np.unsignedinteger[Any]], Format]:
    """Return the codes of an ONNX tensor with ``raw_data``, and their format.

    Parameters
    ----------
    tensor : onnx.TensorProto
        Of a type that refnum has.

    Returns
    -------
    codes : ndarray of unsigned integers
        One code an element.
    fmt : Format
        What they mean.

    Raises
    ------
    TypeError
        If the type is none of a format.
    ValueError
        If the data is not raw, or not as long as the shape says.
    """
    from onnx import TensorProto

    fmt = format_named("onnx", TensorProto.DataType.Name(tensor.data_type))
    shape = tuple(tensor.dims)
    count = math.prod(shape)
    width = -(-fmt.bits // 8)
    want = -(-count // 2) if fmt.bits == 4 else count * width
    data = tensor.raw_data
    if any(n < 0 for n in shape) or len(data) != want:
        raise ValueError(
            f"{tensor.name!r} has {len(data)} raw bytes; shape {shape} of {fmt} has {want}"
        )
    if fmt.bits == 4:
        codes = unpack(np.frombuffer(data, np.uint8), 4, count)
    else:
        codes = np.frombuffer(data, f"<u{width}").astype(f"=u{width}")
    return codes.reshape(shape), fmt
