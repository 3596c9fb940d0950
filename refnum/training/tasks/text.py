"""Texts as tokens: characters, one part to learn from and one held out."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["Text", "python_reference", "read_text", "tokenize"]

_LARGEST = 1 << 28  # bytes
_RARE = 4096  # different characters; a text with more is not of letters


@dataclass(frozen=True, eq=False)
class Text:
    """A text as numbers.

    Parameters
    ----------
    symbols : str
        The characters that occur, sorted; a token is a place in it.
    train, test : ndarray of intp
        The first nineteen twentieths, and the rest.
    digest : str
        SHA-256 of the text in UTF-8.
    """

    symbols: str
    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]
    digest: str

    @property
    def newline(self) -> int:
        """The token to begin with: a newline if there is one."""
        return max(0, self.symbols.find("\n"))

    @property
    def smallest_part(self) -> int:
        """Length of the shorter part."""
        return min(len(self.train), len(self.test))

    def unigram_entropy(self) -> float:
        """Return the entropy of the characters of the whole text, in nats."""
        counts = np.bincount(np.concatenate([self.train, self.test])).tolist()
        total = sum(counts)
        return -math.fsum(n / total * math.log(n / total) for n in counts if n)


def python_reference() -> Text:
    """Return the reference of the language that comes with every CPython.

    Returns
    -------
    Text
        The topics of ``help()``, in the order of their names. It differs between
        versions of Python; its digest says which one it is.

    Raises
    ------
    ValueError
        If this Python has none.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise ValueError(
            "this Python has no pydoc_data.topics: give a text with --text FILE"
        ) from None
    return tokenize("\n".join(topics[name] for name in sorted(topics)))


def read_text(path: Path) -> Text:
    """Return the text of a UTF-8 file.

    Parameters
    ----------
    path : Path
        Of at most 256 MiB.

    Returns
    -------
    Text
        Its characters.

    Raises
    ------
    ValueError
        If it is not a text file, or has too many different characters.
    OSError
        If it cannot be read.
    """
    if not path.exists():
        raise ValueError(f"{path}: no such file")
    if not path.is_file() or path.stat().st_size > _LARGEST:
        raise ValueError(f"{path}: not a file of at most {_LARGEST >> 20} MiB")
    try:
        return tokenize(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def tokenize(text: str) -> Text:
    """Return a text as numbers.

    Parameters
    ----------
    text : str
        With at least two different characters.

    Returns
    -------
    Text
        Its characters.

    Raises
    ------
    ValueError
        If there are too few or too many different characters.

    Examples
    --------
    >>> from refnum.training.tasks.text import tokenize
    >>> tokenize("to be or not to be, that is the question").symbols
    ' ,abehinoqrstu'
    """
    symbols = "".join(sorted(set(text)))
    if not 2 <= len(symbols) <= _RARE:
        raise ValueError(
            f"it has {len(symbols)} different characters, not 2 to {_RARE}"
        )
    data = text.encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(data, "<u4")
    known = np.array([ord(one) for one in symbols], np.uint32)
    tokens = np.searchsorted(known, points)
    cut = len(tokens) - len(tokens) // 20
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Text(symbols, tokens[:cut], tokens[cut:], digest)
