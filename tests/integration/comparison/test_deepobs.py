"""What DeepOBS published about its noisy quadratic, from `fdl compare`: rates chosen by validation, then five seeds."""

import pytest

import fdl_zoo as fdl

# Test loss after 100 epochs, mean and standard deviation over ten seeds, and the learning rate that was best of its
# grid. Its runs see their batches in one order again and again, which `reshuffle=false` does.
PUBLISHED = {
    "momentum (momentum 0.99)": (87.05, 0.02, 0.00251),
    "adam": (87.11, 0.02, 0.0398),
    "sgd": (87.40, 0.16, 0.0158),
}


@pytest.mark.long
def test_momentum_comes_before_adam_before_sgd_at_the_published_rates(tmp_path):
    found = fdl.compare(
        "quadratic",
        vary=["optimizer=sgd,{name: momentum, momentum: 0.99},adam", "seed=0..4"],
        learning_rates="1.58489319e-3..6.4e-2:log5",  # a step further than the best rates at either end
        settings=["reshuffle=false"],
        tracking={"enabled": False},
        root=tmp_path,
        jobs=2,
        say=lambda text: None,
    )
    assert [row.setting for row in found.rows] == list(PUBLISHED)
    for row in found.rows:
        mean, spread, rate = PUBLISHED[row.setting]
        assert row.learning_rate == pytest.approx(rate, rel=0.01)
        assert (row.seeds, row.failed, row.rates_tried) == (5, 0, 9)
        assert not row.rate_at_edge
        assert abs(row.metrics["test_loss"][0] - mean) <= 2 * spread
    momentum, adam, sgd = (row.metrics["test_loss"] for row in found.rows)
    assert momentum[0] + 0.03 < adam[0]
    assert adam[0] + 0.03 < sgd[0]
    assert sgd[1] > 2 * momentum[1]
