"""Statistics of a comparison against values that can be worked out by hand."""

import math

import numpy as np
import pytest

from fdl_zoo.comparison.child import Child
from fdl_zoo.comparison.statistics import (
    band,
    best_child,
    convergence_target,
    cost_to,
    make_row,
    mean_and_spread,
    performance_profile,
    ranked,
)


def child(values, *, setting="sgd", rate=0.1, seed=0, status="FINISHED", second=1.0, test=None):
    count = len(values)
    return Child(
        setting,
        rate,
        seed,
        name=f"{setting}-{seed}",
        status=status,
        epochs=tuple(range(1, count + 1)),
        values=tuple(values),
        steps=tuple(10 * (each + 1) for each in range(count)),
        seconds=tuple(second * (each + 1) for each in range(count)),
        metrics={} if test is None else {"test_loss": test},
    )


def test_mean_and_spread_are_those_of_a_sample():
    assert mean_and_spread([1.0, 2.0, 4.0]) == (pytest.approx(7 / 3), pytest.approx(np.std([1, 2, 4], ddof=1)))
    assert mean_and_spread([3.0])[0] == 3.0
    assert math.isnan(mean_and_spread([3.0])[1])
    assert math.isnan(mean_and_spread([])[0])


def test_the_best_child_is_that_of_the_best_final_value_and_never_a_diverged_one():
    tried = [
        child([2, 1.0], rate=0.01),
        child([2, 0.5], rate=0.1),
        child([2, math.nan], rate=1.0),
        child([2, 0.1], rate=10.0, status="FAILED"),
    ]
    assert best_child(tried, "val_loss").learning_rate == 0.1
    assert best_child(tried, "val_accuracy").learning_rate == 0.01
    assert best_child(tried[2:], "val_loss") is None


def test_the_target_is_moré_and_wilds():
    runs = [child([10.0, 2.0, 1.0]), child([8.0, 4.0, 3.0]), child([6.0, 5.0, 5.0])]
    assert convergence_target(runs, "val_loss") == pytest.approx(1.0 + 0.1 * (8.0 - 1.0))
    accuracies = [child([0.2, 0.9]), child([0.4, 0.8])]
    assert convergence_target(accuracies, "val_accuracy") == pytest.approx(0.9 + 0.1 * (0.3 - 0.9))


def test_the_target_of_runs_that_overfit_is_near_the_best_that_they_reached():
    assert convergence_target([child([0.5, 0.3, 0.6, 0.9])], "val_loss") == pytest.approx(0.3 + 0.1 * (0.5 - 0.3))


def test_the_cost_is_that_of_the_first_epoch_at_the_target():
    run = child([5.0, 2.0, 3.0, 1.0], second=0.5)
    assert cost_to(2.0, run, "val_loss") == (1.0, 20.0)
    assert cost_to(0.5, run, "val_loss") is None
    assert cost_to(3.0, child([1.0, 4.0]), "val_accuracy") == (2.0, 20.0)


def test_a_row_counts_what_failed_and_what_reached_the_target():
    runs = [
        child([3, 1.0], test=1.2),
        child([3, 2.0], seed=1, test=1.4),
        child([], seed=2, status="FAILED"),
    ]
    tried = [child([3, 1.0], rate=0.1), child([3, 2.5], rate=0.01), child([], rate=1.0, status="FAILED")]
    row = make_row("sgd", runs, tried, 1.5, "val_loss")
    assert (row.seeds, row.failed, row.reached) == (2, 1, 1)
    assert (row.value, row.value_spread) == (1.5, pytest.approx(math.sqrt(0.5)))
    assert row.metrics["test_loss"] == (pytest.approx(1.3), pytest.approx(math.sqrt(0.02)))
    assert (row.seconds_to_target, row.steps_to_target) == (2.0, 20.0)
    assert (row.rates_tried, row.rates_reached, row.rate_at_edge) == (3, 1, False)
    assert make_row("sgd", runs, tried[:2], 1.5, "val_loss").rate_at_edge


def test_settings_are_ranked_by_the_test_metric_and_those_that_failed_come_last():
    groups = {
        "a": [child([1.0], test=3.0)],
        "b": [child([2.0], test=2.0)],
        "c": [child([], status="FAILED")],
    }
    rows = [make_row(name, runs, (), 1.0, "val_loss") for name, runs in groups.items()]
    assert [row.setting for row in ranked(rows, "val_loss")] == ["b", "a", "c"]


def test_performance_profiles_are_dolan_and_morés():
    profiles = performance_profile({"a": [1.0, 2.0, math.inf, math.inf], "b": [2.0, 1.0, 3.0, math.inf]})
    factors, shares = profiles["a"]
    assert (factors.tolist(), shares.tolist()) == ([1.0, 2.0], [0.25, 0.5])
    factors, shares = profiles["b"]
    assert (factors.tolist(), shares.tolist()) == ([1.0, 2.0], [0.5, 0.75])


def test_a_band_goes_as_far_as_every_curve():
    places, mean, low, high = band([((1, 2, 3), (4.0, 2.0, 0.0)), ((3, 4), (6.0, 4.0))])
    assert places.tolist() == [2.0, 3.0]
    assert (mean.tolist(), low.tolist(), high.tolist()) == ([5.0, 3.0], [4.0, 2.0], [6.0, 4.0])
