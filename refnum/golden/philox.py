"""Golden blocks of Philox4x32, and the random words of all other cases."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from refnum.golden.record import Case, Column, Disagreement, GoldenFile
from refnum.random import philox4x32, philox4x32_definition

__all__ = ["philox_file", "random_words"]

_ONES = 2**32 - 1
_PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
_NAMES = ("c0", "c1", "c2", "c3", "k0", "k1", "r0", "r1", "r2", "r3")

_Words = tuple[int, ...]


def philox_file(rounds: int, count: int, key: tuple[int, int]) -> GoldenFile:
    """Return blocks of Philox4x32: corners, single words, then random ones.

    The first three are the known answers of Random123 (tests/kat_vectors).
    """
    blocks = [*_corners(), *_single_words()]
    drawn = np.hstack([random_words(count, key), random_words(count, key, stream=1)])
    blocks += [(tuple(r[:4]), tuple(r[4:6]), "random") for r in drawn.tolist()]
    cases = tuple(_case(counter, k, text, rounds) for counter, k, text in blocks)
    columns = tuple(Column(name, 32) for name in _NAMES)
    facts = {"op": "philox4x32", "rounds": str(rounds)}
    return GoldenFile(facts, columns, cases, outputs=4)


def random_words(
    count: int, key: tuple[int, int], stream: int = 0
) -> npt.NDArray[np.uint32]:
    """Return `count` blocks of random words, shape (count, 4)."""
    counters = np.zeros((count, 4), np.uint32)
    counters[:, 0], counters[:, 1] = np.arange(count), stream
    return philox4x32(counters, np.array(key, np.uint32))


def _case(counter: _Words, key: _Words, text: str, rounds: int) -> Case:
    fast = tuple(philox4x32(counter, key, rounds).tolist())
    c0, c1, c2, c3 = counter
    k0, k1 = key
    slow = philox4x32_definition((c0, c1, c2, c3), (k0, k1), rounds)
    if fast != slow:
        raise Disagreement(f"philox4x32-{rounds} of {counter}: {fast} and {slow}")
    return Case((*counter, *key, *fast), text)


def _corners() -> list[tuple[_Words, _Words, str]]:
    zeros = (0, 0, 0, 0), (0, 0), "zeros"
    ones = (_ONES,) * 4, (_ONES,) * 2, "ones"
    return [zeros, ones, (*_PI, "digits of pi")]


def _single_words() -> list[tuple[_Words, _Words, str]]:
    """Return blocks with one word set: they tell swapped words apart."""
    blocks: list[tuple[_Words, _Words, str]] = []
    for word in range(4):
        for value, text in ((1, "one"), (_ONES, "all ones")):
            counter = tuple(value * (i == word) for i in range(4))
            blocks.append((counter, (0, 0), f"counter word {word} {text}, else 0"))
    for word in range(2):
        key = tuple(int(i == word) for i in range(2))
        blocks.append(((0, 0, 0, 0), key, f"key word {word} one, else 0"))
    return blocks
