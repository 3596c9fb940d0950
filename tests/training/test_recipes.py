"""Every published recipe trains, and none that is impossible or misspelt begins."""

from dataclasses import replace

import numpy as np
import pytest

from refnum import recipes
from refnum.autograd import FAST
from refnum.cli import main
from refnum.training import Images, Language, proposed_plan, train

# As wide as the longest rotation, and a batch of as many tokens or pictures.
TASKS = {
    "language": (Language(data="markov", width=128, heads=2, layers=1, context=16), 8),
    "images": (Images(data="patterns", model="mlp", width=16, shift=0.0), 128),
}


@pytest.fixture(scope="module")
def references():
    """The losses of two steps in full precision."""
    return {name: losses(name, None) for name in TASKS}


def losses(name, recipe):
    task, batch = TASKS[name]
    plan = replace(task.plan, steps=2, batch=batch, warmup=0)
    history = train(task, recipe, plan=plan, numerics=FAST)
    assert history.outcome == "finished"
    return np.array([step.loss for step in history.steps])


@pytest.mark.parametrize("recipe", recipes.names())
@pytest.mark.parametrize("task", TASKS)
def test_every_recipe_trains(task, recipe, references):
    found = losses(task, recipe)
    assert np.isfinite(found).all()
    quantised = ~np.isclose(found, references[task], rtol=1e-9)
    assert quantised.any()
    np.testing.assert_allclose(found, references[task], rtol=0.2)


@pytest.mark.parametrize("recipe", recipes.names())
def test_every_recipe_trains_images_as_they_are_proposed(recipe):
    history = train("images", recipe, steps=1, numerics=FAST)
    assert history.outcome == "finished"


def test_batches_that_are_proposed():
    task = Images(data="patterns")
    assert proposed_plan(task, None) == proposed_plan(task, "nvfp4") == task.plan
    wide = proposed_plan(task, recipes.get("quartet-ii"))
    assert wide == replace(task.plan, batch=128)
    language = Language(data="markov")
    assert proposed_plan(language, "quartet-ii") == language.plan
    with pytest.raises(ValueError, match="unknown recipe"):
        proposed_plan(task, "quartet-iii")


TINY = [
    *("train", "language", "--data", "markov", "--steps", "2", "--batch", "4"),
    *(f"--set={k}" for k in ("width=24", "heads=2", "layers=1", "context=8")),
]


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("nvpf4", "unknown recipe 'nvpf4'; near names: nvfp4"),
        ("", "unknown recipe ''"),
        ("nvfp4", "blocks.0.attention.query, fprop_x: blocks of nvfp4 do not divide"),
        ("mi355x", "fprop_x: rotation H32 do not divide the 24 elements"),
    ],
)
def test_recipes_that_cannot_be_end_with_status_2(recipe, message, capsys, tmp_path):
    out = tmp_path / "run"
    assert main([*TINY, "--recipe", recipe, "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("refnum: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("name", ["tetrajet", "tetrajet-v2"])
def test_upkeep_goes_on_from_a_checkpoint(name, tmp_path):
    """Gathered gradients and looks at weights are in it, and act on the weights."""
    upkeep = {
        "tetrajet": recipes.Ramping(steps=2, unit=0.25, growth=1, longest=3),
        "tetrajet-v2": recipes.OscillationReset(0, period=4, steps=2, threshold=0.25),
    }[name]
    plain = recipes.get(name)
    recipe = replace(plain, upkeep=upkeep)
    task, _ = TASKS["images"]
    plan = replace(task.plan, steps=14, batch=128, checkpoints=1, warmup=0)
    whole = train(task, recipe, plan=plan, numerics=FAST)

    def stop(record):
        if record.get("step") == 9 and "loss" in record:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(task, recipe, plan=plan, numerics=FAST, out=tmp_path, callbacks=[stop])
    resumed = train(task, recipe, plan=plan, numerics=FAST, out=tmp_path, resume=True)
    found = [[step.loss for step in one.steps] for one in (whole, resumed)]
    assert found[0] == found[1]
    without = train(task, plain, plan=plan, numerics=FAST)
    assert found[0] != [step.loss for step in without.steps]
