"""Curvature: against NumPy on the dense Hessian, against formulas, and against what gradient descent does."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import fdl_zoo as fdl
from fdl_zoo.analysis import curvature as module
from fdl_zoo.analysis.lanczos import Ritz
from fdl_zoo.analysis.objective import Objective
from fdl_zoo.cli import run as command
from fdl_zoo.cli.curvature import _summary
from fdl_zoo.data import Split
from fdl_zoo.errors import InvalidOption
from fdl_zoo.models import convnet, lstm, mlp
from tests.unit.analysis.conftest import QUIET


def dense_hessian(objective):
    """By TensorFlow's own Jacobian of the gradient, over the whole split at once."""
    model, variables = objective.model, objective.variables
    with tf.GradientTape(persistent=True) as outer:
        with tf.GradientTape() as inner:
            logits = model(objective._x, training=False)
            loss = model.compute_loss(x=objective._x, y=objective._y, y_pred=logits, training=False)
        gradients = inner.gradient(loss, variables)
        gradient = tf.concat([tf.reshape(each, [-1]) for each in gradients], 0)
    blocks = outer.jacobian(gradient, variables, unconnected_gradients="zero", experimental_use_pfor=False)
    return np.hstack([block.numpy().reshape(objective.size, -1) for block in blocks])


def classifier(build, **options):
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(0)
    split = Split(random.standard_normal((60, 8, 8, 1)).astype(np.float32), random.integers(0, 3, 60))
    model = build((8, 8, 1), 3, **options)
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return Objective(model, split)


def sequence_model():
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(0)
    split = Split(random.standard_normal((20, 4, 2)).astype(np.float32), random.standard_normal((20, 1)))
    model = lstm.build((4, 2), 1, units=3)
    model.compile(loss="mean_squared_error")
    return Objective(model, split)


CASES = {
    "mlp": lambda: classifier(mlp.build, units=(3,), l2=1e-3),
    "convnet": lambda: classifier(convnet.build, filters=(2,), kernel_size=3, units=6, dropout=0.5),
    "lstm": sequence_model,
}


@pytest.mark.parametrize("name", ["mlp", *(pytest.param(name, marks=pytest.mark.slow) for name in ("convnet", "lstm"))])
def test_the_extreme_eigenvalues_are_numpys_on_the_dense_hessian(name):
    objective = CASES[name]()
    assert objective.size <= 2000
    expected = np.linalg.eigvalsh(dense_hessian(objective))
    scale = abs(expected).max()
    exact = module.examined(objective, objective.start)
    estimate = module.examined(objective, objective.start, module._Settings(exact=0))
    for found in (exact, estimate):
        assert abs(found["largest_eigenvalue"] - expected[-1]) < 1e-6 * scale
        assert abs(found["smallest_eigenvalue"] - expected[0]) < 1e-6 * scale
        assert found["eigenvalue_error"] < 1e-6 * scale
        assert found["point"] == "saddle"
    assert exact["trace"] == pytest.approx(expected.sum(), rel=1e-9)
    assert abs(estimate["trace"] - expected.sum()) < 4 * estimate["trace_standard_error"]
    assert exact["negative_share"] * objective.size == pytest.approx(np.sum(expected < -1e-6 * scale))
    counted = abs(expected)[abs(expected) > 1e-9 * scale]
    assert exact["eigenvalues_below"] == len(expected) - len(counted)
    assert exact["condition_number"] == pytest.approx(scale / counted.min(), rel=1e-4)
    assert estimate["condition_number"] <= scale / abs(expected).min() * (1 + 1e-9)


def full_batch(rate, root, epochs=5):
    optimizer = {"name": "sgd", "learning_rate": rate}
    options = {"batch_size": "full", "epochs": epochs, "seed": 0, "root": root}
    return fdl.train("linear", data="diabetes", optimizer=optimizer, **options, **QUIET)


@pytest.fixture(scope="module")
def linear_curvature(linear_run):
    return fdl.curvature(linear_run)


