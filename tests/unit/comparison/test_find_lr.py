"""The range test: what it measures on a bowl whose largest stable rate is known, and what it refuses."""

import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo.comparison.find_lr import diverged_at, find_lr, judged, moving_average
from fdl_zoo.errors import InvalidOption, InvalidSpec, TrainingFailed
from fdl_zoo.models.quadratic import hessian


def test_on_a_bowl_the_loss_diverges_beyond_two_over_the_largest_eigenvalue(tmp_path):
    stable = 2 / np.linalg.eigvalsh(hessian(100, 42)).max()
    said = []
    found = find_lr(
        "quadratic",
        optimizer="sgd",
        batch_size="full",
        settings=["drop_remainder=false"],
        low=1e-4,
        high=1.0,
        steps=200,
        root=tmp_path,
        say=said.append,
        tracking={"enabled": False},
    )
    assert found.diverged
    assert found.suggestion < found.upper
    assert stable / 2 < found.upper < 2 * stable
    assert found.rates[0] == pytest.approx(1e-4)
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e4) / 199)
    model, data = fdl.create_model("quadratic"), fdl.load_dataset("quadratic_deep")
    assert found.losses[0] == pytest.approx(float(np.mean(model(data.train.x))), rel=1e-5)  # before the first step
    assert found.flag == f"--optimizer sgd --lr {found.suggestion:g}"
    run = fdl.find_run(found.name, tmp_path)
    assert run.status == "FINISHED"
    assert run.metrics["suggested_learning_rate"] == found.suggestion
    table = np.genfromtxt(found.figures[1], delimiter=",", names=True)
    np.testing.assert_array_equal(table["learning_rate"], found.rates)
    assert found.figures[0].stat().st_size > 10_000


def test_the_steepest_fall_of_a_curve_is_found():
    rates = np.logspace(-5, 0, 200)
    losses = 1 / (1 + (rates / 1e-3) ** 2) + np.where(rates > 0.3, 50.0, 0.0)
    found = judged("test", rates, losses, 3.0, "sgd")
    assert found.suggestion == pytest.approx(1e-3, rel=0.15)
    assert found.diverged
    assert found.rates[-1] < 0.31


def test_what_shows_no_rate_is_said():
    rates = np.logspace(-5, 0, 100)
    with pytest.raises(TrainingFailed, match="fell at no rate"):
        judged("test", rates, 1 + rates, 3.0, "sgd")
    with pytest.raises(TrainingFailed, match="begin at a smaller rate"):
        judged("test", rates, np.full(100, np.nan), 3.0, "sgd")


def test_few_steps_are_smoothed_less(tmp_path):
    given = {"optimizer": "sgd", "batch_size": "full", "settings": ["drop_remainder=false"], "low": 1e-3, "high": 0.1}
    found = find_lr("quadratic", steps=20, root=tmp_path, say=str, tracking={"enabled": False}, **given)
    assert 10 <= len(found.rates) <= 20


def test_divergence():
    assert diverged_at([2.0, 1.5, 1.0, 1.2]) is None
    assert diverged_at([2.0, 1.0, np.nan]) == 2
    assert diverged_at([2.0, 1.0, 1.0, 100.0]) == 3
    assert moving_average([3.0, 3.0, 3.0], 0.9).tolist() == pytest.approx([3.0, 3.0, 3.0])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"low": 1.0, "high": 0.1}, InvalidOption, "climbs from above 0"),
        ({"steps": 5}, InvalidOption, "steps cannot be 5"),
        ({"smoothing": 0.0}, InvalidOption, "smoothing cannot be 0"),
        ({"smoothing": 5.0, "steps": 20}, InvalidOption, "smoothing cannot be 5"),
        ({"optimizer": "lbfgs"}, InvalidSpec, "lbfgs has no learning rate"),
        ({"strategy": "multiworker", "workers": 2}, InvalidSpec, "find-lr cannot use strategy multiworker"),
    ],
)
def test_what_is_refused(options, error, words, tmp_path):
    with pytest.raises(error, match=words):
        find_lr("quadratic", root=tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_the_climb_begins_at_the_weights_that_a_run_would_start_from(tmp_path):
    quiet = {"data": "digits", "steps": 24, "root": tmp_path, "say": [].append, "tracking": {"enabled": False}}
    trained, fresh = (find_lr("mlp", settings=each, **quiet) for each in (["init_from=digits"], []))
    assert trained.losses[0] < 0.3 < 1.5 < fresh.losses[0]
