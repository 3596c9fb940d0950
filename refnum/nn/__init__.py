"""Layers, models and optimisers, and what makes their linear layers quantised.

A model is a `Module`: an object with parameters. `parameters` finds them by name,
`gradients_of` returns their gradients under the same names, and an optimiser takes
those. All randomness comes from streams, and all arithmetic from `refnum.autograd`.
"""

from refnum.nn.amax import DelayedAmax, HeldAmax
from refnum.nn.attention import CausalAttention
from refnum.nn.bin_edges import bin_edge_reset, bin_widths
from refnum.nn.block_pass import BlockPass, element_steps
from refnum.nn.convnet import ConvNet, ConvNetConfig
from refnum.nn.estimators import DGE, GraphcoreDGE
from refnum.nn.gpt2 import GPT2, GPT2Block, GPT2Config
from refnum.nn.initializers import (
    Constant,
    Initializer,
    KaimingUniform,
    Normal,
    XavierUniform,
    child,
)
from refnum.nn.layers import Conv2d, Embedding, GroupNorm, LayerNorm, RMSNorm
from refnum.nn.linear import (
    FULL_PRECISION,
    KINDS,
    FullPrecision,
    Linear,
    Products,
    linear,
)
from refnum.nn.llama import Llama, LlamaBlock, LlamaConfig
from refnum.nn.mixture import accepted, fall_back, relative_errors
from refnum.nn.module import (
    Module,
    gradients_of,
    load_parameters,
    modules,
    name_modules,
    parameters,
)
from refnum.nn.named_relaxations import RELAXATIONS, relaxation
from refnum.nn.operator_net import OperatorBlock, OperatorConfig, OperatorNet
from refnum.nn.optimizers import (
    SGD,
    Adam,
    AdamW,
    LossScale,
    Optimizer,
    StableSPAM,
    clip_by_global_norm,
    constant,
    cosine,
    global_norm,
    wsd,
)
from refnum.nn.oscillation import AveragedWeight, round_towards_average
from refnum.nn.oscillation_reset import OscillationReset, ResetState, Travel
from refnum.nn.outlier_channels import ChannelChoice, ChannelRecorder, mixed_values
from refnum.nn.outliers import (
    clamp_outliers,
    outlier_bounds,
    residual_product,
    sparse_residual,
)
from refnum.nn.perceptrons import ACTIVATIONS, MLP, GeluMLP, SwiGLU
from refnum.nn.quantization import Quantization, quantize_model
from refnum.nn.quantized import Observer, QuantizedProducts
from refnum.nn.ramping import Ramping, RampingState, Update
from refnum.nn.relaxations import STE, ClipMask, Relaxation, StraightThrough, TrustMask
from refnum.nn.released_gradients import RELEASED_SCALE_LEVELS, ReleasedTerms, soft_amax
from refnum.nn.reports import Report, Reporter
from refnum.nn.rotary import rotary, rotary_tables
from refnum.nn.scale_gradients import ScaleGradient, block_vjp, quantize_vjp
from refnum.nn.smooth import AsReleased, SigmoidSteps, SplineSteps
from refnum.nn.unet import ResidualBlock, UNet, UNetConfig

__all__ = [
    "ACTIVATIONS",
    "DGE",
    "FULL_PRECISION",
    "GPT2",
    "KINDS",
    "MLP",
    "RELAXATIONS",
    "RELEASED_SCALE_LEVELS",
    "SGD",
    "STE",
    "Adam",
    "AdamW",
    "AsReleased",
    "AveragedWeight",
    "BlockPass",
    "CausalAttention",
    "ChannelChoice",
    "ChannelRecorder",
    "ClipMask",
    "Constant",
    "Conv2d",
    "ConvNet",
    "ConvNetConfig",
    "DelayedAmax",
    "Embedding",
    "FullPrecision",
    "GPT2Block",
    "GPT2Config",
    "GeluMLP",
    "GraphcoreDGE",
    "GroupNorm",
    "HeldAmax",
    "Initializer",
    "KaimingUniform",
    "LayerNorm",
    "Linear",
    "Llama",
    "LlamaBlock",
    "LlamaConfig",
    "LossScale",
    "Module",
    "Normal",
    "Observer",
    "OperatorBlock",
    "OperatorConfig",
    "OperatorNet",
    "Optimizer",
    "OscillationReset",
    "Products",
    "Quantization",
    "QuantizedProducts",
    "RMSNorm",
    "Ramping",
    "RampingState",
    "Relaxation",
    "ReleasedTerms",
    "Report",
    "Reporter",
    "ResetState",
    "ResidualBlock",
    "ScaleGradient",
    "SigmoidSteps",
    "SplineSteps",
    "StableSPAM",
    "StraightThrough",
    "SwiGLU",
    "Travel",
    "TrustMask",
    "UNet",
    "UNetConfig",
    "Update",
    "XavierUniform",
    "accepted",
    "bin_edge_reset",
    "bin_widths",
    "block_vjp",
    "child",
    "clamp_outliers",
    "clip_by_global_norm",
    "constant",
    "cosine",
    "element_steps",
    "fall_back",
    "global_norm",
    "gradients_of",
    "linear",
    "load_parameters",
    "mixed_values",
    "modules",
    "name_modules",
    "outlier_bounds",
    "parameters",
    "quantize_model",
    "quantize_vjp",
    "relative_errors",
    "relaxation",
    "residual_product",
    "rotary",
    "rotary_tables",
    "round_towards_average",
    "soft_amax",
    "sparse_residual",
    "wsd",
]
