"""What other libraries call the formats: one row each."""

from __future__ import annotations

from dataclasses import dataclass

from refnum.formats import (
    BF16,
    E2M1,
    E2M3,
    E3M2,
    E3M4,
    E4M3,
    E4M3_IEEE,
    E4M3B11FNUZ,
    E4M3FNUZ,
    E5M2,
    E5M2FNUZ,
    FP16,
    FP32,
    UE8M0,
    Format,
)
from refnum.formats import format as find_format

__all__ = ["TypeNames", "format_named", "type_names"]


@dataclass(frozen=True)
class TypeNames:
    """A format's type in other libraries; None where there is none.

    Parameters
    ----------
    format : Format
        The format.
    ml_dtypes : str, optional
        Of ml_dtypes, and of JAX, which takes its types from there: a code a byte.
    torch : str, optional
        Of PyTorch. ``float4_e2m1fn_x2`` holds two codes a byte.
    onnx : str, optional
        Of ``onnx.TensorProto``. Four-bit types hold two codes a byte.
    safetensors : str, optional
        Of safetensors.
    """

    format: Format
    ml_dtypes: str | None = None
    torch: str | None = None
    onnx: str | None = None
    safetensors: str | None = None


_ROWS = (
    TypeNames(FP32, "float32", "float32", "FLOAT", "F32"),
    TypeNames(FP16, "float16", "float16", "FLOAT16", "F16"),
    TypeNames(BF16, "bfloat16", "bfloat16", "BFLOAT16", "BF16"),
    TypeNames(E4M3, "float8_e4m3fn", "float8_e4m3fn", "FLOAT8E4M3FN", "F8_E4M3"),
    TypeNames(E5M2, "float8_e5m2", "float8_e5m2", "FLOAT8E5M2", "F8_E5M2"),
    TypeNames(E4M3FNUZ, "float8_e4m3fnuz", "float8_e4m3fnuz", "FLOAT8E4M3FNUZ"),
    TypeNames(E5M2FNUZ, "float8_e5m2fnuz", "float8_e5m2fnuz", "FLOAT8E5M2FNUZ"),
    TypeNames(UE8M0, "float8_e8m0fnu", "float8_e8m0fnu", "FLOAT8E8M0", "F8_E8M0"),
    TypeNames(E4M3_IEEE, "float8_e4m3"),
    TypeNames(E4M3B11FNUZ, "float8_e4m3b11fnuz"),
    TypeNames(E3M4, "float8_e3m4"),
    TypeNames(E2M3, "float6_e2m3fn"),
    TypeNames(E3M2, "float6_e3m2fn"),
    TypeNames(E2M1, "float4_e2m1fn", "float4_e2m1fn_x2", "FLOAT4E2M1"),
)
_BY_FORMAT = {row.format: row for row in _ROWS}


def type_names(fmt: Format | str) -> TypeNames:
    """Return what other libraries call a format.

    Parameters
    ----------
    fmt : Format or str
        The format, or one of its names.

    Returns
    -------
    TypeNames
        Its types; all None for a format that only refnum has.

    Examples
    --------
    >>> from refnum.interop import type_names
    >>> type_names("e4m3").ml_dtypes, type_names("ue5m3").torch
    ('float8_e4m3fn', None)
    """
    found = find_format(fmt) if isinstance(fmt, str) else fmt
    return _BY_FORMAT.get(found, TypeNames(found))


def format_named(library: str, name: str) -> Format:
    """Return the format that a library calls by a name.

    Raises
    ------
    TypeError
        If it is no type of a format; the message lists those that are.
    """
    names = {getattr(row, library): row.format for row in _ROWS}
    names.pop(None, None)
    if name not in names:
        raise TypeError(
            f"{library} type {name} is no format here; {', '.join(sorted(names))} are"
        )
    return names[name]
