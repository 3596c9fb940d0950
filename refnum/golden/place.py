"""Where the golden files are."""

from __future__ import annotations

from pathlib import Path

__all__ = ["find"]


def find(folder: Path | str | None = None) -> Path:
    """Return the folder of the golden files.

    Parameters
    ----------
    folder : Path or str, optional
        Taken as it is. Otherwise it is ``golden`` in the current folder, or the one of
        the repository that the package stands in.

    Returns
    -------
    Path
        Its place.

    Raises
    ------
    ValueError
        If there is none.
    """
    if folder is not None:
        if not Path(folder).is_dir():
            raise ValueError(f"{folder}: no such folder")
        return Path(folder)
    for place in (Path("golden"), Path(__file__).resolve().parents[2] / "golden"):
        if (place / "manifest.json").is_file():
            return place
    raise ValueError(
        "no golden files here: run in the repository, or give their folder "
        "(`refnum golden write DIR` makes those that are generated)"
    )
