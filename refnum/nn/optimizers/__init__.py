"""Optimisers: float32 master weights, state in any format, and what is around them."""

from refnum.nn.optimizers.adam import Adam, AdamW
from refnum.nn.optimizers.clipping import clip_by_global_norm, global_norm
from refnum.nn.optimizers.loss_scale import LossScale
from refnum.nn.optimizers.optimizer import Optimizer
from refnum.nn.optimizers.schedules import constant, cosine, wsd
from refnum.nn.optimizers.sgd import SGD
from refnum.nn.optimizers.stable_spam import StableSPAM

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "LossScale",
    "Optimizer",
    "StableSPAM",
    "clip_by_global_norm",
    "constant",
    "cosine",
    "global_norm",
    "wsd",
]
