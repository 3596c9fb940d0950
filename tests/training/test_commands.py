"""The commands train and plot: what they print, draw and refuse."""

import json
import struct
import sys
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

from refnum.cli import main
from refnum.training import read_history
from refnum.training.curves import smoothed, text_curves
from refnum.training.drawing import curves_svg, grid, png, text_picture

TINY = ["train", "regression", "--set", "inputs=16", "--set", "outputs=4"]
TINY += ["--batch", "8", "--steps", "30"]
MARKOV = ["train", "language", "--data", "markov", "--steps", "6", "--batch", "4"]
MARKOV += [f"--set={k}" for k in ("width=32", "heads=2", "layers=1", "context=8")]


@pytest.fixture
def folder(tmp_path, capsys):
    assert main([*TINY, "--quiet", "--out", str(tmp_path / "one")]) == 0
    capsys.readouterr()
    return tmp_path / "one"


def test_train_prints_the_end_and_shows_the_way(capsys):
    assert main(TINY) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("regression linear teacher: finished after 30 steps")
    assert "risk known beforehand 0.25" in captured.out
    assert captured.err.startswith("step 1/30  loss ")
    assert main([*TINY, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_train_json(capsys):
    assert main([*TINY, "--quiet", "--json", "--seed", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["outcome"], found["steps"]) == ("finished", 30)
    assert found["settings"]["seed"] == 3
    assert found["settings"]["numerics"] == "reproducible"
    assert found["references"] == {"risk": 0.25}


def test_train_with_a_recipe_writes_samples(tmp_path, capsys):
    out = tmp_path / "run"
    options = ["--recipe", "nvfp4", "--model", "llama", "--quiet", "--out", str(out)]
    assert main([*MARKOV, *options]) == 0
    assert capsys.readouterr().out.startswith("language llama markov nvfp4: finished")
    words = (out / "samples.txt").read_text().split()
    assert len(words) == 60
    assert set(words) <= set(map(str, range(16)))
    assert main([*MARKOV, *options, "--resume"]) == 0
    assert main([*MARKOV, *options[2:], "--resume"]) == 2
    assert "recipe was 'nvfp4', not None" in capsys.readouterr().err


def test_train_says_that_it_diverged(capsys):
    wild = ["--optimizer", "sgd", "--learning-rate", "1e9", "--quiet"]
    assert main([*TINY, *wild]) == 1
    captured = capsys.readouterr()
    assert "diverged after" in captured.out
    assert captured.err.startswith("refnum: the run diverged: the ")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "imags"], "unknown task 'imags'; there are images"),
        (["train", "language", "--text", "nowhere.txt"], "nowhere.txt: no such file"),
        (["train", "pde", "--set", "points"], "NAME=VALUE is wanted"),
        (["train", "pde", "--set", "color=3"], "pde has no color"),
        (["train", "pde", "--data", "x"], "pde has no data"),
        (["train", "pde", "--set", "viscosity=-1"], "viscosity must be positive"),
        (
            ["train", "pde", "--set", "viscosity=nan"],
            "viscosity of pde must be a number",
        ),
        (
            ["train", "language", "--set", "width=1e9"],
            "width of language must be an int",
        ),
        (
            ["train", "language", "--set", "heads=many"],
            "heads of language must be an int",
        ),
        (["train", "pde", "--steps", "0"], "steps must be a positive integer, not 0"),
        (["train", "pde", "--batch", "-3"], "batch must be a positive integer"),
        (["train", "pde", "--resume"], "resume needs the folder"),
        ([*TINY, "--recipe", "nvfp9"], "unknown recipe 'nvfp9'"),
        ([*TINY, "--seed", "-1"], "seed"),
        (["plot", "nowhere"], "nowhere"),
    ],
)
def test_wrong_usage_gives_one_line_and_status_2(arguments, message, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("refnum: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_without_scikit_learn_train_says_what_to_install(monkeypatch, capsys):
    from refnum.training.tasks import digits

    monkeypatch.setitem(sys.modules, "sklearn", None)
    digits.load_pictures.cache_clear()
    assert main(["train", "images"]) == 2
    assert "pip install 'refnum[tasks]'" in capsys.readouterr().err


def test_plot_draws_pictures(folder, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    other = tmp_path / "two"
    assert main([*TINY, "--quiet", "--seed", "1", "--out", str(other)]) == 0
    capsys.readouterr()
    assert main(["plot", str(folder), str(other)]) == 0
    path = folder / "curves.png"
    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_bytes().startswith(b"\x89PNG")
    assert main(["plot", str(folder), "--out", str(tmp_path / "a.svg")]) == 0
    assert "<svg" in (tmp_path / "a.svg").read_text()
    capsys.readouterr()
    assert main(["plot", str(folder), "--out", str(tmp_path / "a.gif")]) == 2
    assert "ends in .png, .svg or .pdf" in capsys.readouterr().err


def test_plot_without_matplotlib_draws_text(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["plot", str(folder)]) == 0
    captured = capsys.readouterr()
    assert "matplotlib is not installed" in captured.err
    assert captured.out.startswith("training loss\n")
    assert "* one" in captured.out


def test_plot_json(folder, capsys):
    assert main(["plot", str(folder), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["steps"] == 30
    assert found["loss"] == read_history(folder).losses[-1]


def test_plot_shows_samples(tmp_path, capsys):
    assert main([*MARKOV, "--quiet", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["plot", str(tmp_path), "--text", "--samples"]) == 0
    assert (tmp_path / "samples.txt").read_text() in capsys.readouterr().out


def test_a_png_holds_the_pixels():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    data = png(image)
    assert struct.unpack(">II", data[16:24]) == (4, 3)
    start = data.index(b"IDAT")
    (size,) = struct.unpack(">I", data[start - 4 : start])
    rows = zlib.decompress(data[start + 4 : start + 4 + size])
    assert rows == b"".join(b"\0" + row.tobytes() for row in image)
    assert data.endswith(b"IEND" + struct.pack(">I", zlib.crc32(b"IEND")))


def test_a_png_reads_back():
    image = pytest.importorskip("matplotlib.image")
    import io

    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    found = image.imread(io.BytesIO(png(pixels)))
    assert (np.rint(found * 255) == pixels).all()


def test_a_grid_shows_every_picture():
    images = np.arange(5, dtype=np.uint8)[:, None, None] + np.zeros((5, 2, 2), np.uint8)
    whole = grid(images)
    assert whole.shape == (7, 10)
    assert (np.bincount(whole.ravel(), minlength=6)[1:5] == 4).all()


def test_curves_and_pictures_as_text():
    text = text_curves("loss", [("a", [1.0, 2.0], [3.0, float("nan")])])
    assert text.splitlines()[0] == "loss"
    assert text.count("*") == 2  # the point, and the key
    assert text_curves("loss", [("a", [], [])]) == "loss: nothing to draw"
    assert smoothed([2.0, 4.0], 5) == [2.0, 3.0]
    assert text_picture(np.array([[0, 255], [255, 0]], np.uint8)) == "  @@\n@@"


def test_curves_as_svg_are_xml():
    x = np.linspace(-1, 1, 20, dtype=np.float32)[None].repeat(3, 0)
    tree = ElementTree.fromstring(curves_svg({"begin": x, "end": x * 0}))
    lines = [one for one in tree.iter() if one.tag.endswith("polyline")]
    assert len(lines) == 6
