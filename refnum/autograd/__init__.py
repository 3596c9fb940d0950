"""Gradients of NumPy programs: tensors, a table of operations with VJPs, checks.

The way of a gradient: an `Operation` computes with arrays and records a `Node`
(`operation`, `graph`); `backward` walks the nodes back and asks each operation's VJPs.
Those stand in tables: `arithmetic`, `activations`, `reductions`, `shaping`, `indexing`,
`matrices`, and what is built on them. `check_gradients` compares the outcome with
finite differences. Which arithmetic all of it uses is a choice: see `Numerics`.
"""

from refnum._buffers import keep_freed_memory
from refnum.autograd.activations import (
    erf,
    gelu,
    gelu_tanh,
    relu,
    sigmoid,
    silu,
    tanh,
)
from refnum.autograd.arithmetic import (
    abs,
    add,
    astype,
    ceil,
    clip,
    cos,
    divide,
    exp,
    expm1,
    floor,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    reciprocal,
    rint,
    rsqrt,
    sign,
    sin,
    sqrt,
    square,
    subtract,
    where,
)
from refnum.autograd.attention import attention, attention_composition
from refnum.autograd.check import GradientError, check_gradients
from refnum.autograd.differentiate import gradients
from refnum.autograd.images import avg_pool2d, conv2d, max_pool2d
from refnum.autograd.indexing import embedding, scatter_add, take, take_along_axis
from refnum.autograd.matrices import linear, matmul
from refnum.autograd.mode import (
    FAST,
    REPRODUCIBLE,
    Numerics,
    no_grad,
    observe,
    use,
)
from refnum.autograd.normalizations import batch_norm, group_norm, layer_norm, rms_norm
from refnum.autograd.operation import Operation
from refnum.autograd.probabilities import cross_entropy, log_softmax, logsumexp, softmax
from refnum.autograd.random import Stream
from refnum.autograd.reductions import max, mean, min, sum, var
from refnum.autograd.resizing import upsample2d
from refnum.autograd.shaping import (
    broadcast_to,
    concatenate,
    expand_dims,
    moveaxis,
    pad,
    reshape,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
)
from refnum.autograd.tensor import Tensor

__all__ = [
    "FAST",
    "REPRODUCIBLE",
    "GradientError",
    "Numerics",
    "Operation",
    "Stream",
    "Tensor",
    "abs",
    "add",
    "astype",
    "attention",
    "attention_composition",
    "avg_pool2d",
    "batch_norm",
    "broadcast_to",
    "ceil",
    "check_gradients",
    "clip",
    "concatenate",
    "conv2d",
    "cos",
    "cross_entropy",
    "divide",
    "embedding",
    "erf",
    "exp",
    "expand_dims",
    "expm1",
    "floor",
    "gelu",
    "gelu_tanh",
    "gradients",
    "group_norm",
    "layer_norm",
    "linear",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "max_pool2d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "negative",
    "no_grad",
    "observe",
    "pad",
    "power",
    "reciprocal",
    "relu",
    "reshape",
    "rint",
    "rms_norm",
    "rsqrt",
    "scatter_add",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "softmax",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "subtract",
    "sum",
    "swapaxes",
    "take",
    "take_along_axis",
    "tanh",
    "transpose",
    "upsample2d",
    "use",
    "var",
    "where",
]

keep_freed_memory()
