"""A state in a file: of many replicas each has its own again, and only a state is something to go on from."""

import numpy as np

from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.training.checkpoints import Checkpoints, State


def test_each_of_many_replicas_has_its_own_value_again(tmp_path):
    values = [[np.array([10 * variable + replica]) for replica in range(12)] for variable in range(3)]
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(State(1, 0, 5, callbacks=[["watch", {"best": 0.5}]], variables=values, metrics=values[:1]))
    found = checkpoints.newest(print)
    assert (found.epoch, found.iterations, found.callbacks) == (1, 5, [["watch", {"best": 0.5}]])
    np.testing.assert_array_equal(found.variables, values)
    np.testing.assert_array_equal(found.metrics, values[:1])


def test_the_best_alone_is_no_state_to_go_on_from(tmp_path):
    folder = RunFolder.create("run", spec="", facts={}, root=tmp_path)
    checkpoints = Checkpoints(folder.checkpoints)
    checkpoints.write(State(1, 0, 5), {"best"})
    assert not folder.has_state
    assert checkpoints.newest(print) is None
    checkpoints.write(State(2, 0, 10))
    assert folder.has_state
