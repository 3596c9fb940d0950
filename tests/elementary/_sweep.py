"""Every float32 through a function, beside float64 functions of other makers.

The reference is NumPy's (the platform's libm) or SciPy's float64 function, rounded to
float32. It is trusted to 64 of its last bits, 2^-46; where that leaves the rounding open
or the results differ, mpmath judges.
"""

from collections.abc import Callable, Iterator

import numpy as np

from refnum import elementary

from ._judge import judged

TRUST = 2.0**-46
CHUNK = 1 << 18


def _scipy_erf(x):
    from scipy import special

    return special.erf(x)


REFERENCES: dict[str, Callable] = {
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "erf": _scipy_erf,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sin": np.sin,
    "cos": np.cos,
}


def sweep(name: str, step: int = 1, start: int = 0) -> tuple[int, int, list[int]]:
    """Return how many inputs were checked and judged, and the bits of wrong ones."""
    checked, judged_count, wrong = 0, 0, []
    for bits in chunks(step, start):
        x = bits.view(np.float32)
        doubtful = doubts(name, x)
        for one in x[doubtful]:
            result = getattr(elementary, name)(one)
            if result.view(np.uint32) != judged(name, float(one)).view(np.uint32):
                wrong.append(int(one.view(np.uint32)))
        checked += x.size
        judged_count += int(doubtful.sum())
    return checked, judged_count, wrong


def chunks(step: int, start: int) -> Iterator[np.ndarray]:
    width = CHUNK * step
    for first in range(start, 1 << 32, width):
        last = min(first + width, 1 << 32)
        yield np.arange(first, last, step, dtype=np.uint64).astype(np.uint32)


def doubts(name: str, x: np.ndarray) -> np.ndarray:
    """Return where the reference does not confirm the result, bit for bit."""
    result = getattr(elementary, name)(x)
    with np.errstate(all="ignore"):
        value = REFERENCES[name](x.astype(np.float64))
        below = (value * (1 - TRUST)).astype(np.float32)
        above = (value * (1 + TRUST)).astype(np.float32)
        signs = np.signbit(result) == np.signbit(value)
    undefined = np.isnan(value)
    canonical = result.view(np.uint32) == 0x7FC00000
    return np.where(
        undefined, ~canonical, (below != result) | (above != result) | ~signs
    )
