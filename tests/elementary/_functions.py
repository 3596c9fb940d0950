"""The records by which the functions of two phases are evaluated, by name."""

from refnum.elementary import (
    error_function,
    exponentials,
    hyperbolic,
    logarithms,
    powers,
    trigonometric,
)

QUICK = {
    "exp": exponentials._EXP,
    "exp2": exponentials._EXP2,
    "expm1": exponentials._EXPM1,
    "sigmoid": exponentials._SIGMOID,
    "tanh": hyperbolic._TANH,
    "log": logarithms._LOG,
    "log1p": logarithms._LOG1P,
    "erf": error_function._ERF,
    "rsqrt": powers._RSQRT,
    "sin": trigonometric._SIN,
    "cos": trigonometric._COS,
}
