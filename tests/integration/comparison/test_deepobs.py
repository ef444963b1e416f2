"""What DeepOBS published about its noisy quadratic, from `fdl compare`: rates chosen by validation, then five seeds."""

import pytest

import fdl_zoo as fdl

# Test loss after 100 epochs, mean and standard deviation over ten seeds, and the learning rate that was best of its
# grid. Its runs see their batches in one order again and again, which `reshuffle=false` does.
PUBLISHED = {
    "momentum (momentum 0.99)": (87.05, 0.03, 0.00251),
    "adam": (87.11, 0.03, 0.0398),
    "sgd": (87.40, 0.17, 0.0158),
}


@pytest.mark.slow
def test_momentum_comes_before_adam_before_sgd_at_the_published_rates(tmp_path):
    found = fdl.compare(
        "quadratic",
        vary=["optimizer=sgd,{name: momentum, momentum: 0.99},adam", "seed=0..4"],
        learning_rates="2.51188643e-3..3.99e-2:log5",
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
        assert (row.seeds, row.failed, row.rates_tried) == (5, 0, 7)
        assert abs(row.metrics["test_loss"][0] - mean) <= 2 * spread
    momentum, adam, sgd = (row.metrics["test_loss"] for row in found.rows)
    assert momentum[0] + 0.03 < adam[0]
    assert adam[0] + 0.03 < sgd[0]
    assert sgd[1] > 2 * momentum[1]
