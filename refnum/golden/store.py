"""A suite on disk: written whole, and checked against what its functions give now.

Files are replaced one by one, each at once: a run that is stopped leaves every file
old or new, never half. Files that the suite does not know are left alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refnum._files import write_atomically
from refnum.golden.bundle import Bundle, render_bundle
from refnum.golden.hexfile import render
from refnum.golden.record import GoldenFile
from refnum.golden.suite import SUITE_VERSION, Entry, Options, entries

__all__ = ["Mismatch", "check", "render_suite", "write"]

MANIFEST, CHECKSUMS = "manifest.json", "SHA256SUMS"
_LEVEL_1 = Options()
_EVIDENCE = "hardware"  # captured, not generated: its checksums are listed too


@dataclass(frozen=True)
class Mismatch:
    """A file that is not what it should be: its path, and the first wrong line."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


def render_suite(
    options: Options = _LEVEL_1, chosen: tuple[Entry, ...] | None = None
) -> dict[str, bytes]:
    """Return the bytes of every generated file but the checksums, by path.

    Parameters
    ----------
    options : Options
        Level and seed.
    chosen : tuple of Entry, optional
        The entries; by default the whole suite.
    """
    files: dict[str, bytes] = {}
    described: list[dict[str, Any]] = []
    for entry in entries() if chosen is None else chosen:
        content = entry.make(options)
        made = _files(entry.path, content)
        files |= made
        digests = {path: _sha256(data) for path, data in made.items()}
        described.append(_describe(entry.path, content) | {"sha256": digests})
    manifest = {
        "suite": SUITE_VERSION,
        "form": 1,
        "level": options.level,
        "seed": options.seed,
        "agreement": "every output is the same by refnum's codec and by exact fractions",
        "entries": described,
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    return {**files, MANIFEST: text.encode()}


def write(
    folder: Path | str,
    options: Options = _LEVEL_1,
    chosen: tuple[Entry, ...] | None = None,
) -> list[str]:
    """Write the suite, its manifest and its checksums.

    Parameters
    ----------
    folder : Path or str
        Where; it is made if need be.
    options : Options
        Level and seed.
    chosen : tuple of Entry, optional
        The entries; by default the whole suite.

    Returns
    -------
    list of str
        The paths that were written.

    Raises
    ------
    Disagreement
        If two derivations differ; nothing is written then.
    OSError
        If a file cannot be written.
    """
    place = Path(folder)
    files = render_suite(options, chosen)
    files[CHECKSUMS] = _checksums(place, files)
    for path, data in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place / path, data, durable=False)
    return list(files)


def check(
    folder: Path | str, chosen: tuple[Entry, ...] | None = None
) -> list[Mismatch]:
    """Compare a suite on disk with what its functions give now, byte by byte.

    Parameters
    ----------
    folder : Path or str
        Where the suite is. Level and seed are those of its manifest.
    chosen : tuple of Entry, optional
        The entries; by default the whole suite.

    Returns
    -------
    list of Mismatch
        Files that differ, are missing, or are unknown; empty if all is well.

    Raises
    ------
    ValueError
        If there is no suite, or its manifest is unreadable.
    """
    place = Path(folder)
    expected = render_suite(_options_of(place), chosen)
    expected[CHECKSUMS] = _checksums(place, expected)
    found = []
    for path, data in sorted(expected.items()):
        if not (place / path).is_file():
            found.append(Mismatch(path, "missing"))
        elif (actual := (place / path).read_bytes()) != data:
            found.append(Mismatch(path, _first_difference(data, actual)))
    folders = sorted({path.split("/")[0] for path in expected if "/" in path})
    for name in folders:
        paths = (p.relative_to(place).as_posix() for p in _files_under(place / name))
        unknown = (path for path in paths if path not in expected)
        found += [Mismatch(path, "not part of the suite") for path in unknown]
    return found


def _files(path: str, content: GoldenFile | Bundle) -> dict[str, bytes]:
    if isinstance(content, GoldenFile):
        return {path: render(content).encode()}
    return {f"{path}/{name}": data for name, data in render_bundle(content).items()}


def _describe(path: str, content: GoldenFile | Bundle) -> dict[str, Any]:
    if isinstance(content, GoldenFile):
        columns = [f"{column.name}:{column.bits}" for column in content.columns]
        counts = {"count": len(content.cases), "columns": columns}
        return {"path": path, **content.facts, **counts}
    return {"path": path, "op": content.op, "spec": dict(content.spec)}


def _checksums(folder: Path, files: dict[str, bytes]) -> bytes:
    """Return what ``sha256sum -c`` reads, for generated files and for the evidence."""
    digests = {path: _sha256(data) for path, data in files.items()}
    for path in _files_under(folder / _EVIDENCE):
        digests[path.relative_to(folder).as_posix()] = _sha256(path.read_bytes())
    lines = (f"{digest}  {path}\n" for path, digest in sorted(digests.items()))
    return "".join(lines).encode()


def _files_under(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _options_of(folder: Path) -> Options:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        return Options(manifest["level"], manifest["seed"])
    except FileNotFoundError:
        raise ValueError(
            f"{folder}: no golden suite here ({MANIFEST} is missing)"
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: no manifest of a golden suite ({error})") from None


def _first_difference(expected: bytes, actual: bytes) -> str:
    wanted, got = expected.splitlines(), actual.splitlines()
    for number, (want, have) in enumerate(zip(wanted, got, strict=False), 1):
        if want != have:
            return f"line {number} is {_show(have)}, should be {_show(want)}"
    if len(got) < len(wanted):
        return f"line {len(got) + 1} is missing: {_show(wanted[len(got)])}"
    if len(got) > len(wanted):
        return f"line {len(wanted) + 1} is too much: {_show(got[len(wanted)])}"
    return "line ends differ"


def _show(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return repr(text if len(text) <= 100 else text[:97] + "...")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
