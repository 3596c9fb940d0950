"""`Study`: what a TOML file asks for.

    name = "what this is about"
    seeds = [0, 1]                   # or how many
    numerics = "fast"                # or "reproducible"
    reports = 4                      # error reports in a run of the first seed

    [[tasks]]                        # lists are expanded: here to three sizes
    task = "language"
    width = [32, 64, 96]
    steps = 200

    [[grid]]                         # all combinations
    format = [{scale = "ue8m0", block = 32}, {scale = "ue4m3", block = 16}]
    stochastic = ["none", "dy"]

    [[sample]]                       # drawn at random
    count = 100
    seed = 0
    scale = ["ue8m0", "ue4m3", "ue5m3"]

    [cost]                           # what a report counts
    model = "llama-7b"
    elementwise = 0.03125

Grids and samples may have ``tasks``, labels of the tasks that they are for, and
``seeds`` of their own. For each task and seed the baseline is trained as well.
"""

from __future__ import annotations

import dataclasses
import itertools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from refnum._files import write_atomically
from refnum.studies.claims import Claim, claim_of
from refnum.studies.configuration import NUMERICS, Configuration, Setting
from refnum.studies.costs import Costs
from refnum.studies.design import Design
from refnum.studies.space import Designs, grid, sample
from refnum.training import TASKS, Plan, get

__all__ = [
    "STUDY",
    "Study",
    "parse_study",
    "read_report_settings",
    "read_study",
    "save_study",
]

STUDY = "study.toml"
"""Name of the copy in a folder of results."""

_KEYS = {
    *("name", "about", "seeds", "numerics", "reports", "tasks", "grid", "sample"),
    *("cost", "claims"),
}
_PLAN = {field.name for field in dataclasses.fields(Plan)}


@dataclass(frozen=True)
class Study:
    """All trainings of a study, and how a report looks at them.

    Parameters
    ----------
    name, about : str
        Title and purpose.
    configurations : tuple of Configuration
        Each once: first the baselines, then designs in the order of the file.
    refused : tuple of str
        Points of the space that are no recipes, and why.
    costs : Costs
        What cost is counted for, and at which speeds.
    claims : tuple of Claim
        What the literature says, to be judged.
    """

    name: str
    about: str
    configurations: tuple[Configuration, ...]
    refused: tuple[str, ...]
    costs: Costs
    claims: tuple[Claim, ...]


