"""The loop: what it keeps, tells, refuses, and when it gives up."""

import errno
import json
from dataclasses import replace

import numpy as np
import pytest

from refnum import recipes
from refnum.autograd import FAST
from refnum.recipes import Schedule, Switch
from refnum.training import (
    Images,
    Language,
    MarkovSource,
    read_checkpoint,
    read_history,
    train,
)
from refnum.training import folder as folder_module
from refnum.training.folder import CHECKPOINT
from refnum.training.log import LOG

from ._tiny import PLAN, TASK


def parameters_of(history):
    return {k: v.data for k, v in _parameters(history.model).items()}


def _parameters(model):
    from refnum.nn import parameters

    return parameters(model)


def test_history_and_log_say_the_same(tmp_path):
    history = train(TASK, plan=PLAN, out=tmp_path / "new" / "run")
    loaded = read_history(tmp_path / "new" / "run")
    assert repr(loaded) == repr(replace(history, model=None))
    assert history.outcome == "finished"
    assert [one.step for one in history.steps] == list(range(1, 41))
    assert [one.step for one in history.evaluations] == list(range(4, 41, 4))
    assert history.references == {"risk": 0.25}
    assert history.last()["risk"] < history.evaluations[0].values["risk"]
    kept = sorted(one.name for one in (tmp_path / "new" / "run").iterdir())
    assert kept == [CHECKPOINT, LOG]


def test_a_seed_is_a_run():
    one, two = (train(TASK, plan=PLAN, steps=5, seed=3) for _ in range(2))
    assert one.losses.tobytes() == two.losses.tobytes()
    other = train(TASK, plan=PLAN, steps=5, seed=4)
    assert (one.losses != other.losses).all()


def test_nothing_global_has_a_say():
    one = train(TASK, plan=PLAN, steps=5)
    np.random.seed(1)  # noqa: NPY002
    two = train(TASK, plan=PLAN, steps=5, progress=False, callbacks=[dict.copy])
    assert one.losses.tobytes() == two.losses.tobytes()


def test_callbacks_hear_of_steps_and_evaluations():
    heard = []
    history = train(TASK, plan=PLAN, steps=10, callbacks=[heard.append])
    steps = [one for one in heard if "loss" in one]
    assert [one["step"] for one in steps] == list(range(1, 11))
    assert [one["loss"] for one in steps] == history.losses.tolist()
    assert steps[0].keys() >= {"learning_rate", "gradient_norm", "seconds", "skipped"}
    found = [one["evaluation/risk"] for one in heard if "evaluation/risk" in one]
    assert found == history.curve("risk")[1]


def test_a_callback_may_stop_a_run_and_it_goes_on_later(tmp_path):
    def stop(record):
        if record["step"] == 17:
            raise RuntimeError("enough")

    whole = tmp_path / "whole"
    train(TASK, plan=PLAN, out=whole)
    part = tmp_path / "part"
    with pytest.raises(RuntimeError, match="enough"):
        train(TASK, plan=PLAN, out=part, callbacks=[stop])
    assert read_history(part).outcome == "running"
    train(TASK, plan=PLAN, out=part, resume=True)
    assert (part / CHECKPOINT).read_bytes() == (whole / CHECKPOINT).read_bytes()
    one, two = read_history(whole), read_history(part)
    assert one.losses.tobytes() == two.losses.tobytes()
    assert one.evaluations == two.evaluations


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    train(TASK, plan=PLAN, out=tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes(), read_history(tmp_path)
    again = train(TASK, plan=PLAN, out=tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == before[0]
    assert repr(read_history(tmp_path)) == repr(before[1])
    assert again.model is not None


def test_resume_begins_where_there_is_nothing(tmp_path):
    assert (
        train(TASK, plan=PLAN, steps=3, out=tmp_path, resume=True).outcome == "finished"
    )


def test_a_run_is_not_overwritten(tmp_path):
    train(TASK, plan=PLAN, steps=3, out=tmp_path)
    before = {one: one.read_bytes() for one in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="holds a run: resume it, or choose"):
        train(TASK, plan=PLAN, steps=3, out=tmp_path)
    assert {one: one.read_bytes() for one in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 41}, "plan: steps was 40, not 41"),
        ({"seed": 1}, "seed was 0, not 1"),
        ({"numerics": FAST}, "numerics was 'reproducible', not 'fast'"),
        ({"task": replace(TASK, noise=1.0)}, "noise was 0.5, not 1.0"),
        ({"plan": replace(PLAN, batch=4)}, "plan: batch was 8, not 4"),
    ],
)
def test_other_settings_are_not_resumed(tmp_path, changes, message):
    train(TASK, plan=PLAN, out=tmp_path)
    before = {one: one.read_bytes() for one in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=message):
        train(**{"task": TASK, "plan": PLAN, "out": tmp_path, "resume": True} | changes)
    assert {one: one.read_bytes() for one in tmp_path.iterdir()} == before


def test_a_damaged_checkpoint_is_refused_and_left(tmp_path):
    train(TASK, plan=PLAN, out=tmp_path)
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-1])
    before = {one: one.read_bytes() for one in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="cut short or changed"):
        train(TASK, plan=PLAN, out=tmp_path, resume=True)
    assert {one: one.read_bytes() for one in tmp_path.iterdir()} == before


def test_a_log_without_the_steps_of_the_checkpoint_is_refused(tmp_path):
    train(TASK, plan=PLAN, out=tmp_path)
    log = tmp_path / LOG
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:9]))
    with pytest.raises(ValueError, match="steps up to 40 are missing"):
        train(TASK, plan=PLAN, out=tmp_path, resume=True)


