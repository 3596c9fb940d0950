"""Every named format, and the names that other projects give to them."""

from __future__ import annotations

import difflib
import re

from refnum.formats.format import Format, NaNCodes

__all__ = [
    "BF16",
    "E1M2",
    "E2M1",
    "E2M3",
    "E3M0",
    "E3M2",
    "E3M4",
    "E4M3",
    "E4M3B11FNUZ",
    "E4M3FNUZ",
    "E4M3_IEEE",
    "E5M2",
    "E5M2FNUZ",
    "E5M3",
    "E6M2",
    "FORMATS",
    "FP16",
    "FP32",
    "INT4",
    "INT8",
    "TF32",
    "UE4M3",
    "UE4M4",
    "UE5M2",
    "UE5M3",
    "UE5M3_FINITE",
    "UE5M3_IEEE",
    "UE8M0",
    "aliases",
    "format",
    "p3109",
]

_ONES, _FNUZ = NaNCodes.ALL_ONES, NaNCodes.NEGATIVE_ZERO


def _ieee(name: str, exponent: int, mantissa: int, **facts: bool) -> Format:
    """Return a format whose bias and specials are those of IEEE 754."""
    bias = (1 << (exponent - 1)) - 1
    nan = NaNCodes.TOP_EXPONENT
    return Format(name, exponent, mantissa, bias, nan=nan, infinity=True, **facts)


# OCP Microscaling v1.0, section 5.3: no special values at all.
E2M1 = Format("e2m1", 2, 1, bias=1)
E2M3 = Format("e2m3", 2, 3, bias=1)
E3M2 = Format("e3m2", 3, 2, bias=3)
# Four-bit relatives of the literature: a uniform grid of quarters, and powers of two.
E1M2 = Format("e1m2", 1, 2, bias=1)
E3M0 = Format("e3m0", 3, 0, bias=3)
# OFP8 v1.0.
E4M3 = Format("e4m3", 4, 3, bias=7, nan=_ONES)
E5M2 = _ieee("e5m2", 5, 2)
# IEEE-like 8-bit formats of LLVM and ml_dtypes.
E3M4 = _ieee("e3m4", 3, 4)
E4M3_IEEE = _ieee("e4m3_ieee", 4, 3)
# Noune et al., arXiv 2206.02915: one NaN at the code of -0, no infinity.
E4M3FNUZ = Format("e4m3fnuz", 4, 3, bias=8, nan=_FNUZ)
E5M2FNUZ = Format("e5m2fnuz", 5, 2, bias=16, nan=_FNUZ)
E4M3B11FNUZ = Format("e4m3b11fnuz", 4, 3, bias=11, nan=_FNUZ)
# Scales. UE8M0: OCP Microscaling v1.0, section 5.4. UE4M3 and UE5M3: PTX ISA 9.4, 5.2.3.
UE8M0 = Format("ue8m0", 8, 0, bias=127, signed=False, nan=_ONES, zero=False)
UE4M3 = Format("ue4m3", 4, 3, bias=7, signed=False, nan=_ONES)
UE5M3 = Format("ue5m3", 5, 3, bias=15, signed=False, nan=_ONES)
UE5M3_IEEE = _ieee("ue5m3_ieee", 5, 3, signed=False)
UE5M3_FINITE = Format("ue5m3_finite", 5, 3, bias=15, signed=False)
UE4M4 = Format("ue4m4", 4, 4, bias=7, signed=False, nan=_ONES)
UE5M2 = Format("ue5m2", 5, 2, bias=15, signed=False, nan=_ONES)
E5M3 = Format("e5m3", 5, 3, bias=15, nan=_ONES)
# The group scale of HiFloat4, arXiv 2602.11287.
E6M2 = Format("e6m2", 6, 2, bias=48, signed=False, nan=_ONES, zero=False)
# OCP Microscaling v1.0, 5.3.4: i/64. INT4 is its four-bit relative, i/4.
INT8 = Format("int8", 0, 7, bias=0, twos_complement=True)
INT4 = Format("int4", 0, 3, bias=0, twos_complement=True)
BF16 = _ieee("bf16", 8, 7)
FP16 = _ieee("fp16", 5, 10)
# PTX leaves the register layout of TF32 open; here a code is its 19 leading bits.
TF32 = _ieee("tf32", 8, 10)
FP32 = _ieee("fp32", 8, 23)

FORMATS: tuple[Format, ...] = (
    *(E2M1, E1M2, E3M0, INT4, E2M3, E3M2),
    *(E4M3, E5M2, E3M4, E4M3_IEEE, E4M3FNUZ, E5M2FNUZ, E4M3B11FNUZ, INT8),
    *(UE8M0, UE4M3, UE5M3, UE5M3_IEEE, UE5M3_FINITE, UE4M4, UE5M2, E6M2, E5M3),
    *(FP16, BF16, TF32, FP32),
)

