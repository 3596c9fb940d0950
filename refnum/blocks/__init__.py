"""Scales shared by blocks, their layouts, and the rotations before them."""

from refnum.blocks import arithmetic, chosen, exact, presets, rule
from refnum.blocks.arithmetic import Arithmetic
from refnum.blocks.block_format import BlockFormat, TensorScale
from refnum.blocks.catalog import block_format, names
from refnum.blocks.choice import ChosenFormat
from refnum.blocks.chosen import *
from refnum.blocks.describe import describe
from refnum.blocks.eden import MXFP4_EDEN, NVFP4_EDEN, eden
from refnum.blocks.fake import fake_quantize
from refnum.blocks.hadamard import hadamard
from refnum.blocks.layout import (
    pack_ue8m0,
    swizzle_scales,
    swizzled_offset,
    unpack_ue8m0,
    unswizzle_scales,
)
from refnum.blocks.measures import Measure
from refnum.blocks.presets import *
from refnum.blocks.quantize import Quantized, dequantize, quantize
from refnum.blocks.reciprocal import approximate_reciprocal
from refnum.blocks.rule import *
from refnum.blocks.shapes import scales_shape, tensor_scale_shape
from refnum.blocks.signs import hadamard_signs, random_signs

__all__ = [
    "MXFP4_EDEN",
    "NVFP4_EDEN",
    "Arithmetic",
    "BlockFormat",
    "ChosenFormat",
    "Measure",
    "Quantized",
    "TensorScale",
    "approximate_reciprocal",
    "arithmetic",
    "block_format",
    "dequantize",
    "describe",
    "eden",
    "exact",
    "fake_quantize",
    "hadamard",
    "hadamard_signs",
    "names",
    "pack_ue8m0",
    "quantize",
    "random_signs",
    "scales_shape",
    "swizzle_scales",
    "swizzled_offset",
    "tensor_scale_shape",
    "unpack_ue8m0",
    "unswizzle_scales",
]
__all__ += chosen.__all__
__all__ += presets.__all__
__all__ += rule.__all__
