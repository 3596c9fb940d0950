"""Scales shared by blocks: records, rules, `quantize` and `dequantize`."""

from refnum.blocks import arithmetic
from refnum.blocks.arithmetic import Arithmetic
from refnum.blocks.block_format import BlockFormat, TensorScale
from refnum.blocks.presets import *
from refnum.blocks.presets import __all__ as _presets
from refnum.blocks.quantize import Quantized, dequantize, quantize
from refnum.blocks.reciprocal import approximate_reciprocal
from refnum.blocks.rule import *
from refnum.blocks.rule import __all__ as _rules

__all__ = [
    "Arithmetic",
    "BlockFormat",
    "Quantized",
    "TensorScale",
    "approximate_reciprocal",
    "arithmetic",
    "dequantize",
    "quantize",
    *_presets,
    *_rules,
]