# One line a format: ml_dtypes and torch; ONNX and LLVM; safetensors; PTX and others.
_ALIASES = {
    E2M1: "float4_e2m1fn float4_e2m1fn_x2 float4e2m1 float4e2m1fn f4 fp4 e2m1x2 e2m1x4",
    E2M3: "float6_e2m3fn float6e2m3fn f6_e2m3 e2m3x2 e2m3x4",
    E3M2: "float6_e3m2fn float6e3m2fn f6_e3m2 e3m2x2 e3m2x4 bf6",
    E1M2: "float4_e1m2 s1p2",
    E4M3: "float8_e4m3fn float8e4m3fn f8_e4m3 e4m3fn e4m3x2 e4m3x4",
    E5M2: "float8_e5m2 float8e5m2 f8_e5m2 e5m2x2 e5m2x4 bf8",
    E3M4: "float8_e3m4 float8e3m4",
    E4M3_IEEE: "float8_e4m3 float8e4m3 e4m3ieee",
    E4M3FNUZ: "float8_e4m3fnuz float8e4m3fnuz f8_e4m3fnuz",
    E5M2FNUZ: "float8_e5m2fnuz float8e5m2fnuz f8_e5m2fnuz",
    E4M3B11FNUZ: "float8_e4m3b11fnuz float8e4m3b11fnuz",
    UE8M0: "float8_e8m0fnu float8e8m0fnu float8e8m0 f8_e8m0 e8m0 ue8m0x2",
    UE4M3: "float_ue4m3 ue4m3x2",
    UE5M3: "float8_e5m3fnu float8e5m3fnu f8e5m3fnu ue5m3x2",
    INT8: "mxint8 s2f6 s2f6x2",
    INT4: "mxint4",
    BF16: "bfloat16 bf16x2",
    FP16: "float16 half f16 f16x2",
    TF32: "tensorfloat32",
    FP32: "float32 float f32 single",
}
_BY_NAME = {f.name: f for f in FORMATS} | {
    alias: f for f, names in _ALIASES.items() for alias in names.split()
}
_P3109 = re.compile(r"binary(\d+)p(\d+)([su])([fe])")


def p3109(
    bits: int, precision: int, *, signed: bool = True, extended: bool = True
) -> Format:
    """Return the P3109 format Binary{bits}p{precision}{s|u}{e|f}.

    Parameters
    ----------
    bits, precision : int
        Width K and precision P, the hidden bit included.
    signed : bool
        Whether there is a sign.
    extended : bool
        Whether there are infinities (``e``) or only finite values (``f``).

    Raises
    ------
    ValueError
        If precision does not fit the width.

    References
    ----------
    IEEE P3109 working group, interim report, draft 4.0 (2026-06), section 4.

    Examples
    --------
    >>> from refnum.formats import p3109
    >>> p3109(8, 4, extended=False).max
    240.0
    """
    exponent = bits - precision + (not signed)
    if precision < 1 or exponent < 1:
        raise ValueError(f"precision {precision} does not fit a width of {bits} bits")
    name = f"binary{bits}p{precision}{'s' if signed else 'u'}{'e' if extended else 'f'}"
    bias = 1 << (exponent - 1)
    nan = _FNUZ if signed else _ONES
    return Format(name, exponent, precision - 1, bias, signed, nan, infinity=extended)


def aliases(fmt: Format) -> tuple[str, ...]:
    """Return the other names of `fmt`, first those of ml_dtypes and torch.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.formats.aliases(rn.UE8M0)[:2]
    ('float8_e8m0fnu', 'float8e8m0fnu')
    """
    return tuple(_ALIASES.get(fmt, "").split())


def format(name: str | Format) -> Format:
    """Return the format of that name.

    Parameters
    ----------
    name : str or Format
        A name or alias of ml_dtypes, torch, ONNX, LLVM, safetensors or PTX in any
        case, or a P3109 name such as ``Binary8p4se``. A `Format` is returned as is.

    Raises
    ------
    ValueError
        If no format has the name; the message lists near ones.
    TypeError
        If `name` is neither a string nor a `Format`.

    Notes
    -----
    ``e4m3`` is the OCP format, as in PTX. ``float8_e4m3`` is the IEEE-like one, as
    in ml_dtypes and LLVM.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.format("torch.float8_e4m3fn") is rn.E4M3
    True
    """
    if isinstance(name, Format):
        return name
    if not isinstance(name, str):
        raise TypeError(f"a format is named by a string, not {type(name).__name__}")
    key = name.lower().removeprefix("torch.").removeprefix("ml_dtypes.").lstrip(".")
    if key in _BY_NAME:
        return _BY_NAME[key]
    if match := _P3109.fullmatch(key):
        bits, precision, sign, domain = match.groups()
        facts = {"signed": sign == "s", "extended": domain == "e"}
        return p3109(int(bits), int(precision), **facts)
    near = difflib.get_close_matches(key, _BY_NAME, n=4, cutoff=0.5)
    near += sorted(n for n in _BY_NAME if n not in near and key and key in n)
    known = ", ".join(near[:6] or [f.name for f in FORMATS])
    raise ValueError(f"unknown format {name!r}; near names: {known}")
