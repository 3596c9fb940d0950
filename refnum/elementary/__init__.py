"""Functions and sums of float32 with the same bits on every machine.

- *Functions* (`exp`, `log`, `tanh`, …) give the float32 nearest the true value, ties to
  even. That is a definition, so no processor, library or compiler has a say in it.
- *Compositions* (`softmax`, `gelu`, `layer_norm`, …) are made of them; each says where
  it rounds.
- *Reductions* (`sum`, `mean`) add in an order that the memory layout does not change.

All take float32 arrays, or float16 ones, which are widened. Other types are refused:
they would be rounded twice. Results are in C order. Special values are those of
IEEE 754-2019, 9.2.1; a NaN is always 0x7fc00000, and nothing warns.
"""

from refnum.elementary.activations import gelu, silu
from refnum.elementary.error_function import erf
from refnum.elementary.exponential_sums import log_softmax, logsumexp, softmax
from refnum.elementary.exponentials import exp, exp2, expm1, sigmoid
from refnum.elementary.hyperbolic import tanh
from refnum.elementary.logarithms import log, log1p
from refnum.elementary.normalizations import layer_norm, rms_norm
from refnum.elementary.powers import power, rsqrt, sqrt
from refnum.elementary.reductions import mean, sum
from refnum.elementary.trigonometric import cos, sin

__all__ = [
    "cos",
    "erf",
    "exp",
    "exp2",
    "expm1",
    "gelu",
    "layer_norm",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "mean",
    "power",
    "rms_norm",
    "rsqrt",
    "sigmoid",
    "silu",
    "sin",
    "softmax",
    "sqrt",
    "sum",
    "tanh",
]
