"""Operator learning: from the initial values of Burgers' equation to the solution."""

from __future__ import annotations

import functools
import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream, Tensor
from refnum.nn import Module, OperatorConfig, OperatorNet
from refnum.training.plan import Plan
from refnum.training.tasks.burgers import initial_functions, solve_burgers
from refnum.training.tasks.task import Samples, epoch_rows

__all__ = ["PDE"]

_Single = npt.NDArray[np.float32]
_FINER = 2  # the solver's points for each point of the data


@dataclass(frozen=True)
class PDE:
    """Learn the solution operator of viscous Burgers' equation on a circle.

    Parameters
    ----------
    model : {"operator"}
        The only one.
    points : int
        Equidistant points of a function.
    viscosity, time : float
        Of the equation, and when its solution is asked for.
    examples : int
        Solutions to learn from; a quarter as many are held out.
    width, layers : int
        Sizes of the model.

    Raises
    ------
    ValueError
        If a name is unknown, or a number out of range.
    """

    model: str = "operator"
    points: int = 64
    viscosity: float = 0.02
    time: float = 0.5
    examples: int = 1024
    width: int = 32
    layers: int = 8
    name: str = field(default="pde", init=False)

    def __post_init__(self) -> None:
        if self.model != "operator":
            raise ValueError(f"model must be operator, not {self.model!r}")
        for name in ("points", "examples", "width", "layers"):
            value = getattr(self, name)
            if type(value) is not int or value < 4 - 3 * (name in ("width", "layers")):
                raise ValueError(f"{name} is too small: {value!r}")
        for name in ("viscosity", "time"):
            if not 0 < (value := getattr(self, name)) < math.inf:
                raise ValueError(f"{name} must be positive and finite, not {value!r}")

    @property
    def plan(self) -> Plan:
        """Batches of 32 functions."""
        return Plan(steps=400, batch=32, learning_rate=3e-3, warmup=20, clip=1.0)

    def settings(self) -> dict[str, Any]:
        """Return all fields."""
        facts = asdict(self)
        del facts["name"]
        return {"task": self.name, **facts}

    def references(self) -> dict[str, float]:
        """Return nothing: what is possible is not known."""
        return {}

    def build(self, stream: Stream) -> Module:
        """Return the model."""
        config = OperatorConfig(self.points, self.width, self.layers)
        return OperatorNet(config, stream)

    def batch(self, seed: int, step: int, size: int) -> tuple[_Single, _Single]:
        """Return initial values and solutions, each pair turned along the circle."""
        begin, end = self._solutions()
        rows = epoch_rows(seed, step, size, self.examples)
        places = _moves(Stream(seed, step, "moves"), size, self.points)
        moved = np.take_along_axis(begin[rows], places, 1)
        return moved, np.take_along_axis(end[rows], places, 1)

    def loss(self, model: Any, batch: tuple[Any, ...]) -> Tensor:
        """Return the mean over functions of the squared relative error."""
        begin, end = batch
        error = model(Tensor(begin)) - end
        size = _squares(end).astype(np.float32)[:, None]
        loss: Tensor = (error * error / size).sum() * (1 / len(end))
        return loss

    def evaluate(self, model: Any, *, final: bool) -> dict[str, float]:
        """Return the mean of ``|guess - solution| / |solution|`` on functions held out."""
        begin, end = self._held_out()
        error = model(Tensor(begin)).data - end
        ratios = np.sqrt(_squares(error) / _squares(end)).tolist()
        return {"relative error": math.fsum(ratios) / len(ratios)}

    def samples(self, model: Any, seed: int) -> Samples | None:
        """Return four functions held out, their solutions, and the model's guesses."""
        begin, end = (part[:4] for part in self._held_out())
        guess = model(Tensor(begin)).data
        return Samples(curves={"begin": begin, "solution": end, "guess": guess})

    def _held_out(self) -> tuple[_Single, _Single]:
        begin, end = self._solutions()
        return begin[self.examples :], end[self.examples :]

    def _solutions(self) -> tuple[_Single, _Single]:
        count = self.examples + self.examples // 4
        return _solve(count, self.points, self.viscosity, self.time)


@functools.lru_cache(maxsize=2)
def _solve(
    count: int, points: int, viscosity: float, time: float
) -> tuple[_Single, _Single]:
    """Return functions and solutions, of the solver's finer grid every other point."""
    fine = initial_functions(Stream(0, name="functions"), count, points * _FINER)
    end = solve_burgers(fine, viscosity, time)
    return fine[:, ::_FINER].copy(), end[:, ::_FINER].astype(np.float32)


def _moves(stream: Stream, count: int, points: int) -> npt.NDArray[np.intp]:
    """Return where the values come from when the circle is turned, by rows."""
    first = stream.words((count, 1)).astype(np.uint64) * np.uint64(points)
    return ((first >> np.uint64(32)).astype(np.intp) + np.arange(points)) % points


def _squares(x: _Single) -> npt.NDArray[np.float64]:
    """Return the sum of squares of each row, added from the left."""
    wide = x.astype(np.float64)
    total = np.zeros(len(wide))
    for column in wide.T:
        total += column * column
    return total
