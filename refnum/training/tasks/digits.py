"""Pictures of 8 by 8 pixels: scikit-learn's digits, and synthetic patterns."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream

__all__ = ["PICTURES", "Pictures", "load_pictures", "sklearn_datasets"]

_Single = npt.NDArray[np.float32]
_Labels = npt.NDArray[np.intp]

PICTURES = ("digits", "patterns")
"""Names of the data sets."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """A data set; a fifth of it is held out.

    Parameters
    ----------
    train, test : ndarray of float32, shape (N, 1, 8, 8)
        Grey values from 0 to 1.
    train_labels, test_labels : ndarray of intp, shape (N,)
        Classes from 0 to 9.
    """

    train: _Single
    train_labels: _Labels
    test: _Single
    test_labels: _Labels


@functools.cache
def load_pictures(name: str) -> Pictures:
    """Return a data set.

    Parameters
    ----------
    name : {"digits", "patterns"}
        Digits: 1797 handwritten digits (UCI, "Optical recognition of handwritten
        digits", 1998; as scikit-learn has them). Patterns: ten fixed patterns, each
        shown 40 times in noise, made from random numbers on the spot.

    Returns
    -------
    Pictures
        Split by a fixed random order.

    Raises
    ------
    ValueError
        If the name is unknown, or scikit-learn is missing.
    """
    if name == "digits":
        data = sklearn_datasets("digits").load_digits()
        images = data.images.astype(np.float32) / np.float32(16)
        labels = data.target.astype(np.intp)
    elif name == "patterns":
        images, labels = _patterns()
    else:
        raise ValueError(f"data must be one of {', '.join(PICTURES)}, not {name!r}")
    order = Stream(0, name="held out").permutation(len(images))
    images, labels = images[order][:, None], labels[order]
    cut = len(images) - len(images) // 5
    return Pictures(images[:cut], labels[:cut], images[cut:], labels[cut:])


def sklearn_datasets(wanted: str) -> Any:
    """Return scikit-learn's data sets, or say what to install."""
    try:
        from sklearn import datasets
    except ImportError:
        raise ValueError(
            f"{wanted} comes with scikit-learn, which is not installed: "
            "pip install 'refnum[tasks]'"
        ) from None
    return datasets


def _patterns() -> tuple[_Single, _Labels]:
    """Return 400 pictures: patterns of four grey values, and noise."""
    grey = (Stream(0, name="patterns").words((10, 8, 8)) >> np.uint32(30)) / np.float32(
        4
    )
    labels = np.arange(400) % 10
    noise = Stream(0, name="noise").uniform((400, 8, 8), -0.25, 0.25)
    return np.clip(grey.astype(np.float32)[labels] + noise, 0, 1), labels.astype(
        np.intp
    )
