"""Which library converts to which format: a cast is a library's only there.

The casts of `refnum.casts` can be applied to any format and any value. What a library
would do with a format that it does not have is nobody's answer, so `explain` leaves it
out.
"""

from __future__ import annotations

from refnum.formats import Cast, Format, casts

__all__ = ["CONVERTS_TO", "FINITE_ONLY", "libraries_of"]

_FP4, _FP6, _FP8 = "e2m1", "e2m3 e3m2", "e4m3 e5m2"
_OCP = f"{_FP4} {_FP6} {_FP8}"
_FNUZ = "e4m3fnuz e5m2fnuz"
_ONNX = f"{_FP4} {_FP8} {_FNUZ} ue8m0 bf16 fp16"
_TORCH = f"{_FP8} {_FNUZ} ue8m0 bf16 fp16"

# The source of each stands beside the cast in casts.py.
CONVERTS_TO = {
    "ALTO": "ue5m3",
    "AMD_CK": "ue5m3",
    "AMD_HIP": f"{_OCP} {_FNUZ}",
    "AMD_MXDATAGENERATOR": _FP4,
    "COMPRESSED_TENSORS": _FP4,
    "COMPRESSED_TENSORS_TRITON": _FP4,
    "CUDA": f"{_OCP} ue8m0 ue5m3",
    "CUDA_DOUBLE": _FP8,
    "CUDA_NOSAT": f"{_FP8} ue8m0 ue5m3",
    "CUTLASS": f"{_OCP} ue4m3",
    "DEEPGEMM": _FP4,
    "MICROXCALING": _OCP,
    "ML_DTYPES": f"{_OCP} {_FNUZ} e3m4 e4m3_ieee e4m3b11fnuz ue8m0 bf16",
    "ONNX": _ONNX,
    "ONNX_DOCUMENT": _ONNX,
    "ONNX_NOSAT": f"{_FP8} {_FNUZ} ue8m0",
    "PTX_PZO": _OCP,
    "PTX_RS": _OCP,
    "QEMU": _FP8,
    "TENSTORRENT": "bf16 tf32",
    "TORCH": _TORCH,
    "TORCHAO": _FP4,
    "TORCH_2_12": _TORCH,
    "TRANSFORMER_ENGINE_REFERENCE": _FP4,
    "TRANSFORMER_ENGINE_SR8": _FP4,
}

# What these make of NaN and infinity is not a code, or not known: microxcaling keeps
# them as float32, Tenstorrent turns NaN into infinity.
FINITE_ONLY = frozenset(
    {"COMPRESSED_TENSORS", "COMPRESSED_TENSORS_TRITON", "MICROXCALING", "TENSTORRENT"}
)


def libraries_of(fmt: Format, *, finite: bool = True) -> dict[str, Cast]:
    """Return the casts of the libraries that convert to `fmt`, by name.

    Parameters
    ----------
    fmt : Format
        The target.
    finite : bool
        Whether the value is finite; otherwise, only libraries whose answer to NaN and
        infinity is known.

    Examples
    --------
    >>> import refnum as rn
    >>> list(libraries_of(rn.UE5M3))
    ['ALTO', 'AMD_CK', 'CUDA', 'CUDA_NOSAT']
    """
    return {
        name: getattr(casts, name)
        for name, formats in CONVERTS_TO.items()
        if fmt.name in formats.split() and (finite or name not in FINITE_ONLY)
    }
