"""The points lie where they should, a line cannot tell the arms apart, and fdl_zoo's laws of datasets hold."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

import fdl_zoo as fdl
from fdl_zoo.testing import conformance


@conformance("datasets", origin="fdl-spirals3d")
def test_conformance(name, check):
    check(name)


def everything(data):
    x, y = zip(*((split.x, split.y) for split in data.splits.values()), strict=True)
    return np.concatenate(x), np.concatenate(y)


@pytest.mark.parametrize(("arms", "turns"), [(2, 0.5), (3, 1.0), (5, 2.0)])
def test_turned_back_by_its_height_each_arm_is_a_plane_strip(arms, turns):
    x, y = everything(fdl.load_dataset("spirals3d", arms=arms, turns=turns, noise=0.0))
    turned = (x[:, 0] + 1j * x[:, 1]) * np.exp(-1j * np.pi * turns * x[:, 2])
    expected = np.exp(2j * np.pi * y / arms)
    np.testing.assert_allclose(turned / np.abs(turned), expected, atol=1e-5)
    assert 0.5 <= np.abs(turned).min() <= np.abs(turned).max() <= 1 + 1e-6
    assert np.ptp(np.bincount(y)) <= 1


def test_noise_is_of_the_given_size():
    clean, noisy = (everything(fdl.load_dataset("spirals3d", noise=noise, examples=6000))[0] for noise in (0.0, 0.1))
    assert np.std(noisy - clean) == pytest.approx(0.1, rel=0.05)


def test_neighbours_tell_the_arms_apart_and_a_plane_does_not():
    data = fdl.load_dataset("spirals3d", turns=2.0)
    scores = [
        model.fit(data.train.x, data.train.y).score(data.test.x, data.test.y)
        for model in (LogisticRegression(), KNeighborsClassifier(5))
    ]
    assert scores[0] < 0.6
    assert scores[1] > 0.95
