"""The demonstrations on drawable surfaces, each against what mathematics says comes out."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import optimize

from fdl_zoo.analysis import landscapes
from fdl_zoo.analysis.landscapes import by_hand, fields, functions, neuron
from fdl_zoo.analysis.landscapes.batches import batch_sizes, follow
from fdl_zoo.analysis.landscapes.conditioning import tuned, valley
from fdl_zoo.analysis.landscapes.descent import Path, descend
from fdl_zoo.errors import InvalidOption


def drawn(found):
    """The figure and its numbers, which are there and are a picture and a table."""
    with Image.open(found.files[0]) as picture:
        assert min(picture.size) > 500
        assert np.asarray(picture.convert("L")).std() > 5
    return found.files[1].read_text()


# ---- functions and paths --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", landscapes.LANDSCAPES)
def test_a_function_is_least_where_it_says(name):
    surface = landscapes.LANDSCAPES[name]

    def value(point):
        return float(surface.value(tf.constant(point, tf.float64)))

    for minimum in surface.minima:
        assert value(minimum) == pytest.approx(surface.lowest, abs=1e-12)
        near = optimize.minimize(value, np.add(minimum, 0.05), method="Nelder-Mead", options={"xatol": 1e-8})
        np.testing.assert_allclose(near.x, minimum, atol=1e-3)
    x, y, values = surface.grid(7)
    assert values.shape == (7, 7)
    assert values[2, 5] == pytest.approx(value((x[5], y[2])))
    assert values.min() >= surface.lowest


def test_scipy_knows_rosenbrock():
    points = np.random.default_rng(0).normal(size=(5, 2))
    values = landscapes.LANDSCAPES["rosenbrock"].value(tf.constant(points))
    np.testing.assert_allclose(values, [optimize.rosen(point) for point in points])


def test_a_path_is_the_optimizers_formula():
    surface = functions.bowl(10.0)
    hessian = functions.bowl_hessian(10.0, math.pi / 6)
    path = descend(surface, {"name": "momentum", "learning_rate": 0.05, "momentum": 0.7}, 30)
    theta, v = np.array(surface.start), np.zeros(2)
    for point, loss in zip(path.points, path.losses, strict=True):
        np.testing.assert_allclose(point, theta, atol=1e-7)  # Keras holds the rate in float32
        assert loss == pytest.approx(0.5 * point @ hessian @ point)
        v = 0.7 * v - 0.05 * hessian @ theta
        theta = theta + v


def test_evaluations_are_counted_from_one():
    path = Path(np.zeros((3, 2)), np.array([3.0, 2.0, 1.0]))
    assert [path.evaluations_to(loss) for loss in (3.0, 2.5, 1.0, 0.5)] == [1, 2, 3, None]


@pytest.mark.parametrize("name", landscapes.LANDSCAPES)
def test_paths_are_a_figure_a_table_and_an_animation(name, tmp_path):
    chosen = {
        "gradient descent": {"name": "sgd", "learning_rate": 0.001},
        "Adam": {"name": "adam", "learning_rate": 0.1},
    }
    found = landscapes.draw_paths(name, tmp_path, optimizers=chosen, steps=12)
    assert [path.name for path in found.files] == [f"{name}.png", f"{name}.csv", f"{name}.gif"]
    assert len(drawn(found).splitlines()) == 1 + 2 * 12
    frames = []
    with Image.open(found.files[2]) as animation:
        for index in range(animation.n_frames):
            animation.seek(index)
            frames.append(np.asarray(animation.convert("L"), float))
    assert len(frames) >= 8
    assert np.abs(frames[-1] - frames[0]).max() > 50  # something moves


def test_an_unknown_function_is_refused(tmp_path):
    with pytest.raises(InvalidOption, match="it is one of bowl, rosenbrock, beale, saddle"):
        landscapes.draw_paths("hill", tmp_path)


# ---- the valley -----------------------------------------------------------------------------------------------------


def test_conjugate_gradient_and_bfgs_need_a_tenth_of_gradient_descents_evaluations(tmp_path):
    found = valley(tmp_path, conditions=(10.0, 100.0))
    assert len(drawn(found).splitlines()) == 1 + 8
    columns = found.numbers
    cells = zip(*columns.values(), strict=True)
    counts = {(optimizer, condition): count for condition, optimizer, count in cells}
    descent = counts["gradient descent", 100.0]
    for optimizer in ("conjugate gradient", "BFGS"):
        assert counts[optimizer, 100.0] * 10 <= descent
    assert counts["momentum", 100.0] * 5 < descent
    # The loss falls by the square of the rate that theory gives for the distance.
    assert descent == pytest.approx(math.log(1e-10) / (2 * math.log(99 / 101)), rel=0.02)
    assert descent / counts["gradient descent", 10.0] == pytest.approx(10, rel=0.1)
    assert counts["momentum", 100.0] / counts["momentum", 10.0] < 4


def test_the_best_fixed_rate_of_gradient_descent_is_the_best():
    surface, rate = functions.bowl(50.0), tuned(50.0)["gradient descent"]["learning_rate"]
    losses = [descend(surface, {"name": "sgd", "learning_rate": rate * f}, 200).losses[-1] for f in (0.9, 1, 1.03)]
    assert losses[1] < min(losses[0], losses[2])


# ---- batches --------------------------------------------------------------------------------------------------------


def test_the_full_batch_stays_in_the_saddle_and_small_ones_leave_it(tmp_path):
    found = batch_sizes(tmp_path)
    drawn(found)
    one, hundred, full = (found.numbers[size] for size in ("1", "100", "1000"))
    assert full["left_the_ridge_at_step"] is None
    assert full["final_error"] == pytest.approx(0.0, abs=1e-9)  # the saddle's
    assert one["left_the_ridge_at_step"] < hundred["left_the_ridge_at_step"]
    assert hundred["final_error"] == pytest.approx(-0.25, abs=0.01)  # a minimum's
    # Deviation of the mean of n gradients falls as 1/sqrt(n).
    assert 5 < one["scatter"] / hundred["scatter"] < 20
    assert json.loads(found.files[1].read_text())["1000"]["left_the_ridge_at_step"] is None


def test_an_epoch_of_any_batch_size_has_no_noise_on_the_whole():
    offsets = np.random.default_rng(0).normal(size=(100, 2))
    offsets -= offsets.mean(axis=0)
    for batch, steps in ((1, 100), (10, 10), (100, 1)):
        path = follow(lambda point: np.zeros(2), (1.0, 2.0), offsets, batch, 0.5, steps, seed=3)
        np.testing.assert_allclose(path[-1], [1.0, 2.0], atol=1e-12)


# ---- effective rates ------------------------------------------------------------------------------------------------


def test_adagrads_rate_only_falls_and_rmsprops_recovers(tmp_path):
    found = landscapes.effective_rates(tmp_path, steps=200, flat_from=100)
    assert len(drawn(found).splitlines()) == 201
    adagrad, rmsprop = found.numbers["adagrad"], found.numbers["rmsprop"]
    steps = np.arange(1, 101)
    np.testing.assert_allclose(adagrad[:100], 0.1 / (1e-7 + np.sqrt(steps)), rtol=1e-6)
    np.testing.assert_allclose(rmsprop[:100], 0.1 / (1e-6 + np.sqrt(1 - 0.9**steps)), rtol=1e-6)
    assert (np.diff(adagrad) < 0).all()
    assert rmsprop[-1] == pytest.approx(0.1 / 0.01, rel=0.15)


# ---- the linear neuron ----------------------------------------------------------------------------------------------


def test_the_bowl_is_that_of_least_squares(tmp_path):
    found = landscapes.linear_neuron(tmp_path, steps=60)
    drawn(found)
    x, t = neuron.two_weights()
    solution = np.linalg.lstsq(x, t, rcond=None)[0]
    np.testing.assert_allclose(found.numbers["solution"], solution)
    np.testing.assert_allclose(found.numbers["path"][-1], solution, atol=1e-6)
    errors = found.numbers["errors"]
    assert (np.diff(errors) <= 1e-9).all()
    assert errors[-1] == pytest.approx(0.5 * ((t - x @ solution) ** 2).sum())


def test_contours_are_ellipses_and_steps_leave_them_at_right_angles(tmp_path):
    numbers = landscapes.linear_neuron(tmp_path).numbers
    x, t = neuron.two_weights()
    lowest = neuron.error(x, t, numbers["solution"])
    for eigenvalue, axis in zip(numbers["eigenvalues"], numbers["axes"].T, strict=True):
        for sign in (1, -1):  # all four ends of an ellipse's axes are on one contour
            end = numbers["solution"] + sign * axis * np.sqrt(2 * 7.0 / eigenvalue)
            assert neuron.error(x, t, end) == pytest.approx(lowest + 7.0)
    step = numbers["path"][1] - numbers["path"][0]
    across = np.array([-step[1], step[0]]) * 1e-6
    here = numbers["path"][0]
    change = neuron.error(x, t, here + across) - neuron.error(x, t, here - across)
    along = neuron.error(x, t, here + step * 1e-6) - neuron.error(x, t, here - step * 1e-6)
    assert abs(change) < 1e-4 * abs(along)


# ---- critical points ------------------------------------------------------------------------------------------------


def test_the_share_of_saddles_is_what_is_known_in_one_two_and_three_dimensions():
    known = {1: 0.0, 2: 0.5, 3: (29 + 6 * math.sqrt(6)) / 58}
    for dimension, share in known.items():
        found = fields.share_of_saddles(dimension, samples=100_000)
        assert abs(found["saddles"] - share) <= 4 * found["standard_error"] + 1e-12
        assert found["standard_error"] < 0.005


@pytest.mark.parametrize("seed", range(3))
def test_a_torus_has_as_many_saddles_as_extrema(seed):
    counts = {name: len(points) for name, points in fields.critical_points_of(fields.random_field(seed)).items()}
    assert counts["saddles"] == counts["minima"] + counts["maxima"] > 0


def test_saddles_take_over_as_dimensions_grow(tmp_path):
    found = landscapes.critical_points(tmp_path, dimensions=(1, 2, 3, 4, 6), samples=20_000)
    drawn(found)
    saddles, minima = np.array(found.numbers["saddles"]), np.array(found.numbers["minima"])
    assert (np.diff(saddles) > 0).all()
    np.testing.assert_allclose(minima, (1 - saddles) / 2, atol=0.02)  # as many minima as maxima
    assert (minima[1:] / minima[:-1] < 0.65).all()  # exponentially rarer


# ---- backpropagation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_backpropagation_by_hand_is_gradient_tapes(seed):
    random = np.random.default_rng(seed)
    layers = by_hand.network(seed)
    x, targets = random.normal(size=(20, 12)), random.integers(0, 5, 20)
    for hand, tape in zip(by_hand.backward(layers, x, targets), by_hand.by_tape(layers, x, targets), strict=True):
        for derivative, expected in zip(hand, tape, strict=True):
            assert derivative.shape == expected.shape
            assert by_hand.difference(derivative, expected) < 1e-12


@pytest.mark.parametrize("activation", by_hand.ACTIVATIONS)
def test_the_derivative_of_an_activation_is_that_of_its_function(activation):
    function, derivative = by_hand.ACTIVATIONS[activation]
    z = np.array([-2.0, -0.3, 0.4, 3.0])
    numeric = (function(z + 1e-6) - function(z - 1e-6)) / 2e-6
    np.testing.assert_allclose(derivative(z, function(z)), numeric, atol=1e-8)


def test_backpropagation_is_drawn_beside_differences_of_the_loss(tmp_path):
    found = landscapes.backpropagation(tmp_path)
    drawn(found)
    assert max(found.numbers["by_layer"]) < 1e-12
    assert min(found.numbers["by_differences"]) < 1e-8
