"""One line of the comparison with hardware."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Row"]


@dataclass(frozen=True)
class Row:
    """One capture: how many cases it has, how many equal the default, and why not.

    Parameters
    ----------
    capture : str
        What ran on the chip.
    cases : int
        How many results were compared.
    differing : int, optional
        How many differ from the default cast; None if no cast gives the captured
        digests, so that it cannot be told.
    policy : str, optional
        What gives every captured result; None if nothing does.
    choices : mapping of str to str
        The fields of that cast which decide, as opposed to the default.
    kinds : mapping of str to int
        The differing cases by the kind of their input.
    """

    capture: str
    cases: int
    differing: int | None
    policy: str | None
    choices: dict[str, str]
    kinds: dict[str, int]

    @property
    def explained(self) -> bool:
        """Whether a named policy gives every captured result."""
        return self.policy is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the row in JSON's types."""
        equal = None if self.differing is None else self.cases - self.differing
        return {**asdict(self), "equal": equal, "explained": self.explained}
