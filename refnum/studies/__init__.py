"""Studies: many trainings, what they cost, and what a report says of them.

A `Study` lists `Configuration` records: a `Setting` (task and plan), a `Design` (a
recipe by its components) and a seed. `sweep` trains them, and stores lines of results.
"""

from refnum.studies.building import format_of, recipe_of, schedule_of
from refnum.studies.claims import Claim
from refnum.studies.configuration import MEASURES, Configuration, Setting
from refnum.studies.costs import Costs
from refnum.studies.design import Design, design_of
from refnum.studies.measuring import measure
from refnum.studies.reporting import report, write_report
from refnum.studies.results import read_results
from refnum.studies.space import Designs, grid, sample
from refnum.studies.study import Study, parse_study, read_study, save_study
from refnum.studies.sweeping import Progress, sweep

__all__ = [
    "MEASURES",
    "Claim",
    "Configuration",
    "Costs",
    "Design",
    "Designs",
    "Progress",
    "Setting",
    "Study",
    "design_of",
    "format_of",
    "grid",
    "measure",
    "parse_study",
    "read_results",
    "read_study",
    "recipe_of",
    "report",
    "sample",
    "save_study",
    "schedule_of",
    "sweep",
    "write_report",
]
