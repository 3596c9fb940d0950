"""The same formats in other libraries, each a `NAMES` table and a look-up."""

import functools

import numpy as np
import pytest

from refnum.formats import format

ML_DTYPES = {
    "e2m1": "float4_e2m1fn",
    "e2m3": "float6_e2m3fn",
    "e3m2": "float6_e3m2fn",
    "e3m4": "float8_e3m4",
    "e4m3": "float8_e4m3fn",
    "e4m3_ieee": "float8_e4m3",
    "e4m3b11fnuz": "float8_e4m3b11fnuz",
    "e4m3fnuz": "float8_e4m3fnuz",
    "e5m2": "float8_e5m2",
    "e5m2fnuz": "float8_e5m2fnuz",
    "ue8m0": "float8_e8m0fnu",
    "bf16": "bfloat16",
}
GFLOAT = {
    "e2m1": "ocp_e2m1",
    "e2m3": "ocp_e2m3",
    "e3m2": "ocp_e3m2",
    "e4m3": "ocp_e4m3",
    "e5m2": "ocp_e5m2",
    "ue8m0": "ocp_e8m0",
    "int8": "ocp_int8",
    "bf16": "bfloat16",
    "fp16": "binary16",
}
# Every P3109 format of 4, 6 and 8 bits.
P3109 = [
    f"binary{width}p{precision}{sign}{domain}"
    for width in (4, 6, 8)
    for sign in "su"
    for precision in range(1, width + (sign == "u"))
    for domain in "fe"
]

ml_dtypes_formats = pytest.mark.parametrize("fmt", [*map(format, ML_DTYPES)], ids=str)
gfloat_formats = pytest.mark.parametrize("fmt", [*map(format, GFLOAT)], ids=str)
p3109_formats = pytest.mark.parametrize("fmt", [*map(format, P3109)], ids=str)


def ml_dtypes_type(fmt):
    """Return the NumPy type of a format."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    return np.dtype(getattr(ml_dtypes, ML_DTYPES[fmt.name]))


@functools.cache
def gfloat_format(fmt):
    """Return gfloat's record of a format."""
    formats = pytest.importorskip("gfloat.formats")
    if fmt.name in GFLOAT:
        return getattr(formats, f"format_info_{GFLOAT[fmt.name]}")
    types = pytest.importorskip("gfloat.types")
    return formats.format_info_p3109(
        fmt.bits,
        fmt.mantissa_bits + 1,
        types.Signedness.Signed if fmt.signed else types.Signedness.Unsigned,
        types.Domain.Extended if fmt.infinity else types.Domain.Finite,
    )
