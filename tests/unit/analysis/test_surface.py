"""The error surface: the line and planes of a run, against its own checkpoints and by hand."""

import csv
import json
import math
import subprocess
import sys

import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo.analysis import surface as module
from fdl_zoo.cli import run as command
from fdl_zoo.errors import InvalidData, InvalidOption, UnknownName
from fdl_zoo.models import convnet
from tests.unit.analysis.conftest import QUIET


@pytest.fixture(scope="module")
def line(mlp_run):
    return fdl.surface(mlp_run, points=21)


def test_the_line_ends_where_training_did(line, mlp_run):
    data = fdl.load_dataset("digits")
    final = float(mlp_run.model.evaluate(data.validation.x, data.validation.y, verbose=0)[0])
    assert line.validation_loss[np.flatnonzero(line.alpha == 1)[0]] == pytest.approx(final, rel=1e-5)
    assert line.alpha[[0, -1]].tolist() == [-0.5, 1.5]
    assert line.initial_loss == pytest.approx(math.log(10), abs=0.5)  # ten classes, guessed


def test_from_start_to_solution_the_mlp_meets_no_bump(line):
    """Chapter 4 and Goodfellow et al. (2015), for plain gradient descent."""
    assert line.as_dict()["largest_bump_share"] < 0.01


@pytest.mark.slow
def test_from_start_to_solution_the_network_of_the_book_meets_no_bump(inside_root):
    """The recipe of `mlp` with plain gradient descent, at every point that `fdl surface` looks at by default."""
    run = fdl.train("mlp", data="digits", optimizer="sgd", seed=0, root=inside_root, **QUIET)
    assert run.metrics["test_accuracy"] > 0.9
    assert fdl.surface(run).as_dict()["largest_bump_share"] < 0.01


def test_its_figure_and_its_numbers_are_in_the_runs_artifacts(line, mlp_run):
    picture, numbers = line.files
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert numbers.parent == mlp_run.path / "artifacts" / "surface"
    rows = list(csv.DictReader(numbers.read_text().splitlines()))
    assert [float(row["train_loss"]) for row in rows] == line.train_loss.tolist()


def test_a_random_plane_has_the_solution_in_its_middle(mlp_run, line):
    found = fdl.surface(mlp_run, points=2, plane="random", resolution=3).plane
    final = line.train_loss[np.flatnonzero(line.alpha == 1)[0]]
    assert found.train_loss[1, 1] == pytest.approx(final, rel=1e-12)
    assert found.train_loss.argmin() == 4
    np.testing.assert_allclose(found.path[-1], 0, atol=1e-12)


def test_the_plane_of_the_path_holds_more_of_it_than_a_random_one(mlp_run):
    path, random = (fdl.surface(mlp_run, points=2, plane=kind, resolution=2).plane for kind in ("path", "random"))
    assert path.path_share > 0.9
    assert random.path_share < 0.1
    assert path.path_steps == (0, *(45 * epoch for epoch in range(1, 7)))  # 1437 examples in batches of 32


@pytest.mark.slow
def test_a_plane_through_three_runs_meets_their_losses(mlp_run, inside_root):
    others = [
        fdl.train({"name": "mlp", "units": [32, 32]}, data="digits", epochs=1, seed=seed, root=inside_root, **QUIET)
        for seed in (1, 2)
    ]
    found = fdl.surface(mlp_run, through=others, points=2, resolution=7).plane
    assert list(found.labels.values()) == [(0, 0), (1, 0), (0, 1)]
    data = fdl.load_dataset("digits")
    at = np.argmin(abs(found.x - 1)), np.argmin(abs(found.y))
    expected = others[0].model.evaluate(data.train.x, data.train.y, verbose=0)[0]
    assert found.x[at[0]] == pytest.approx(1)
    assert found.train_loss[at[1], at[0]] == pytest.approx(expected, rel=1e-5)


def test_a_bump_is_the_largest_rise_above_the_least_so_far():
    alpha = np.array([-0.5, 0, 0.25, 0.5, 0.75, 1, 1.5])
    loss = np.array([9, 5, 3, 4, 2, 2.5, 90])
    assert module.largest_bump(alpha, loss) == (1.0, 0.5)
    assert module.largest_bump(alpha, -alpha)[0] == 0


def test_zero_and_one_are_on_the_line():
    assert module.places(-0.5, 1.5, 4).tolist() == pytest.approx([-0.5, 0, 1 / 6, 5 / 6, 1, 1.5])
    assert module.places(0, 1, 3).tolist() == [0, 0.5, 1]
    assert module.places(0.2, 0.4, 2).tolist() == [0.2, 0.4]


