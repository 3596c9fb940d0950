"""Studies: what a file asks for, and what it may not."""

import re
from pathlib import Path

import pytest

from refnum.studies import Design, grid, read_study, sample, save_study
from refnum.studies.configuration import Configuration

from ._studies import SETTING, tiny, write_tiny

DOCS = Path(__file__).resolve().parents[2] / "docs" / "studies"


def test_a_grid_is_a_product_with_a_baseline_for_each_seed():
    study = tiny()
    assert [(c.design is None, c.seed) for c in study.configurations[:2]] == [
        (True, 0),
        (True, 1),
    ]
    designs = [c.design for c in study.configurations if c.design]
    assert len(designs) == 2 * 2 * 2
    assert len(set(designs)) == 4


def test_lists_of_a_task_are_expanded():
    study = tiny(steps=[4, 8], inputs=[16, 32])
    labels = dict.fromkeys(c.setting.label for c in study.configurations)
    assert list(labels) == [
        f"regression inputs={i} steps={s}" for i in (16, 32) for s in (4, 8)
    ]


def test_fields_that_go_together():
    found = grid(
        {"pair": [{"scale": "ue8m0", "block": 32}, {"scale": "ue4m3", "block": 16}]}
    )
    assert [(d.scale, d.block) for d in found.designs] == [("ue8m0", 32), ("ue4m3", 16)]


def test_what_is_no_recipe_is_left_out_and_said():
    found = grid({"tiles": [True, False], "rotation": ["none", "all"]})
    assert len(found.designs) == 3
    assert len(found.refused) == 1
    assert "codes" in found.refused[0]


def test_equal_designs_are_taken_once():
    found = grid({"rotation": ["none", "wgrad"], "rotation_size": [16, 64]})
    assert len(found.designs) == 3
    assert found.repeated == 1


def test_samples_are_different_and_repeat():
    axes = {
        "scale": ["ue8m0", "ue4m3", "ue5m3"],
        "block": [8, 16, 32],
        "stochastic": ["none", "dy", "all"],
        "tensor_scale": [True, False],
    }
    found = sample(axes, 20, seed=1)
    assert len(set(found.designs)) == 20
    assert sample(axes, 20, seed=1) == found
    assert sample(axes, 20, seed=2).designs != found.designs
    assert len(sample(axes, 1000, seed=1).designs) == 54  # all there are


def test_an_id_depends_on_all_that_decides_the_result():
    one = Configuration(SETTING, Design(), 0)
    assert re.fullmatch("[0-9a-f]{16}", one.id)
    others = [
        Configuration(SETTING, None, 0),
        Configuration(SETTING, Design(block=16), 0),
        Configuration(SETTING, Design(), 1),
        Configuration(SETTING, Design(), 0, "reproducible"),
        next(c for c in tiny(steps=13).configurations if c.design == Design(block=16)),
    ]
    assert len({one.id, *(other.id for other in others)}) == 6
    assert Configuration(SETTING, Design(random_bits=3), 0, reports=2).id == one.id


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "tiny"', "nome = 1", "'nome' is unknown"),
        ("seeds = 2", "seeds = 0", "seeds is 0"),
        ("seeds = 2", "seeds = [1, 1]", "seeds is"),
        ("seeds = 2", 'numerics = "exact"', "reproducible"),
        ("seeds = 2", "reports = -1", "reports is -1"),
        ('task = "regression"', 'task = "poetry"', "language"),
        ("inputs = 16", "inputz = 16", "inputz"),
        ("inputs = 16", "inputs = 0", "positive"),
        ("steps = 12", "steps = 0", "steps must be"),
        ('stochastic = ["none", "dy"]', "stochastic = []", "has no values"),
        ('stochastic = ["none", "dy"]', 'stochastik = ["dy"]', "stochastik"),
        ('stochastic = ["none", "dy"]', 'tasks = ["poetry"]', "regression"),
        ("[[grid]]", "[[sample]]", "count is None"),
        ("[[grid]]", "[cost]", "cost: format"),
        ("[[grid]]", "[[claims]]", "a claim"),
        ("[[grid]]", "[[grid]", "no TOML"),
    ],
)
def test_bad_studies(tmp_path, old, new, said):
    path = write_tiny(tmp_path / "bad.toml")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        read_study(path)
    assert str(path) in str(error.value)


def test_a_study_without_designs(tmp_path):
    path = write_tiny(tmp_path / "bad.toml")
    path.write_text(path.read_text().split("[[grid]]")[0])
    with pytest.raises(ValueError, match="no grid and no sample"):
        read_study(path)


def test_a_copy_stands_beside_the_results(tmp_path):
    path = write_tiny(tmp_path / "tiny.toml")
    save_study(path, tmp_path / "deep" / "out")
    assert (tmp_path / "deep" / "out" / "study.toml").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["subset", "design-space"])
def test_the_studies_of_the_documentation(name):
    pytest.importorskip("sklearn")
    study = read_study(DOCS / f"{name}.toml")
    assert len({c.id for c in study.configurations}) == len(study.configurations)
    assert study.claims
    if name == "design-space":
        designs = {c.design for c in study.configurations}
        tasks = {c.setting.task for c in study.configurations}
        assert len(designs) > 1000
        assert tasks == {"regression", "images", "diffusion", "language"}
