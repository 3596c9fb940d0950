"""Scales shared by blocks: records, rules, `quantize` and `dequantize`."""

from refnum.blocks import arithmetic, presets, rule
from refnum.blocks.arithmetic import Arithmetic
from refnum.blocks.block_format import BlockFormat, TensorScale
from refnum.blocks.describe import describe
from refnum.blocks.presets import *
from refnum.blocks.quantize import Quantized, dequantize, quantize
from refnum.blocks.reciprocal import approximate_reciprocal
from refnum.blocks.rule import *

__all__ = [
    "Arithmetic",
    "BlockFormat",
    "Quantized",
    "TensorScale",
    "approximate_reciprocal",
    "arithmetic",
    "dequantize",
    "describe",
    "quantize",
]
__all__ += presets.__all__
__all__ += rule.__all__