def test_each_filter_of_a_random_direction_is_as_long_as_the_weights_own():
    model = convnet.build((8, 8, 1), 3, filters=(2, 3), kernel_size=3, units=5)
    weights = [variable.numpy() for variable in model.trainable_variables]
    direction = module.filter_normalised(np.random.default_rng(0), weights)
    start = 0
    for weight in weights:
        part = direction[start : start + weight.size].reshape(weight.shape)
        start += weight.size
        if weight.ndim == 1:
            assert not part.any()
        else:
            lengths = [np.linalg.norm(each.reshape(-1, each.shape[-1]), axis=0) for each in (part, weight)]
            np.testing.assert_allclose(*lengths, rtol=1e-6)
    assert start == direction.size


def test_projection_onto_directions_that_are_not_square_to_each_other():
    directions = [np.array([1.0, 0, 0]), np.array([1.0, 1, 0])]
    coordinates, share = module.projected(np.array([[3.0, 2, 0], [1.0, 0, 1]]), np.zeros(3), directions)
    np.testing.assert_allclose(coordinates, [[1, 2], [1, 0]], atol=1e-14)
    assert share == pytest.approx((13 + 1) / (13 + 2))


@pytest.mark.slow
def test_statistics_of_batch_norm_stay_positive_beyond_the_solution(inside_root):
    model = {"name": "convnet_bn", "filters": [2], "units": 8}
    run = fdl.train(model, data="digits", epochs=1, seed=0, root=inside_root, **QUIET)
    found = fdl.surface(run, points=5)
    assert np.isfinite([found.train_loss, found.validation_loss]).all()
    data = fdl.load_dataset("digits")
    expected = run.model.evaluate(data.validation.x, data.validation.y, verbose=0)[0]
    assert found.validation_loss[np.flatnonzero(found.alpha == 1)[0]] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 2.0}, "alpha cannot go from 2 to 1.5"),
        ({"points": 1}, "at least 2"),
        ({"extent": 0.0}, "greater than 0"),
        ({"extent": float("nan")}, "extent cannot be nan"),
        ({"points": 10**20}, "at most 1,000,000 losses"),
        ({"resolution": 10**4}, "at most 1,000,000 losses"),
        ({"plane": "flat"}, "random or path"),
        ({"through": ["last"]}, "two further runs"),
    ],
)
def test_a_wrong_option_is_refused_in_a_sentence(mlp_run, options, message):
    with pytest.raises(InvalidOption, match=message):
        fdl.surface(mlp_run, **options)


def test_runs_of_other_models_share_no_plane(mlp_run, linear_run):
    with pytest.raises(InvalidData, match="other shapes"):
        fdl.surface(mlp_run, through=[linear_run, linear_run], points=2)


def test_a_run_that_is_not_there(inside_root):
    with pytest.raises(UnknownName):
        fdl.surface("no-such-run", root=inside_root)


def test_the_command_prints_stable_keys(mlp_run, inside_root, monkeypatch, capsys):
    monkeypatch.chdir(inside_root.parent)
    (inside_root.parent / "mlruns").symlink_to(inside_root)
    assert command(["surface", mlp_run.name, "--points", "3", "--alpha", "0..1", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["alpha"] == [0.0, 0.5, 1.0]
    assert {"train_loss", "validation_loss", "largest_bump", "largest_bump_share", "files"} <= printed.keys()
    assert command(["surface", mlp_run.name, "--alpha", "wide"]) == 2
    assert "FROM..TO" in capsys.readouterr().err


IN_A_PROCESS = """
import json, sys
from fdl_zoo.cli import run
status = run(json.loads(sys.argv[1]))
print(json.dumps([status, sorted({"tensorflow", "keras", "mlflow", "matplotlib", "sklearn"} & set(sys.modules))]))
"""


@pytest.mark.parametrize("name", ["surface", "curvature", "features"])
def test_a_wrong_run_is_told_before_tensorflow_loads(name, tmp_path):
    arguments = [sys.executable, "-c", IN_A_PROCESS, json.dumps([name, "no-such-run"])]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert json.loads(done.stdout) == [2, []], done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_the_bowl_of_a_quadratic_is_a_parabola_on_every_line(inside_root):
    """In a process of its own, which must find the objective's loss by itself."""
    run = fdl.train("quadratic", epochs=2, seed=0, root=inside_root, **QUIET)
    code = f"""
import json, fdl_zoo as fdl
found = fdl.surface({run.name!r}, points=9, root={str(inside_root)!r})
print(json.dumps([found.alpha.tolist(), found.train_loss.tolist()]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    alpha, loss = map(np.array, json.loads(done.stdout.splitlines()[-1]))
    np.testing.assert_allclose(np.polyval(np.polyfit(alpha, loss, 2), alpha), loss, rtol=1e-10)


def test_a_run_that_kept_no_initial_weights_says_so(inside_root):
    run = fdl.train("linear", data="diabetes", epochs=1, seed=0, root=inside_root, **QUIET)
    for file in (run.path / "weight_path").iterdir():
        file.unlink()
    with pytest.raises(InvalidData, match="has not kept its initial weights"):
        fdl.surface(run)
