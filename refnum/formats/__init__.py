"""What a code means: the formats, how values become codes, and how codes are packed."""

from refnum.formats import casts, catalog, exact
from refnum.formats.cast import (
    Cast,
    MissingNaN,
    NaNChoice,
    Negative,
    Rounding,
    Saturation,
    SubnormalInputs,
    SubnormalResults,
    ZeroSign,
)
from refnum.formats.catalog import *
from refnum.formats.codec import decode, encode, round_to
from refnum.formats.format import Format, NaNCodes
from refnum.formats.packing import pack, unpack

__all__ = [
    "Cast",
    "Format",
    "MissingNaN",
    "NaNChoice",
    "NaNCodes",
    "Negative",
    "Rounding",
    "Saturation",
    "SubnormalInputs",
    "SubnormalResults",
    "ZeroSign",
    "casts",
    "decode",
    "encode",
    "exact",
    "pack",
    "round_to",
    "unpack",
]
__all__ += catalog.__all__
