"""Tasks: what data they have, what they refuse, and that each tiny model learns."""

import math
import sys
from dataclasses import replace

import numpy as np
import pytest

from refnum.autograd import REPRODUCIBLE, Stream, Tensor
from refnum.training import (
    PDE,
    TASKS,
    Diffusion,
    Images,
    Language,
    MarkovSource,
    Plan,
    Regression,
    Run,
    get,
    train,
)
from refnum.training.tasks import digits
from refnum.training.tasks.diffusion import draw, noise_levels
from refnum.training.tasks.images import _shifted
from refnum.training.tasks.task import epoch_rows
from refnum.training.tasks.text import python_reference, read_text, tokenize

PLAN = Plan(steps=40, batch=16, learning_rate=1e-2, warmup=4, evaluations=2)
SMALL = {"width": 32, "heads": 2, "layers": 1, "context": 8}
TINY = {
    "regression": Regression(inputs=16, outputs=4),
    "mlp": Images(data="patterns", model="mlp", width=2),
    "cnn": Images(data="patterns", width=4),
    "diffusion": Diffusion(data="patterns", width=8, times=21),
    "gpt2": Language(data="markov", source=MarkovSource(8), **SMALL),
    "llama": Language(data="markov", model="llama", source=MarkovSource(4, 2), **SMALL),
    "pde": PDE(points=16, viscosity=0.05, examples=16, width=8, layers=2),
}


@pytest.mark.parametrize("name", TINY)
def test_every_model_learns(name):
    run = Run(TINY[name], PLAN, None, 0, REPRODUCIBLE)
    losses = [run.advance().loss for _ in range(PLAN.steps)]
    first, last = np.mean(losses[:3]), np.mean(losses[-5:])
    assert last < {"llama": 0.95}.get(name, 0.9) * first
    values = TINY[name].evaluate(run.model, final=False).values()
    assert all(math.isfinite(value) for value in values)


@pytest.mark.parametrize("name", TINY)
def test_batches_are_pure_functions_of_seed_and_step(name):
    task = TINY[name]
    one, two = task.batch(1, 2, 4), task.batch(1, 2, 4)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    for other in (task.batch(2, 2, 4), task.batch(1, 3, 4)):
        assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_epochs_show_each_example_once():
    rows = np.concatenate([epoch_rows(7, step, 8, 20) for step in range(1, 6)])
    assert sorted(rows[:20]) == sorted(rows[20:40]) == list(range(20))
    assert (rows[:20] != rows[20:40]).any()
    assert (epoch_rows(7, 1, 50, 20)[:8] == rows[:8]).all()


def test_the_risk_of_a_linear_model_is_what_examples_show():
    task = Regression(inputs=8, outputs=3, noise=0.5)
    model = task.build(Stream(0))
    risk = task.evaluate(model, final=True)["risk"]
    x, y = task.batch(3, 1, 50_000)
    errors = (np.asarray(model(Tensor(x)).data) - y) ** 2
    standard_error = errors.mean(1).std() / math.sqrt(len(x))
    assert abs(errors.mean() - risk) < 5 * standard_error


def test_the_teacher_itself_is_at_the_noise_floor():
    task = Regression(inputs=8, outputs=3, noise=0.5)
    model = task.build(Stream(0))
    model.weight.data = task._teacher().copy()
    assert task.evaluate(model, final=True) == {"risk": 0.25, "excess": 0.0}
    assert task.references() == {"risk": 0.25}


def test_the_gap_of_the_source_itself_is_zero():
    """A table of the source's own log-probabilities is the best model there is."""
    source = MarkovSource(8)
    task = Language(data="markov", source=source, **SMALL)
    table = np.log(source.probabilities()).astype(np.float32)
    found = task.evaluate(lambda tokens: Tensor(table[tokens]), final=True)
    assert abs(found["gap"]) < 1e-6
    assert found["loss"] == pytest.approx(task.references()["entropy"], abs=1e-6)


def test_the_gap_of_knowing_nothing_is_known():
    source = MarkovSource(8)
    task = Language(data="markov", source=source, **SMALL)
    held = source.draw(Stream(0, name="held out"), 32, 9)[:, :-1]
    chances = source.probabilities()[held]
    gap = math.log(8) + (chances * np.log(chances)).sum(-1).mean()
    found = task.evaluate(
        lambda tokens: Tensor(np.zeros((*tokens.shape, 8), np.float32)), final=True
    )
    assert found["gap"] == pytest.approx(gap, abs=1e-6)


def test_noise_levels_follow_the_paper():
    beta, kept = noise_levels(1000)
    assert beta[[0, -1]] == pytest.approx([1e-4, 0.02])
    np.testing.assert_allclose(kept, np.cumprod(1 - beta), rtol=1e-12)
    assert noise_levels(21)[1][-1] < 1e-3  # nearly nothing is left of the picture


def test_drawing_with_the_right_noise_gives_the_picture_back():
    """With a model that knows the picture, every drawing is that picture."""
    picture = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    _, kept = noise_levels(50)

    def model(x, times):
        level = kept[times][:, None, None, None]
        signal = np.sqrt(level) * (2 * picture - 1)
        return Tensor(((x.data - signal) / np.sqrt(1 - level)).astype(np.float32))

    found = draw(model, 3, 50, Stream(1))
    assert np.abs(found - picture).max() < 0.02


