"""Sweeps on a dask cluster: two workers, one of which is killed."""

import os
import signal

import pytest

from refnum.studies import measure, read_results, sweep
from refnum.studies.workers import workers_of

from ._studies import tiny

distributed = pytest.importorskip("distributed")
# The cluster's own; what a killed worker leaves behind is for the system to clean up.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:.*port.*")


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        silence_logs=60,
    )
    yield made
    made.close()


def test_a_killed_worker_of_a_cluster_takes_nothing_along(cluster, tmp_path):
    study = tiny(steps=150)
    killed = []

    def kill_one(progress, line):
        if progress.done == 3 and not killed:
            killed.append(next(iter(cluster.workers.values())).process.pid)
            os.kill(killed[0], signal.SIGKILL)

    progress = sweep(
        study.configurations,
        tmp_path / "out",
        executor=f"dask:{cluster.scheduler_address}",
        tell=kill_one,
    )
    assert killed
    assert progress.outcomes == {"finished": len(study.configurations)}
    lines = read_results(tmp_path / "out")
    assert len(lines) == len({one["id"] for one in lines}) == len(study.configurations)
    one = study.configurations[-1]
    (ours,) = [line["value"] for line in lines if line["id"] == one.id]
    assert ours == measure(one)["value"]


def test_a_cluster_that_does_not_answer():
    with pytest.raises(ValueError, match=r"no dask scheduler at 'tcp://127.0.0.1:9'"):
        workers_of("dask:tcp://127.0.0.1:9", 1)
