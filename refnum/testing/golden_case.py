"""`GoldenCase`: a golden file or folder as a test wants it: inputs, and a check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.golden import (
    Bundle,
    GoldenFile,
    compare,
    compare_folder,
    read,
    read_bundle,
)

__all__ = ["GoldenCase", "case_names", "read_case"]

_Array = npt.NDArray[np.generic]
_CASE = "case.json"


@dataclass(frozen=True)
class GoldenCase:
    """A golden file of scalars, or a golden folder of tensors.

    Parameters
    ----------
    name : str
        Its place below the golden folder.
    facts : mapping
        What decides the outputs: of a file the words of its header, of a folder the
        operation and its ``spec``.
    inputs : dict of str to ndarray
        What the kernel is given, by name: bit patterns of a file's columns, tensors
        of a folder.
    outputs : dict of str to ndarray
        What is right.
    """

    name: str
    facts: Mapping[str, Any]
    inputs: dict[str, _Array]
    outputs: dict[str, _Array]
    source: GoldenFile | Bundle = field(repr=False)

    def check(self, outputs: npt.ArrayLike | Mapping[str, npt.ArrayLike]) -> None:
        """Raise an AssertionError unless outputs have the golden bits.

        Parameters
        ----------
        outputs : array_like, or dict of str to array_like
            The only output, or those that the kernel has by name.

        Raises
        ------
        AssertionError
            If a bit differs; the message names the first cases and why they exist.
        ValueError
            If no output is given, or an unknown one.
        """
        given = self._by_name(outputs)
        if isinstance(self.source, GoldenFile):
            self._check_file(self.source, given)
            return
        report = compare_folder(self.source, given, golden=self.name)
        if not report.equal:
            raise AssertionError(f"{self.name}: {report}")

    def _by_name(self, outputs: Any) -> dict[str, Any]:
        names = list(self.outputs)
        if not isinstance(outputs, Mapping):
            if len(names) != 1:
                raise ValueError(f"{self.name} has the outputs {', '.join(names)}")
            return {names[0]: outputs}
        unknown = sorted(set(outputs) - set(names))
        whole = isinstance(self.source, GoldenFile) and len(outputs) < len(names)
        if unknown or whole or not outputs:
            raise ValueError(
                f"outputs are {', '.join(outputs) or 'none'}; "
                f"{self.name} has {', '.join(names)}"
            )
        return dict(outputs)

    def _check_file(self, file: GoldenFile, given: dict[str, Any]) -> None:
        columns = []
        for name, want in self.outputs.items():
            got = np.asarray(given[name])
            if got.shape != want.shape:
                raise AssertionError(
                    f"{self.name}: {name} has the shape {got.shape}, not {want.shape}"
                )
            columns.append(_bits(got, name).astype(np.uint64))
        report = compare(file, np.stack(columns, axis=1), golden=self.name)
        if not report.equal:
            raise AssertionError(f"{self.name}: {report}")


def case_names(folder: Path, patterns: Iterable[str] = ("*",)) -> list[str]:
    """Return the golden files and folders below a folder, as paths relative to it.

    Parameters
    ----------
    folder : Path
        The golden folder.
    patterns : iterable of str
        Which ones, with ``*`` and ``?``; of files with or without ``.hex``.

    Raises
    ------
    ValueError
        If the folder does not exist, or nothing in it fits.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*.hex")]
    found += [p.parent.relative_to(folder).as_posix() for p in folder.rglob(_CASE)]
    wanted = tuple(patterns)
    names = [
        name
        for name in sorted(found)
        if any(fnmatch(name, p) or fnmatch(name, f"{p}.hex") for p in wanted)
    ]
    if not names:
        raise ValueError(f"{folder}: no golden case fits {', '.join(wanted)}")
    return names


def read_case(folder: Path, name: str) -> GoldenCase:
    """Read one golden case.

    Parameters
    ----------
    folder : Path
        The golden folder.
    name : str
        As `case_names` returns it.

    Raises
    ------
    ValueError
        If it is damaged.
    OSError
        If it cannot be read.
    """
    path = folder / name
    if path.is_dir():
        bundle = read_bundle(path)
        groups: dict[str, dict[str, _Array]] = {"in": {}, "out": {}}
        for tensor in bundle.tensors:
            groups[tensor.role][tensor.name] = tensor.array
        facts = {"op": bundle.op, **bundle.spec}
        return GoldenCase(name, facts, groups["in"], groups["out"], bundle)
    file = read(path)
    given = len(file.input_columns)
    rows = [case.fields for case in file.cases]
    columns = {
        column.name: np.array([row[k] for row in rows], _word(column.bits))
        for k, column in enumerate(file.columns)
    }
    names = list(columns)
    inputs = {n: columns[n] for n in names[:given]}
    outputs = {n: columns[n] for n in names[given:]}
    return GoldenCase(name, file.facts, inputs, outputs, file)


def _word(bits: int) -> str:
    return next(f"u{size}" for size in (1, 2, 4, 8) if bits <= 8 * size)


def _bits(array: _Array, name: str) -> _Array:
    """Return the bit patterns of floats, and integers as they are."""
    if array.dtype.kind == "f":
        return array.view(f"u{array.dtype.itemsize}")
    if array.dtype.kind not in "iu" or (array.size and array.min() < 0):
        raise TypeError(f"{name} must hold floats or unsigned integers")
    return array