def test_pictures_move_by_parts_of_a_pixel():
    image = np.zeros((1, 1, 8, 8), np.float32)
    image[0, 0, 3, 3] = 1
    moved = np.concatenate([_shifted(image, Stream(k), 1.0) for k in range(20)])[:, 0]
    np.testing.assert_allclose(moved.sum((1, 2)), 1, rtol=1e-6)
    assert moved[:, 2:5, 2:5].sum() == pytest.approx(20)
    rows = moved.sum(2) @ np.arange(8) - 3
    assert rows.min() < -0.5 < 0.5 < rows.max()
    assert moved.shape == (20, 8, 8)


def test_text_is_split_and_comes_back():
    text = "".join(chr(97 + k % 26) for k in range(1000))
    found = tokenize(text)
    assert "".join(found.symbols[k] for k in (*found.train, *found.test)) == text
    assert (len(found.train), len(found.test)) == (950, 50)
    assert found.unigram_entropy() == pytest.approx(math.log(26), abs=1e-3)
    assert python_reference().unigram_entropy() > 3


def test_characters_outside_ascii_are_characters():
    assert tokenize("naïve ☃ 😀").symbols == " aenvï☃😀"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"", "0 different characters"),
        (b"aaaa", "1 different characters"),
        (b"ab" * 100, "too short for windows"),
    ],
)
def test_texts_that_cannot_be_used(tmp_path, content, message):
    path = tmp_path / "text"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Language(text=str(path))


def test_texts_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read_text(tmp_path / "none")
    with pytest.raises(ValueError, match="not a file"):
        read_text(tmp_path)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    digits.load_pictures.cache_clear()
    with pytest.raises(ValueError, match=r"pip install 'refnum\[tasks\]'"):
        Images()
    Images(data="patterns")  # needs nothing


def test_digits_have_a_fifth_held_out():
    pytest.importorskip("sklearn")
    found = digits.load_pictures("digits")
    assert (len(found.train), len(found.test)) == (1438, 359)
    both = {one.tobytes() for one in found.train} & {
        one.tobytes() for one in found.test
    }
    assert not both
    assert found.train.min() == 0
    assert found.train.max() == 1


def test_diabetes_is_standardised():
    pytest.importorskip("sklearn")
    task = Regression(data="diabetes")
    x, y = task.batch(0, 1, 354)
    np.testing.assert_allclose([x.mean(), y.mean()], 0, atol=1e-6)
    np.testing.assert_allclose([x.std(), y.std()], 1, rtol=1e-5)
    assert 0.3 < task.references()["risk"] < 0.7


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("regression", {"data": "x"}, "'x' is unknown; there are teacher, diabetes"),
        ("regression", {"inputs": 0}, "must be positive"),
        ("regression", {"noise": math.nan}, "noise must be finite"),
        ("images", {"model": "vit", "data": "patterns"}, "there are cnn, mlp"),
        ("images", {"width": 0, "data": "patterns"}, "width must be positive"),
        ("images", {"shift": 2.0, "data": "patterns"}, "shift must be from 0"),
        ("diffusion", {"times": 5, "data": "patterns"}, "times must be an integer"),
        ("language", {"data": "markov", "text": "a"}, "does not go with"),
        ("language", {"model": "rnn"}, "there are gpt2, llama"),
        ("language", {"color": 1}, "language has no color; it has context"),
        ("pde", {"points": 2}, "points is too small"),
        ("pde", {"model": "fno"}, "model must be operator"),
        ("nothing", {}, "unknown task 'nothing'"),
    ],
)
def test_impossible_settings(name, settings, message):
    with pytest.raises(ValueError, match=message):
        get(name, **settings)


def test_all_tasks_are_known_by_name():
    assert {name: kind().name for name, kind in TASKS.items() if name in ("pde",)}
    assert set(TASKS) == {"regression", "images", "diffusion", "language", "pde"}


def test_plans_refuse_the_impossible():
    for changes, message in (
        ({"batch": 0}, "batch must be a positive integer"),
        ({"steps": 2.0}, "steps must be a positive integer"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"learning_rate": math.inf}, "learning_rate must be positive"),
        ({"optimizer": "lion"}, "optimizer must be one of sgd"),
        ({"schedule": "step"}, "schedule must be one of constant"),
        ({"warmup": -1}, "warmup must be an integer"),
        ({"final": 2.0}, "final must be from 0 to 1"),
        ({"beta2": 1.0}, "beta2 must be from 0"),
        ({"weight_decay": -1.0}, "weight_decay must not be negative"),
        ({"clip": 0.0}, "clip must be positive or None"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(PLAN, **changes)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "wsd"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "stable_spam"])
def test_every_optimizer_and_schedule(schedule, optimizer):
    plan = replace(PLAN, steps=6, warmup=50, optimizer=optimizer, schedule=schedule)
    history = train(TINY["regression"], plan=replace(plan, loss_scaling=True))
    assert history.outcome == "finished"
    assert history.steps[0].loss_scale == 1024
    assert history.steps[-1].learning_rate <= plan.learning_rate


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0])
@pytest.mark.parametrize("field", ["viscosity", "time"])
def test_an_equation_needs_positive_numbers(field, value):
    with pytest.raises(ValueError, match=f"{field} must be positive and finite"):
        get("pde", **{field: value})
