"""Claims of the literature, judged by pairs of runs that differ in nothing else.

A claim names fields of a better and of a worse design. Every design of the study that
has the worse fields is paired with the one that differs from it in these fields alone,
if it is there; task and seed of a pair are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from refnum.studies.design import Design, design_of

__all__ = ["Claim", "claim_of", "pairs_of"]


@dataclass(frozen=True)
class Claim:
    """What a paper says of two choices.

    Parameters
    ----------
    text : str
        The claim.
    source : str
        Who says it.
    better, worse : tuple of (str, object)
        Fields of the two designs.
    where : tuple of (str, object)
        Fields that both have; others are free.
    closes : float
        The share of the worse one's gap that the better one closes, at least; 0 asks
        for less loss alone.
    """

    text: str
    source: str
    better: tuple[tuple[str, Any], ...]
    worse: tuple[tuple[str, Any], ...]
    where: tuple[tuple[str, Any], ...] = ()
    closes: float = 0.0


def claim_of(table: Mapping[str, Any]) -> Claim:
    """Return a claim of a study's file.

    Raises
    ------
    ValueError
        If a key or a field is unknown.
    """
    allowed = {"text", "source", "better", "worse", "where", "closes"}
    given = dict(table)
    if unknown := sorted(set(given) - allowed):
        raise ValueError(f"a claim has no {unknown[0]!r}; {sorted(allowed)} are known")
    for name in ("text", "better", "worse"):
        if not given.get(name):
            raise ValueError(f"a claim needs {name}: {table!r}")
    for name in ("better", "worse", "where"):
        design_of(given.get(name, {}))
        given[name] = tuple(given.get(name, {}).items())
    closes = given.get("closes", 0.0)
    if not isinstance(closes, int | float) or not 0 <= closes <= 1:
        raise ValueError(f"closes is {closes!r}; a share from 0 to 1 is allowed")
    return Claim(**{"source": "", **given})


def pairs_of(claim: Claim, designs: set[Design]) -> list[tuple[Design, Design]]:
    """Return the pairs (better, worse) among designs.

    Parameters
    ----------
    claim : Claim
        What is compared.
    designs : set of Design
        Those that were trained.

    Examples
    --------
    >>> from refnum.studies import Claim, Design
    >>> from refnum.studies.claims import pairs_of
    >>> claim = Claim("SR helps", "", (("stochastic", "dy"),), (("stochastic", "none"),))
    >>> some = {Design(), Design(stochastic="dy"), Design(block=16)}
    >>> [(str(one), str(other)) for one, other in pairs_of(claim, some)]
    [('ue8m0/32, SR dy', 'ue8m0/32')]
    """
    found = []
    for design in sorted(designs, key=str):
        if design.recipe and not _means_published(claim):
            continue
        wanted = dict(claim.where + claim.worse)
        if replace(design, **wanted) != design:
            continue
        partner = replace(design, **dict(claim.better))
        if partner != design and partner in designs:
            found.append((partner, design))
    return found


def _means_published(claim: Claim) -> bool:
    """Whether a claim is about published recipes, whose components are not free."""
    fields = {name for name, _ in claim.better + claim.worse + claim.where}
    return fields <= {"recipe", "switch", "switch_gemms"}
