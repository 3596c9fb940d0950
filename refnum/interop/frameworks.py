"""Codes as arrays of ml_dtypes, PyTorch and JAX, and back, sharing bytes if possible."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import E2M1, FP16, FP32, Format, pack, unpack
from refnum.interop.codes import as_codes, as_format, need
from refnum.interop.names import format_named

__all__ = [
    "from_jax",
    "from_ml_dtypes",
    "from_torch",
    "to_jax",
    "to_ml_dtypes",
    "to_torch",
]

_Codes = npt.NDArray[np.unsignedinteger[Any]]
_NUMPY = {FP32: np.float32, FP16: np.float16}
_TORCH_WORDS = {1: "uint8", 2: "uint16", 4: "uint32"}


def to_ml_dtypes(codes: npt.ArrayLike, fmt: Format | str) -> npt.NDArray[Any]:
    """Return codes as an array of ml_dtypes' type, a view of the same bytes.

    Parameters
    ----------
    codes : array_like of integers
        Codes; uint8 (uint16, uint32 for wider formats) is shared, other types are
        copied.
    fmt : Format or str
        What they mean.

    Returns
    -------
    ndarray
        The same values, one code an element.

    Raises
    ------
    ModuleNotFoundError
        If ml_dtypes is not installed.
    TypeError
        If `codes` are no integers.
    ValueError
        If ml_dtypes has no such type, or a code does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.interop import to_ml_dtypes
    >>> to_ml_dtypes(np.uint8([0x38, 0x7E]), "e4m3")
    array([1, 448], dtype='float8_e4m3fn')
    """
    form = as_format(fmt)
    return as_codes(codes, form).view(_ml_dtype(form))


def from_ml_dtypes(array: npt.NDArray[Any]) -> tuple[_Codes, Format]:
    """Return the codes of an array of ml_dtypes' or NumPy's types, and their format.

    Parameters
    ----------
    array : ndarray
        Of a type that refnum has.

    Returns
    -------
    codes : ndarray of unsigned integers
        A view of the same bytes; of another byte order, a copy.
    fmt : Format
        What they mean.

    Raises
    ------
    TypeError
        If the type is none of a format.
    """
    values = np.asarray(array)
    fmt = format_named("ml_dtypes", values.dtype.name)
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    return values.view(f"u{values.dtype.itemsize}"), fmt


def to_torch(codes: npt.ArrayLike, fmt: Format | str) -> Any:
    """Return codes as a PyTorch tensor, sharing bytes where a code fills its own.

    Parameters
    ----------
    codes : array_like of integers, shape (..., n)
        Codes. Those of E2M1 are packed by twos along the last axis, as PyTorch has it.
    fmt : Format or str
        What they mean.

    Returns
    -------
    torch.Tensor
        On the CPU.

    Raises
    ------
    ModuleNotFoundError
        If torch is not installed.
    TypeError
        If `codes` are no integers.
    ValueError
        If torch has no such type, a code does not fit, or the last axis of E2M1 is odd.
    """
    import torch

    form = as_format(fmt)
    dtype = getattr(torch, need(form, "torch"))
    array = as_codes(codes, form)
    if form == E2M1:
        array = pack_pairs(array)
    elif not array.flags.writeable:  # torch warns of memory that it may not write
        array = array.copy()
    return torch.from_numpy(array).view(dtype)


def from_torch(tensor: Any) -> tuple[_Codes, Format]:
    """Return the codes of a PyTorch tensor, and their format.

    Parameters
    ----------
    tensor : torch.Tensor
        On any device; on the CPU its bytes are shared, but those of E2M1 are unpacked.

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
    """
    import torch

    fmt = format_named("torch", str(tensor.dtype).removeprefix("torch."))
    word = getattr(torch, _TORCH_WORDS[tensor.element_size()])
    codes = tensor.detach().cpu().view(word).numpy()
    return (unpack_pairs(codes), fmt) if fmt == E2M1 else (codes, fmt)


def to_jax(codes: npt.ArrayLike, fmt: Format | str) -> Any:
    """Return codes as a JAX array of the type of ml_dtypes.

    Parameters
    ----------
    codes : array_like of integers
        Codes.
    fmt : Format or str
        What they mean.

    Returns
    -------
    jax.Array
        A copy on JAX's default device.
    """
    import jax.numpy as jnp

    return jnp.asarray(to_ml_dtypes(codes, fmt))


def from_jax(array: Any) -> tuple[_Codes, Format]:
    """Return the codes of a JAX array, and their format, as `from_ml_dtypes` does."""
    return from_ml_dtypes(np.asarray(array))


def pack_pairs(codes: _Codes) -> npt.NDArray[np.uint8]:
    """Pack four-bit codes by twos along the last axis, the first in the low nibble."""
    if codes.ndim == 0 or codes.shape[-1] % 2:
        raise ValueError(
            f"codes of shape {codes.shape} do not pack by twos along the last axis"
        )
    return pack(codes, 4).reshape(*codes.shape[:-1], codes.shape[-1] // 2)


def unpack_pairs(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Undo `pack_pairs`."""
    shape = (*data.shape[:-1], 2 * data.shape[-1])
    flat = unpack(np.ascontiguousarray(data), 4, 2 * data.size)
    return flat.astype(np.uint8, copy=False).reshape(shape)


def _ml_dtype(fmt: Format) -> np.dtype[Any]:
    if fmt in _NUMPY:
        return np.dtype(_NUMPY[fmt])
    name = need(fmt, "ml_dtypes")
    import ml_dtypes

    dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return dtype
