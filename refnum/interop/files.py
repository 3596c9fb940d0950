"""`save` and `load`: a `Quantized` in one file, self-describing and safe to load.

A file holds up to three arrays, and a text of facts:

- ``codes``: packed without gaps, the first code in the lowest bits;
- ``scales``: scale codes, or the same swizzled into tiles;
- ``tensor_scale``: float32, where the format has one;
- the facts: version, shapes, axis, layout, and the block format as a whole record.

The loader believes nothing: types, sizes and facts must fit each other and the file's
length before anything is made of them. Nothing is unpickled, decompressed or executed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum._files import write_atomically
from refnum.blocks import (
    BlockFormat,
    Quantized,
    scales_shape,
    swizzle_scales,
    tensor_scale_shape,
    unswizzle_scales,
)
from refnum.formats import pack, unpack
from refnum.interop import npz, tensors
from refnum.interop.records import from_json, to_json

__all__ = ["load", "save"]

_VERSION = 1
_FACTS = {"version", "shape", "scales_shape", "axis", "layout", "format"}
_LAYOUTS = ("linear", "swizzled")
_FORMS = {".npz": npz, ".safetensors": tensors}


def save(path: Path | str, q: Quantized, *, layout: str = "linear") -> None:
    """Write a quantised array to a file.

    Parameters
    ----------
    path : Path or str
        A ``.npz`` or ``.safetensors`` file (the latter needs safetensors). It is
        written whole or not at all.
    q : Quantized
        The array.
    layout : {"linear", "swizzled"}
        How scale codes lie: row by row, or in tiles of 128 by 4 as cuBLAS reads them.

    Raises
    ------
    TypeError
        If `q` is no Quantized.
    ValueError
        If the suffix or the layout is another one, or a record of the format cannot be
        said by names.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import refnum as rn
    >>> from refnum.interop import load, save
    >>> q = rn.quantize(np.linspace(-1, 1, 64), rn.NVFP4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Path(folder) / "w.npz", q)
    ...     loaded = load(Path(folder) / "w.npz")
    >>> loaded.format.name, (loaded.codes == q.codes).all()
    ('nvfp4', np.True_)
    """
    if not isinstance(q, Quantized):
        raise TypeError(f"q must be Quantized, not {type(q).__name__}")
    if layout not in _LAYOUTS:
        raise ValueError(f"layout is {layout!r}; {' or '.join(_LAYOUTS)} is allowed")
    facts = {
        "version": _VERSION,
        "shape": list(q.codes.shape),
        "scales_shape": list(q.scales.shape),
        "axis": q.axis,
        "layout": layout,
        "format": to_json(q.format),
    }
    arrays: dict[str, npt.NDArray[Any]] = {
        "codes": pack(q.codes, q.format.element.bits),
        "scales": swizzle_scales(q.scales) if layout == "swizzled" else q.scales,
    }
    if q.tensor_scale is not None:
        arrays["tensor_scale"] = np.asarray(q.tensor_scale, np.float32)
    form = _form(path)
    text = json.dumps(facts, allow_nan=False, sort_keys=True)
    write_atomically(Path(path), form.render(arrays, text))


def load(path: Path | str) -> Quantized:
    """Read a quantised array from a file that `save` wrote.

    Parameters
    ----------
    path : Path or str
        A ``.npz`` or ``.safetensors`` file, from anyone.

    Returns
    -------
    Quantized
        With the format as a whole record.

    Raises
    ------
    ValueError
        If the file is of another kind, damaged, or contradicts itself.
    OSError
        If it cannot be read.
    """
    form = _form(path)
    data = Path(path).read_bytes()
    try:
        arrays, text = form.parse(data)
        return _assemble(arrays, _read_facts(text))
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: {error}") from None


def _form(path: Path | str) -> Any:
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMS:
        raise ValueError(f"{path}: the suffix is one of {', '.join(_FORMS)}")
    return _FORMS[suffix]


@dataclass(frozen=True)
class _Facts:
    """The facts of a file, each of the right type."""

    shape: tuple[int, ...]
    scales_shape: tuple[int, ...]
    axis: int
    layout: str
    format: BlockFormat


def _read_facts(text: str) -> _Facts:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("the facts are not JSON") from None
    if not isinstance(facts, dict) or facts.keys() != _FACTS:
        raise ValueError(f"the facts must be {', '.join(sorted(_FACTS))} alone")
    if facts["version"] != _VERSION:
        raise ValueError(f"version {facts['version']!r}; this refnum reads {_VERSION}")
    fmt = from_json(facts["format"])
    if type(fmt) is not BlockFormat:
        raise ValueError("format is no block format")
    shapes = []
    for name in ("shape", "scales_shape"):
        shape = facts[name]
        if not isinstance(shape, list) or not all(
            type(n) is int and 0 <= n < 2**40 for n in shape
        ):
            raise ValueError(f"{name} {shape!r} is no list of sizes")
        shapes.append(tuple(shape))
    axis, layout = facts["axis"], facts["layout"]
    if type(axis) is not int or not -len(shapes[0]) <= axis < len(shapes[0]):
        raise ValueError(f"axis {axis!r} is none of shape {shapes[0]}")
    if layout not in _LAYOUTS:
        raise ValueError(f"layout {layout!r} is unknown")
    return _Facts(shapes[0], shapes[1], axis, layout, fmt)


def _assemble(arrays: dict[str, npt.NDArray[Any]], facts: _Facts) -> Quantized:
    """Return the quantised array, with every size compared."""
    fmt = facts.format
    wanted = {"codes", "scales"} | ({"tensor_scale"} if fmt.tensor_scale else set())
    if arrays.keys() != wanted:
        raise ValueError(f"arrays are {', '.join(arrays)}; {', '.join(wanted)} belong")
    codes, count = arrays["codes"], math.prod(facts.shape)
    bits = fmt.element.bits
    if codes.dtype != np.uint8 or codes.shape != (-(-count * bits // 8),):
        raise ValueError(f"codes are no {count} packed codes of {bits} bits")
    unpacked = unpack(codes, bits, count)
    scales = _read_scales(arrays["scales"], facts)
    outer = arrays.get("tensor_scale")
    _check_shapes(facts, outer)
    tensor_scale: Any = outer if outer is None or outer.ndim else outer[()]
    return Quantized(
        unpacked.reshape(facts.shape), scales, tensor_scale, fmt, facts.axis
    )


def _read_scales(
    scales: npt.NDArray[Any], facts: _Facts
) -> npt.NDArray[np.unsignedinteger[Any]]:
    fmt = facts.format
    if scales.dtype != fmt.scale_dtype:
        raise ValueError(f"scales are {scales.dtype}, not {fmt.scale_dtype}")
    if facts.layout == "swizzled":
        scales = unswizzle_scales(scales, facts.scales_shape)
    if scales.shape != facts.scales_shape:
        raise ValueError(f"scales have shape {scales.shape}, not {facts.scales_shape}")
    if scales.size and int(scales.max()) >> fmt.scale_bits:
        raise ValueError(f"a scale code has more than {fmt.scale_bits} bits")
    return scales


def _check_shapes(facts: _Facts, outer: npt.NDArray[Any] | None) -> None:
    """Raise ValueError unless scales are those of codes of this shape."""
    fmt, axis = facts.format, facts.axis
    want = scales_shape(facts.shape, fmt, axis)
    if facts.scales_shape != want:
        raise ValueError(
            f"scales of shape {facts.scales_shape}; codes of shape {facts.shape} "
            f"have {want}"
        )
    if outer is None:
        return
    if outer.dtype != np.float32:
        raise ValueError(f"tensor_scale is {outer.dtype}, not float32")
    above = tensor_scale_shape(facts.shape, fmt, axis)
    if outer.shape != above:
        raise ValueError(f"tensor_scale has the shape {outer.shape}, not {above}")
