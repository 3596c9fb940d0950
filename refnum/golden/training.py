"""Golden trajectories: the losses and parameters of tiny models over their first steps.

They hold together everything that a training step is made of: random numbers, data,
products, functions, gradients, updates. A folder has the loss of each step and the
SHA-256 of all parameters after it, so that the first step that differs can be found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from refnum import recipes
from refnum.autograd import REPRODUCIBLE
from refnum.golden.bundle import Bundle, Tensor
from refnum.training import (
    PDE,
    Diffusion,
    Images,
    Language,
    MarkovSource,
    Plan,
    Regression,
    Run,
    Task,
)

__all__ = ["STEPS", "Trajectory", "training_bundle", "training_cases"]

STEPS, RECIPE_STEPS = 20, 10
_PLAN = Plan(steps=STEPS, batch=8, learning_rate=1e-2, warmup=4, clip=1.0)
_CHAIN = MarkovSource(symbols=8)


@dataclass(frozen=True)
class Trajectory:
    """A tiny run: what is learned, and how linear layers compute."""

    task: Task
    recipe: str | None = None
    steps: int = STEPS


def _transformer(model: str, width: int = 32, context: int = 8) -> Language:
    sizes: dict[str, Any] = {"width": width, "heads": 2, "layers": 1}
    return Language(data="markov", model=model, source=_CHAIN, context=context, **sizes)


# What rotates runs of 64 or 128 needs as many inputs, outputs and tokens.
_WIDE = {"quartet-ii", "quartet-ii-delayed", "quartet-ii-plain", "tseng"}


_TRAJECTORIES = {
    "regression": Trajectory(Regression(inputs=32, outputs=4)),
    "images-mlp": Trajectory(Images(data="patterns", model="mlp", width=2)),
    "images-cnn": Trajectory(Images(data="patterns", model="cnn", width=4)),
    "diffusion": Trajectory(Diffusion(data="patterns", width=8)),
    "language-gpt2": Trajectory(_transformer("gpt2")),
    "language-llama": Trajectory(_transformer("llama")),
    "language-gpt2.mxfp4": Trajectory(_transformer("gpt2"), "mxfp4"),
    "language-llama.nvfp4": Trajectory(_transformer("llama"), "nvfp4"),
    "pde": Trajectory(PDE(points=16, viscosity=0.05, examples=16, width=8, layers=2)),
}


def training_cases() -> Iterator[tuple[str, Trajectory]]:
    """Return the path and the run of every folder."""
    for name, trajectory in _TRAJECTORIES.items():
        yield f"training/{name}", trajectory
    for recipe in recipes.names():
        name = f"language-gpt2.{recipe}"
        if name not in _TRAJECTORIES:
            task = _transformer("gpt2", *((128, 16) if recipe in _WIDE else (32, 8)))
            yield f"training/{name}", Trajectory(task, recipe, RECIPE_STEPS)


def training_bundle(trajectory: Trajectory, seed: int) -> Bundle:
    """Return the losses of a run and a digest of the parameters after each step.

    Parameters
    ----------
    trajectory : Trajectory
        The run.
    seed : int
        Of parameters, data and roundings.

    Returns
    -------
    Bundle
        Tensors ``loss`` of shape (steps,) and ``parameters_sha256`` of shape (steps,
        32): the digest of each parameter's name, a zero byte, and its float32 values,
        little-endian, in the order of definition.
    """
    recipe: Any = trajectory.recipe
    if recipe is not None:
        recipe = recipes.get(recipe)
    run = Run(trajectory.task, _PLAN, recipe, seed, REPRODUCIBLE)
    losses, digests = [], []
    for _ in range(trajectory.steps):
        losses.append(run.advance().loss)
        digests.append(bytes.fromhex(run.digest()))
    settings = run.settings()
    del settings["recipe_digest"]
    spec = {
        "settings": settings,
        "losses": [loss.hex() for loss in losses],
        "parameters_sha256": digests[-1].hex(),
    }
    every = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
    loss = Tensor("loss", "out", np.array(losses, np.float32))
    return Bundle("train", spec, (loss, Tensor("parameters_sha256", "out", every)))
