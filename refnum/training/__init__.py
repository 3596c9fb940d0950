"""Training small models, to the same bits on every machine.

A `Task` (`tasks`) says what is learned, a `Plan` how; `train` makes a `Run` of both and
takes it step by step (`loop`). What happened is a `History`. In a folder, a run leaves
a log (`log`), a checkpoint to go on from (`checkpoint`), and samples (`drawing`).
"""

from refnum.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from refnum.training.history import Evaluation, History, Step
from refnum.training.log import read_history
from refnum.training.loop import train
from refnum.training.plan import Plan
from refnum.training.proposal import proposed_plan
from refnum.training.run import Run
from refnum.training.tasks import (
    PDE,
    TASKS,
    Diffusion,
    Images,
    Language,
    MarkovSource,
    Regression,
    Samples,
    Task,
    get,
    initial_functions,
    solve_burgers,
)

__all__ = [
    "PDE",
    "TASKS",
    "Checkpoint",
    "Diffusion",
    "Evaluation",
    "History",
    "Images",
    "Language",
    "MarkovSource",
    "Plan",
    "Regression",
    "Run",
    "Samples",
    "Step",
    "Task",
    "get",
    "initial_functions",
    "proposed_plan",
    "read_checkpoint",
    "read_history",
    "solve_burgers",
    "train",
    "write_checkpoint",
]
