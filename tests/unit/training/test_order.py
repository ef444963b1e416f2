"""`reshuffle=false`: the first epoch's order again and again."""

import numpy as np

from fdl_zoo.data import Split
from fdl_zoo.training.batches import Batches


def orders(reshuffle, epochs=3):
    split = Split(np.arange(50), np.arange(50))
    batches = Batches(split, 8, seed=4, drop_remainder=True, reshuffle=reshuffle)
    for epoch in range(epochs):
        batches.go_to(epoch)
        yield np.concatenate([batches.indices(step) for step in range(len(batches))])


def test_without_reshuffling_every_epoch_has_the_first_ones_batches():
    first, second, third = orders(reshuffle=False)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)
    np.testing.assert_array_equal(first, next(orders(reshuffle=True)))


def test_with_it_each_has_its_own():
    first, second, _ = orders(reshuffle=True)
    assert (first != second).any()
