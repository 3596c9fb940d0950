"""Linear regression: a Gaussian teacher with a known noise floor, and diabetes."""

from __future__ import annotations

import functools
import math
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream, Tensor, matmul
from refnum.nn import MLP, Linear, Module
from refnum.training.plan import Plan
from refnum.training.tasks.digits import sklearn_datasets
from refnum.training.tasks.task import Samples, epoch_rows

__all__ = ["Regression"]

_Single = npt.NDArray[np.float32]
DATA = ("teacher", "diabetes")
MODELS = ("linear", "mlp")
_TEACHER = Plan(steps=600, batch=1024, learning_rate=5e-3, optimizer="adam", warmup=10)
_DIABETES = Plan(steps=400, batch=64, learning_rate=1e-2, weight_decay=0.1, warmup=10)


@dataclass(frozen=True)
class Regression:
    """Regression with mean squared error.

    Parameters
    ----------
    data : {"teacher", "diabetes"}
        Teacher: ``y = W x + noise`` with normal x and W, new examples at each step; the
        risk of a linear model is known exactly. Diabetes: 442 patients, ten features,
        the progress of the disease (Efron et al., "Least angle regression", 2004; as
        scikit-learn has it), standardised, a fifth held out.
    model : {"linear", "mlp"}
        A linear layer, or one hidden layer of 32.
    inputs, outputs : int
        Sizes of the teacher.
    noise : float
        Standard deviation of the teacher's noise.

    Raises
    ------
    ValueError
        If a name is unknown, a number out of range, or scikit-learn missing.

    Notes
    -----
    With weights of variance 1 / inputs, y has a variance of 1 + noise^2. For normal x
    the risk of weights V and bias b is ``noise^2 + (|V - W|^2 + |b|^2) / outputs``.
    """

    data: str = "teacher"
    model: str = "linear"
    inputs: int = 1024
    outputs: int = 32
    noise: float = 0.5
    name: str = field(default="regression", init=False)
    rows: ClassVar[int] = 1  # of a layer's input, for each example

    def __post_init__(self) -> None:
        for value, known in ((self.data, DATA), (self.model, MODELS)):
            if value not in known:
                raise ValueError(f"{value!r} is unknown; there are {', '.join(known)}")
        if min(self.inputs, self.outputs) < 1:
            raise ValueError("inputs and outputs must be positive")
        if not 0 <= self.noise < math.inf:
            raise ValueError(f"noise must be finite and not negative: {self.noise!r}")
        if self.data == "diabetes":
            _diabetes()

    @property
    def plan(self) -> Plan:
        """600 steps of 1024 new examples; for diabetes 400 of 64."""
        return _TEACHER if self.data == "teacher" else _DIABETES

    def settings(self) -> dict[str, Any]:
        """Return the fields that matter."""
        facts = {"task": self.name, "data": self.data, "model": self.model}
        if self.data == "teacher":
            facts |= {k: asdict(self)[k] for k in ("inputs", "outputs", "noise")}
        return facts

    def references(self) -> dict[str, float]:
        """Return the noise floor; for diabetes the error of least squares."""
        if self.data == "teacher":
            return {"risk": self.noise * self.noise}
        return {"risk": _least_squares_risk()}

    def build(self, stream: Stream) -> Module:
        """Return the model."""
        inputs, outputs = self._sizes()
        if self.model == "linear":
            return Linear(inputs, outputs, stream)
        return MLP([inputs, 32, outputs], stream)

    def batch(self, seed: int, step: int, size: int) -> tuple[_Single, _Single]:
        """Return x and y."""
        if self.data == "teacher":
            return self._examples(Stream(seed, step, "examples"), size)
        x, y = _diabetes()[0]
        rows = epoch_rows(seed, step, size, len(x))
        return x[rows], y[rows]

    def loss(self, model: Any, batch: tuple[Any, ...]) -> Tensor:
        """Return the mean squared error."""
        x, y = batch
        error = model(Tensor(x)) - y
        loss: Tensor = (error * error).mean()
        return loss

    def evaluate(self, model: Any, *, final: bool) -> dict[str, float]:
        """Return the risk: exact for the linear student of the teacher."""
        if self.data == "teacher" and isinstance(model, Linear):
            wrong = model.weight.data.astype(np.float64) - self._teacher()
            bias = 0.0 if model.bias is None else _squares(model.bias.data)
            risk = self.noise**2 + (_squares(wrong) + bias) / self.outputs
            return {"risk": risk, "excess": risk - self.noise**2}
        if self.data == "teacher":
            x, y = self._examples(Stream(0, name="held out"), 1024)
        else:
            x, y = _diabetes()[1]
        error = model(Tensor(x)).data.astype(np.float64) - y
        return {"risk": _squares(error) / error.size}

    def samples(self, model: Any, seed: int) -> Samples | None:
        """Return nothing: there is nothing to look at."""
        return None

    def _sizes(self) -> tuple[int, int]:
        return (self.inputs, self.outputs) if self.data == "teacher" else (10, 1)

    def _examples(self, stream: Stream, count: int) -> tuple[_Single, _Single]:
        draws = stream.normal((count, self.inputs + self.outputs))
        x, noise = np.split(draws, [self.inputs], axis=1)
        x = np.ascontiguousarray(x)
        y = matmul(x, self._teacher().T.copy())
        return x, y + np.float32(self.noise) * noise

    def _teacher(self) -> _Single:
        return _teacher(self.inputs, self.outputs)


@functools.lru_cache(maxsize=4)
def _teacher(inputs: int, outputs: int) -> _Single:
    stream = Stream(0, name="teacher")
    return stream.normal((outputs, inputs), std=1 / math.sqrt(inputs))


@functools.cache
def _diabetes() -> tuple[tuple[_Single, _Single], tuple[_Single, _Single]]:
    """Return x and y of the patients to learn from, and of the others."""
    data = sklearn_datasets("diabetes").load_diabetes(scaled=False)
    table = np.column_stack([data.data, data.target])
    table = table[Stream(0, name="held out").permutation(len(table))]
    cut = len(table) - len(table) // 5
    for column in table.T:
        known = column[:cut].tolist()
        mean = math.fsum(known) / cut
        spread = math.sqrt(math.fsum((v - mean) ** 2 for v in known) / cut)
        column -= mean
        column /= spread
    single = table.astype(np.float32)
    x, y = np.ascontiguousarray(single[:, :-1]), np.ascontiguousarray(single[:, -1:])
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


@functools.cache
def _least_squares_risk() -> float:
    """Return the mean squared error of least squares on the patients held out."""
    (x, y), (new_x, new_y) = _diabetes()
    weight, *_ = np.linalg.lstsq(_with_ones(x), y.astype(np.float64), rcond=None)
    return round(_squares(_with_ones(new_x) @ weight - new_y) / len(new_y), 6)


def _with_ones(x: _Single) -> npt.NDArray[np.float64]:
    return np.column_stack([x.astype(np.float64), np.ones(len(x))])


def _squares(x: npt.NDArray[Any]) -> float:
    """Return the sum of squares, correctly rounded: no order has a say in it."""
    flat = x.astype(np.float64).ravel()
    return math.fsum((flat * flat).tolist())
