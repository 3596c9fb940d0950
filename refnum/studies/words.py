"""Words for sets of products and roles, as studies have them."""

from __future__ import annotations

from collections.abc import Mapping

from refnum.recipes import GEMMS, ROLES

__all__ = ["GEMM_WORDS", "ROLE_WORDS", "canonical", "parts"]

GEMM_WORDS: dict[str, tuple[str, ...]] = {
    "none": (),
    "all": tuple(GEMMS),
    "forward": ("fprop",),
    "backward": ("dgrad", "wgrad"),
}
ROLE_WORDS: dict[str, tuple[str, ...]] = {
    "none": (),
    "all": tuple(ROLES),
    "forward": ("fprop_x", "fprop_w"),
    "backward": ("dgrad_dy", "dgrad_w", "wgrad_dy", "wgrad_x"),
    "dy": ("dgrad_dy", "wgrad_dy"),
}


def canonical(name: str, text: str, words: Mapping[str, tuple[str, ...]]) -> str:
    """Return the shortest way to say some roles or products, in their usual order."""
    every = words["all"]
    chosen: set[str] = set()
    for part in filter(None, text.split("+")):
        if part not in words and part not in every:
            allowed = ", ".join([*words, *every])
            raise ValueError(f"{name} is {text!r}; {allowed} are known, joined by +")
        chosen |= set(words.get(part, (part,)))
    ordered = tuple(part for part in every if part in chosen)
    for word, members in words.items():
        if members == ordered and len(ordered) != 1:
            return word
    return "+".join(ordered) or "none"


def parts(text: str, words: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the products or roles that a word, or words joined by +, mean."""
    found = [words.get(part, (part,)) for part in text.split("+")]
    return tuple(name for names in found for name in names)