def read_study(path: Path | str) -> Study:
    """Read a study.

    Parameters
    ----------
    path : Path or str
        A TOML file.

    Raises
    ------
    ValueError
        If it is no study; the message says what is wrong, and where.
    OSError
        If it cannot be read.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: no TOML: {error}") from None
    try:
        return parse_study(table)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def save_study(path: Path | str, folder: Path | str) -> None:
    """Put a copy of a study beside its results, for reports.

    Parameters
    ----------
    path : Path or str
        The study.
    folder : Path or str
        Of its results; made if need be.
    """
    data, place = Path(path).read_bytes(), Path(folder) / STUDY
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_file() or place.read_bytes() != data:
        write_atomically(place, data)


def read_report_settings(
    path: Path,
) -> tuple[str, str, Costs, tuple[Claim, ...]]:
    """Return name, purpose, costs and claims of a study, without its configurations.

    Where there is no study, a report has neither name nor claims.
    """
    if not path.is_file():
        return "A study", "", Costs(), ()
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    claims = tuple(claim_of(one) for one in _tables(table, "claims"))
    name, about = str(table.get("name", "A study")), str(table.get("about", ""))
    return name, about.strip(), Costs.of(table.get("cost", {})), claims


def parse_study(table: Mapping[str, Any]) -> Study:
    """Return a study from the content of its file; see `read_study`."""
    if unknown := sorted(set(table) - _KEYS):
        raise ValueError(f"{unknown[0]!r} is unknown; {', '.join(sorted(_KEYS))} are")
    settings = _settings(table.get("tasks"))
    numerics, reports = table.get("numerics", "fast"), table.get("reports", 0)
    if numerics not in NUMERICS:
        raise ValueError(f"numerics is {numerics!r}; {', '.join(NUMERICS)} are allowed")
    if type(reports) is not int or reports < 0:
        raise ValueError(f"reports is {reports!r}; an integer from 0 is allowed")
    seeds = _seeds(table.get("seeds", 1))
    refused: list[str] = []
    wanted: list[tuple[Setting, Design, int]] = []
    for kind in ("grid", "sample"):
        for number, axes in enumerate(_tables(table, kind), 1):
            where = f"{kind} {number}"
            found, own_settings, own_seeds = _space(axes, kind, settings, seeds, where)
            refused += [f"{where}: {why}" for why in found.refused]
            wanted += itertools.product(own_settings, found.designs, own_seeds)
    costs = Costs.of(table.get("cost", {}))
    claims = tuple(claim_of(one) for one in _tables(table, "claims"))
    if not wanted:
        raise ValueError("there is no grid and no sample, so no design")
    baselines = {(setting, None, seed): None for setting, _, seed in wanted}
    first = seeds[0]
    configurations = {
        one.id: one
        for one in (
            Configuration(*key, numerics, reports if key[1] and key[2] == first else 0)
            for key in (*baselines, *wanted)
        )
    }
    return Study(
        str(table.get("name", "a study without a name")),
        str(table.get("about", "")).strip(),
        tuple(configurations.values()),
        tuple(refused),
        costs,
        claims,
    )


def _tables(table: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = table.get(name, [])
    tables = [found] if isinstance(found, Mapping) else found
    if not isinstance(tables, list) or not all(isinstance(t, Mapping) for t in tables):
        raise ValueError(f"{name} must be tables: write [[{name}]]")
    return [dict(one) for one in tables]


def _seeds(value: Any) -> tuple[int, ...]:
    if type(value) is int and value > 0:
        return tuple(range(value))
    listed = (
        isinstance(value, list) and value and len(set(map(str, value))) == len(value)
    )
    if not listed or any(type(seed) is not int or seed < 0 for seed in value):
        raise ValueError(f"seeds is {value!r}; how many, or a list of them, is allowed")
    return tuple(value)


def _space(
    axes: dict[str, Any],
    kind: str,
    settings: list[Setting],
    seeds: tuple[int, ...],
    where: str,
) -> tuple[Designs, list[Setting], tuple[int, ...]]:
    """Return the designs of a grid or sample, and what they are trained on."""
    labels = axes.pop("tasks", None)
    own_seeds = _seeds(axes.pop("seeds")) if "seeds" in axes else seeds
    known = list(dict.fromkeys(_family(setting) for setting in settings))
    wanted = known if labels is None else labels
    if not isinstance(wanted, list) or not wanted or not set(wanted) <= set(known):
        raise ValueError(
            f"{where}: tasks are {labels!r}; a list of {', '.join(known)} is allowed"
        )
    chosen = [setting for setting in settings if _family(setting) in wanted]
    try:
        if kind == "sample":
            found = sample(axes, axes.pop("count", None), axes.pop("seed", 0))
        else:
            found = grid(axes)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return found, chosen, own_seeds


def _family(setting: Setting) -> str:
    """Return the label of a task without the settings that it was expanded by."""
    return setting.label.split(" ")[0]


def _settings(tables: Any) -> list[Setting]:
    """Return the tasks, with lists expanded."""
    if not isinstance(tables, list) or not tables:
        raise ValueError("there are no tasks: write [[tasks]]")
    found: list[Setting] = []
    for table in tables:
        if not isinstance(table, Mapping) or table.get("task") not in TASKS:
            raise ValueError(f"a task is one of {', '.join(TASKS)}: {table!r}")
        axes = {k: v if isinstance(v, list) else [v] for k, v in table.items()}
        several = [name for name, values in axes.items() if len(values) > 1]
        found += [
            _setting(dict(zip(axes, point, strict=True)), several)
            for point in itertools.product(*axes.values())
        ]
    labels = [setting.label for setting in found]
    if twice := [label for label in labels if labels.count(label) > 1]:
        raise ValueError(f"two tasks are called {twice[0]!r}: give each a label")
    labels_of: dict[str, str] = {}
    for setting in found:
        other = labels_of.setdefault(setting.key, setting.label)
        if other != setting.label:
            raise ValueError(f"{other!r} and {setting.label!r} are the same task")
    return found


def _setting(table: dict[str, Any], several: list[str]) -> Setting:
    name = table.pop("task")
    label = str(table.pop("label", name)).replace(" ", "-")
    label = " ".join([label, *(f"{k}={table[k]}" for k in several if k in table)])
    plan = {key: table.pop(key) for key in list(table) if key in _PLAN}
    task = get(name, **{k: v for k, v in table.items() if k != "source"})
    setting = Setting(name, tuple(table.items()), replace(task.plan, **plan), label)
    setting.make()
    return setting
