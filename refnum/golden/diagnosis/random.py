"""Philox blocks: how a generator differs from that of a golden file."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from refnum.golden.diagnosis.casts import field
from refnum.golden.diagnosis.deviation import Array, Deviation, Outputs

__all__ = ["Generator", "compute_philox", "philox_deviations"]

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_BUMPS = 0x9E3779B9, 0xBB67AE85
_MOST_ROUNDS = 16
_MASK = np.uint64(0xFFFFFFFF)
_NATURAL = (0, 1, 2, 3)
_NAMES: dict[tuple[int, ...], str] = {
    (3, 2, 1, 0): "reversed",
    (2, 3, 0, 1): "with its halves exchanged",
    (1, 0, 3, 2): "with the words of each half exchanged",
}


@dataclass(frozen=True)
class Generator:
    """All that decides a Philox block.

    Parameters
    ----------
    rounds : int
        Number of rounds.
    counter, results : tuple of int
        Which word of the file stands at each place of the counter, and of the results.
    key : tuple of int
        The same for the key.
    multipliers, bumps : tuple of int
        The constants.
    bump_first : bool
        Whether the key is bumped before the first round, too.
    mixed : bool
        Whether the key is mixed in at all.
    """

    rounds: int = 10
    counter: tuple[int, ...] = _NATURAL
    key: tuple[int, ...] = (0, 1)
    results: tuple[int, ...] = _NATURAL
    multipliers: tuple[int, int] = _MULTIPLIERS
    bumps: tuple[int, int] = _BUMPS
    bump_first: bool = False
    mixed: bool = True


def compute_philox(record: Generator, *, counters: Array, keys: Array) -> Outputs:
    """Return the block of every counter."""
    words = counters[:, record.counter].astype(np.uint64)
    c0, c1, c2, c3 = words.T
    k0, k1 = keys[:, record.key].astype(np.uint64).T
    if not record.mixed:
        k0, k1 = np.zeros_like(k0), np.zeros_like(k1)
    m0, m1 = map(np.uint64, record.multipliers)
    w0, w1 = map(np.uint64, record.bumps)
    for turn in range(record.rounds):
        if turn or record.bump_first:
            k0, k1 = (k0 + w0) & _MASK, (k1 + w1) & _MASK
        one, other = m0 * c0, m1 * c2
        c0, c2 = other >> np.uint64(32) ^ c1 ^ k0, one >> np.uint64(32) ^ c3 ^ k1
        c1, c3 = other & _MASK, one & _MASK
    block = np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)
    return {"words": np.ascontiguousarray(block[:, record.results])}


def philox_deviations(record: Generator) -> tuple[Deviation, ...]:
    """Return the deviations of a generator."""
    counts = [n for n in range(1, _MOST_ROUNDS + 1) if n != record.rounds]
    found = [field("rounds", f"{n} rounds", "rounds", n) for n in counts]
    found += [
        field("key", "key words exchanged", "key", (1, 0)),
        field("bump", "key bumped before the first round", "bump_first", True),
        field("bump", "key never bumped", "bumps", (0, 0)),
        field("bump", "bumps exchanged", "bumps", _BUMPS[::-1]),
        field("multiply", "multipliers exchanged", "multipliers", _MULTIPLIERS[::-1]),
        field("key", "key not mixed in", "mixed", False),
    ]
    for part, word in (("counter", "counter"), ("results", "result")):
        orders = [*_NAMES, *(p for p in permutations(_NATURAL) if p not in _NAMES)]
        for order in orders:
            if order != _NATURAL:
                numbers = ", ".join(map(str, order))
                text = _NAMES.get(order, f"words in the order {numbers}")
                found.append(field(part, f"{word} {text}", part, order))
    return tuple(found)
