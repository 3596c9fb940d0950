"""Layers, models and optimisers, and what makes their linear layers quantised.

A model is a `Module`: an object with parameters. `parameters` finds them by name,
`gradients_of` returns their gradients under the same names, and an optimiser takes
those. All randomness comes from streams, and all arithmetic from `refnum.autograd`.

`module`, `linear`, `layers` and `initializers` are what all models are made of; the
folders are `models`, `optimizers`, `gradients` (how they pass roundings), `states`
(what is remembered between steps) and `quantized` (linear layers under a recipe).
"""

from refnum.nn.gradients.block_pass import BlockPass, element_steps
from refnum.nn.gradients.estimators import DGE, GraphcoreDGE
from refnum.nn.gradients.named_relaxations import RELAXATIONS, relaxation
from refnum.nn.gradients.relaxations import (
    STE,
    ClipMask,
    Relaxation,
    StraightThrough,
    TrustMask,
)
from refnum.nn.gradients.released_gradients import (
    RELEASED_SCALE_LEVELS,
    ReleasedTerms,
    soft_amax,
)
from refnum.nn.gradients.scale_gradients import ScaleGradient, block_vjp, quantize_vjp
from refnum.nn.gradients.smooth import AsReleased, SigmoidSteps, SplineSteps
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
from refnum.nn.models.attention import CausalAttention
from refnum.nn.models.convnet import ConvNet, ConvNetConfig
from refnum.nn.models.gpt2 import GPT2, GPT2Block, GPT2Config
from refnum.nn.models.llama import Llama, LlamaBlock, LlamaConfig
from refnum.nn.models.operator_net import OperatorBlock, OperatorConfig, OperatorNet
from refnum.nn.models.perceptrons import ACTIVATIONS, MLP, GeluMLP, SwiGLU
from refnum.nn.models.rotary import rotary, rotary_tables
from refnum.nn.models.unet import ResidualBlock, UNet, UNetConfig
from refnum.nn.module import (
    Module,
    gradients_of,
    load_parameters,
    modules,
    name_modules,
    parameters,
)
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
from refnum.nn.quantized.mixture import accepted, fall_back, relative_errors
from refnum.nn.quantized.operands import Taken
from refnum.nn.quantized.outliers import (
    clamp_outliers,
    outlier_bounds,
    residual_product,
    sparse_residual,
)
from refnum.nn.quantized.products import Observer, QuantizedProducts
from refnum.nn.quantized.quantization import Quantization, quantize_model
from refnum.nn.quantized.reports import Report, Reporter
from refnum.nn.states.amax import DelayedAmax, HeldAmax
from refnum.nn.states.bin_edges import bin_edge_reset, bin_widths
from refnum.nn.states.oscillation import AveragedWeight, round_towards_average
from refnum.nn.states.oscillation_reset import ResetState, Travel
from refnum.nn.states.outlier_channels import ChannelRecorder, mixed_values
from refnum.nn.states.ramping import RampingState, Update

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
    "Products",
    "Quantization",
    "QuantizedProducts",
    "RMSNorm",
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
    "Taken",
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
