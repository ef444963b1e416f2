"""DeepOBS's draws: what they are, and that the three parts are different."""

import numpy as np

from fdl_zoo.datasets import quadratic_deep


def test_the_splits():
    data = quadratic_deep.build()
    assert [len(split) for split in data.splits.values()] == [1000, 1000, 896]
    assert (data.input_shape, data.num_outputs, data.task) == ((100,), 1, "objective")
    for split in data.splits.values():
        assert (split.x.dtype, split.x.shape[1], split.y.shape) == (np.float32, 100, (len(split), 1))
        assert abs(split.x.std() - 0.6) < 0.01
        assert abs(split.x.mean()) < 0.01
        assert not split.y.any()
    first = [split.x[0, 0] for split in data.splits.values()]
    assert len(set(first)) == 3


def test_the_draws_are_fixed():
    """Standard normal numbers 0.49671415 and 0.25739993 begin the streams of the seeds 42 and 43."""
    data = quadratic_deep.build()
    assert data.train.x[0, 0] == np.float32(0.6 * 0.4967141530112327)
    assert data.test.x[0, 0] == np.float32(0.6 * 0.25739993496398)
    assert data.digest() == quadratic_deep.build().digest()
