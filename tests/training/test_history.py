"""The log: what is written reads back to the same bits, and damage is named."""

import json
import math

import numpy as np
import pytest

from refnum.training import Evaluation, History, Step, read_history
from refnum.training.divergence import divergence
from refnum.training.log import LOG, log_lines


def history(**changes):
    steps = [
        Step(1, float(np.float32(0.1)), 1e-3, 2.5),
        Step(2, math.inf, 1e-3, math.nan, 1024.0, True, 0.125),
        Step(3, 5e-324, 3e-4, 0.5),
    ]
    found = [Evaluation(2, {"loss": 1 / 3, "accuracy": 0.75})]
    facts = {"settings": {"task": "t", "model": "m", "seed": 1}, "steps": steps}
    facts |= {"references": {"entropy": math.pi}, "evaluations": found}
    return History(**facts | changes)


def write(folder, text):
    path = folder / LOG
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_come_back_to_the_same_bits(tmp_path):
    one = history()
    path = write(tmp_path, "".join(log_lines(one)))
    for place in (path, tmp_path, str(tmp_path)):
        two = read_history(place)
        assert repr(two) == repr(one)
    for line in path.read_text().splitlines():  # strict JSON, NaN as a string
        json.loads(line, parse_constant=pytest.fail)


def test_evaluations_stand_after_their_step():
    kinds = [next(iter(json.loads(line))) for line in log_lines(history())]
    assert kinds == ["run", "step", "step", "evaluation", "step"]


def test_curves():
    one = history()
    assert one.curve("accuracy") == ([2], [0.75])
    assert one.curve("none") == ([], [])
    assert one.last() == {"loss": 1 / 3, "accuracy": 0.75}
    assert one.losses.tolist()[0] == float(np.float32(0.1))
    assert one.name == "t m"
    assert json.dumps(one.to_dict(), allow_nan=False)


def test_a_line_that_was_cut_short_is_left_out(tmp_path):
    text = "".join(log_lines(history()))
    write(tmp_path, text[:-20])
    assert len(read_history(tmp_path).steps) == 2


HEAD = log_lines(history(steps=[], evaluations=[]))[0]
DAMAGED = {
    "empty": ("", "line 1 is no JSON"),
    "binary": ("\0\0\0\n", "line 1 is no JSON"),
    "no run": ('{"step": {}}\n', "does not begin with a run"),
    "another form": ('{"run": {"form": 9}}\n', "its form is 9"),
    "no settings": ('{"run": {"form": 1}}\n', "settings"),
    "a number": (HEAD + "3\n", "line 2 is no event"),
    "two": (HEAD + '{"step": {}, "evaluation": {}}\n', "line 2 is no event"),
    "fields": (HEAD + '{"step": {"step": 1}}\n', "unknown event 'step'"),
    "unknown": (HEAD + '{"other": {}}\n', "unknown event 'other'"),
    "a word": (HEAD + '{"evaluation": {"step": 1, "values": {"a": "b"}}}\n', "'b'"),
    "outcome": (HEAD + '{"outcome": {"outcome": "x", "reason": ""}}\n', "unknown"),
    "in between": (HEAD + "{\n" + HEAD, "line 2 is no JSON"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_logs_are_refused_in_one_line(tmp_path, kind):
    text, message = DAMAGED[kind]
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        read_history(path)
    assert str(caught.value).startswith(f"{path}: not the log of a run: ")
    assert "\n" not in str(caught.value)


def test_where_there_is_no_run(tmp_path):
    with pytest.raises(ValueError, match="no run here"):
        read_history(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_history(tmp_path / "none")


def steps_of(losses, **changes):
    return [Step(k, loss, 0.1, 1.0, **changes) for k, loss in enumerate(losses, 1)]


def test_divergence():
    assert divergence([]) == ""
    assert divergence(steps_of([1.0] * 5 + [3.9] * 10)) == ""
    assert "exploded" in divergence(steps_of([1.0] * 5 + [4.1] * 10))
    assert divergence(steps_of([1.0, math.inf])) == "the loss is inf"
    assert divergence([Step(1, 1.0, 0.1, math.inf, skipped=True)]) == ""
    assert divergence([Step(1, 1.0, 0.1, math.inf)]).endswith("gradients is inf")