def test_the_curvature_of_a_linear_neuron_is_that_of_the_formula(linear_curvature):
    x = fdl.load_dataset("diabetes").train.x.astype(np.float64)
    columns = np.hstack([x, np.ones((len(x), 1))])
    expected = np.linalg.eigvalsh(2 * columns.T @ columns / len(x))
    found = linear_curvature
    assert found.exact
    assert found.largest_eigenvalue == pytest.approx(expected[-1], rel=1e-12)
    assert found.condition_number == pytest.approx(expected[-1] / expected[0], rel=1e-9)
    assert found.eigenvalues_below == 0
    assert found.negative_share == 0
    assert found.point == "minimum"
    np.testing.assert_allclose(
        found.taylor["predicted_loss"], found.taylor["loss"], rtol=1e-12
    )  # a parabola is its own
    assert found.taylor["loss"][-1] > found.taylor["loss"][0] > found.taylor["loss"][13]


def test_gradient_descent_converges_below_the_stable_rate_and_diverges_above(linear_curvature, inside_root):
    below, above = (full_batch(factor * linear_curvature.stable_learning_rate, inside_root) for factor in (0.95, 1.05))
    assert below.history["loss"][-1] < below.history["loss"][0]
    assert below.history["loss"][-1] < 4000  # least squares: about 2900
    assert above.history["loss"][-1] > 100 * above.history["loss"][0]
    assert linear_curvature.learning_rate == pytest.approx(0.05)


def test_the_angle_is_that_between_descent_and_the_final_parameters(linear_run, linear_curvature):
    data = fdl.load_dataset("diabetes")
    x = np.hstack([data.train.x.astype(np.float64), np.ones((len(data.train), 1))])
    final = np.concatenate([each.ravel() for each in linear_run.model.get_weights()])
    descent = x.T @ data.train.y.ravel()  # weights start at zero
    cosine = descent @ final / np.linalg.norm(descent) / np.linalg.norm(final)
    assert linear_curvature.gradient_angle_degrees == pytest.approx(np.degrees(np.arccos(cosine)), rel=1e-6)
    assert len(linear_curvature.angles["step"]) == 3  # the start and two of three epochs; the third is the end


def test_taylor_follows_the_loss_of_a_network_near_the_point_and_leaves_it_further_on(mlp_run):
    found = fdl.curvature(mlp_run, at="initial", examples=200, steps=20, probes=1)
    gap = abs(found.taylor["predicted_loss"] - found.taylor["loss"])
    gain = found.taylor["loss"][0] - found.taylor["loss"].min()
    assert gap[1] < 0.01 * gain < gap[-1]
    assert not found.exact
    assert found.eigenvalues_below is None
    assert all(file.is_file() for file in found.files)
    assert {file.name for file in found.files} >= {"spectrum_initial.png", "taylor_initial.csv", "angle.csv"}


@pytest.mark.parametrize(
    ("smallest", "largest", "expected"),
    [(-1, 2, "saddle"), (0, 2, "minimum"), (-1e-7, 2, "minimum"), (-2, 0, "maximum"), (0, 0, "flat")],
)
def test_a_point_is_named_by_the_signs_of_its_eigenvalues(smallest, largest, expected):
    assert module.kind(smallest, largest) == expected


def test_a_condition_number_leaves_out_what_is_flat():
    assert module.condition_number(np.array([-4.0, 1e-12, 0.0, 2.0])) == (2.0, 2)
    assert np.isnan(module.condition_number(np.zeros(3))[0])
    exact = Ritz(np.array([-4.0, 2.0]), np.full(2, 0.5), np.zeros(2))
    assert module.least_condition_number(exact) == 2.0


@pytest.mark.parametrize("options", [{"steps": 1}, {"probes": 0}, {"examples": 0}, {"at": "middle"}, {"seed": -1}])
def test_a_wrong_option_is_refused(linear_run, options):
    with pytest.raises(InvalidOption, match=f"{next(iter(options))} cannot be"):
        fdl.curvature(linear_run, **options)


def test_the_command_prints_stable_keys(linear_run, linear_curvature, inside_root, monkeypatch, capsys):
    monkeypatch.chdir(inside_root)
    (inside_root / "mlruns").symlink_to(inside_root)
    try:
        assert command(["curvature", linear_run.name, "--json"]) == 0
    finally:
        (inside_root / "mlruns").unlink()
    printed = json.loads(capsys.readouterr().out)
    assert {"largest_eigenvalue", "smallest_eigenvalue", "trace", "condition_number", "point"} <= printed.keys()
    assert printed["stable_learning_rate"] == pytest.approx(2 / printed["largest_eigenvalue"])
    text = _summary(linear_curvature)
    assert "gradient descent is stable up to" in text
    assert "the run's own is 0.05" in text