def test_a_full_disk_ends_the_run_and_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    write = folder_module.write_checkpoint

    def fills_up(path, facts, arrays):
        if facts["step"] > 20:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, facts, arrays)

    monkeypatch.setattr(folder_module, "write_checkpoint", fills_up)
    with pytest.raises(OSError, match="No space left"):
        train(TASK, plan=PLAN, out=tmp_path)
    assert 0 < read_checkpoint(tmp_path / CHECKPOINT).facts["step"] <= 20
    monkeypatch.undo()
    train(TASK, plan=PLAN, out=tmp_path, resume=True)
    whole = tmp_path / "whole"
    train(TASK, plan=PLAN, out=whole)
    assert (tmp_path / CHECKPOINT).read_bytes() == (whole / CHECKPOINT).read_bytes()


def test_divergence_is_said_and_leaves_the_last_good_checkpoint(tmp_path, capsys):
    wild = replace(PLAN, optimizer="sgd", learning_rate=1e6, clip=None, checkpoints=40)
    history = train(TASK, plan=wild, out=tmp_path, progress=True)
    assert history.outcome == "diverged"
    assert len(history.steps) < 40
    assert read_history(tmp_path).reason == history.reason != ""
    assert f"diverged: {history.reason}" in capsys.readouterr().err
    arrays = read_checkpoint(tmp_path / CHECKPOINT).arrays
    assert np.isfinite(arrays["parameters/weight"]).all()


def test_a_loss_that_is_not_a_number_is_divergence():
    class Spoiled:
        def __getattr__(self, name):
            return getattr(TASK, name)

        def batch(self, seed, step, size):
            x, y = TASK.batch(seed, step, size)
            return x, y * np.float32(np.nan if step == 3 else 1)

    history = train(Spoiled(), plan=PLAN)
    assert (history.outcome, history.reason) == ("diverged", "the loss is nan")
    assert len(history.steps) == 3


def test_impossible_calls(tmp_path):
    with pytest.raises(ValueError, match="unknown task 'imags'; there are images"):
        train("imags")
    with pytest.raises(ValueError, match="steps must be a positive integer"):
        train(TASK, steps=0)
    with pytest.raises(ValueError, match="seed"):
        train(TASK, seed=-1)
    with pytest.raises(ValueError, match="give out"):
        train(TASK, resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="not a folder"):
        train(TASK, out=tmp_path / "file")


def test_progress_has_a_line_for_each_evaluation(capsys):
    train(TASK, plan=replace(PLAN, evaluations=2), progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("step 1/40  loss ")
    assert "step 20/40  risk " in captured.err


def test_wrong_pictures_are_samples(tmp_path):
    train(
        Images(data="patterns", model="mlp", width=1), plan=PLAN, steps=2, out=tmp_path
    )
    assert (tmp_path / "samples.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "samples.txt").read_text().startswith("mistaken: ")
    assert json.loads((tmp_path / LOG).read_text().splitlines()[-1]) == {
        "outcome": {"outcome": "finished", "reason": ""}
    }


LANGUAGE = Language(
    data="markov",
    model="llama",
    source=MarkovSource(8),
    width=64,
    heads=2,
    layers=1,
    context=16,
)


@pytest.mark.parametrize(
    ("recipe", "optimizer"), [("ue5m3", "stable_spam"), ("nvfp4", "adamw")]
)
def test_the_state_of_quantisation_and_scale_is_resumed(tmp_path, recipe, optimizer):
    """Held maxima, random roundings, spikes and the loss scale go on as they were."""

    def stop(record):
        if record["step"] == 7:
            raise RuntimeError("enough")

    plan = replace(PLAN, steps=12, batch=4, optimizer=optimizer, loss_scaling=True)
    whole, part = tmp_path / "whole", tmp_path / "part"
    train(LANGUAGE, recipe, plan=plan, out=whole)
    with pytest.raises(RuntimeError, match="enough"):
        train(LANGUAGE, recipe, plan=plan, out=part, callbacks=[stop])
    done = read_checkpoint(part / CHECKPOINT)
    assert done.facts["step"] == 7
    assert {name.split("/")[0] for name in done.arrays} == {
        "parameters",
        "optimizer",
        "quantization",
    }
    train(LANGUAGE, recipe, plan=plan, out=part, resume=True)
    assert (part / CHECKPOINT).read_bytes() == (whole / CHECKPOINT).read_bytes()
    plain = train(LANGUAGE, plan=plan)
    assert (plain.losses != read_history(whole).losses).any()


def test_reports_feed_the_monitors_of_a_schedule(tmp_path):
    """A layer leaves four bits when its gradient drowns; here a bound it always meets."""
    schedule = Schedule(recipes.get("mxfp4"), (Switch(None, ratio=1e9),))
    plan = replace(PLAN, steps=6, batch=4, report_every=3)
    heard = []
    history = train(LANGUAGE, schedule, plan=plan, callbacks=[heard.append])
    reports = [one for one in heard if "report" in one]
    assert [one["step"] for one in reports] == [3, 6]
    assert reports[0]["report"]["operands"]
    assert not reports[1]["report"]["operands"]  # full precision since step 4
    still = train(LANGUAGE, "mxfp4", plan=replace(plan, report_every=0))
    same = history.losses == still.losses
    assert same.tolist() == [True, True, True, False, False, False]
    assert history.settings["recipe"] == "schedule"
