"""All sets that need no network: cards are true, splits never overlap and are fixed by the seed, units are stated."""

import importlib

import numpy as np
import pytest
from scipy.spatial import cKDTree
from sklearn import datasets as sklearn_datasets

from fdl_zoo.data_checks import check

PINNED = {
    "adding": "ac243e3fbdabf2f8da96f00bb68bd2e8b94e6cda82e4ae175092df7af7476075",
    "breast_cancer": "0e24a4bb9a7016be7fd0199b93f8f30d93f6f886c029258e15b02d65e57d537b",
    "diabetes": "be69ed7f03a845f9b146d4d2c3d9abff46ed1c1630623469083bb5b57c51464d",
    "digits_rows": "5692359fcbc20bb86213b1cdf486dfa3e260fde3039b843dc586a8cbf0175f22",
    "iris": "3f2694c982a176c340b975907db1cdb8412cfc74e126d324fb723b2da3bde729",
    "temporal_order": "0b1d2133d6a37094d5e44eeaa793093746816612577e04e0c8093ab2adc8531c",
    "two_spirals": "8dd9f143a1a0e7e9d2fb103083cdd0d21c4c8ae9cee191037751b6592476c473",
    "wine": "6b718f92c860a79ed053dc40c46ec8d480daf6ad42946589b98b1bce6faa814a",
}
TABLES = ("breast_cancer", "diabetes", "iris", "wine")


def module(name):
    return importlib.import_module(f"fdl_zoo.datasets.{name}")


@pytest.mark.parametrize("name", PINNED)
def test_a_seed_fixes_the_set(name):
    assert module(name).build().digest() == module(name).build(seed=0).digest() == PINNED[name]
    assert module(name).build(seed=1).digest() != PINNED[name]


@pytest.mark.parametrize("name", PINNED)
def test_the_card_is_true(name):
    card, data = module(name).CARD, module(name).build()
    assert (data.input_shape, data.num_outputs, data.task) == (card.input_shape, card.num_outputs, card.task)
    for split in data.splits.values():
        assert split.x.shape[1:] == card.input_shape
        assert split.x.dtype == np.float32
    check(data, name)
    assert len(data.class_names) == {"classification": data.num_outputs, "binary": 2, "regression": 0}[data.task]


@pytest.mark.parametrize("name", TABLES)
def test_every_example_of_scikit_learn_is_in_exactly_one_split(name):
    data = module(name).build()
    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(sklearn_datasets, f"load_{name}")(**options)
    ours = np.concatenate([split.x for split in data.splits.values()]) * data.normalization.scale
    ours = np.column_stack(
        [ours + data.normalization.mean, np.concatenate([s.y.ravel() for s in data.splits.values()])]
    )
    theirs = np.column_stack([bunch.data, bunch.target])
    deviation = theirs.std(axis=0)
    distance, match = cKDTree(theirs / deviation).query(ours / deviation)
    assert len(ours) == len(theirs)
    assert distance.max() < 1e-4
    assert len(np.unique(match)) == len(np.unique(theirs, axis=0))  # iris has one flower twice


@pytest.mark.parametrize("name", TABLES)
def test_normalization_is_fitted_on_the_training_split_alone(name):
    data = module(name).build()
    np.testing.assert_allclose(data.train.x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data.train.x.std(axis=0), 1, atol=1e-5)
    assert np.abs(data.test.x.mean(axis=0)).max() > 0.01


def test_digits_rows_are_the_images_of_digits():
    rows, images = module("digits_rows").build(), module("digits").build()
    for name in rows.splits:
        np.testing.assert_array_equal(rows.splits[name].x, images.splits[name].x[..., 0])


@pytest.mark.parametrize("length", [2, 10, 101])
def test_adding_asks_for_the_sum_of_the_two_marked_numbers(length):
    data = module("adding").build(length=length, examples=200)
    assert data.input_shape == (length, 2)
    marks = data.train.x[..., 1]
    assert (marks[:, : length // 2].sum(axis=1) == 1).all()
    assert (marks[:, length // 2 :].sum(axis=1) == 1).all()
    np.testing.assert_allclose(data.train.y[:, 0], (data.train.x[..., 0] * marks).sum(axis=1), rtol=1e-6)


def test_always_answering_one_in_the_adding_problem_costs_a_sixth():
    y = module("adding").build().train.y
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=0.01)


@pytest.mark.parametrize("length", [10, 20, 57])
def test_temporal_order_asks_for_the_ordered_pair(length):
    data = module("temporal_order").build(length=length, examples=200)
    symbols = data.train.x.argmax(axis=2)
    assert (data.train.x.sum(axis=2) == 1).all()
    for sequence, label in zip(symbols, data.train.y, strict=True):
        places = np.flatnonzero(sequence >= 4)
        assert data.class_names[label] == "".join("XY"[symbol - 4] for symbol in sequence[places])
        assert len(places) == 2
        assert 0.1 * length - 1 < places[0] < 0.2 * length
        assert 0.5 * length - 1 < places[1] < 0.6 * length


def test_the_two_spirals_are_not_linearly_separable_but_separable():
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    data = module("two_spirals").build()
    line = LogisticRegression().fit(data.train.x, data.train.y).score(data.test.x, data.test.y)
    near = KNeighborsClassifier(3).fit(data.train.x, data.train.y).score(data.test.x, data.test.y)
    assert line < 0.75
    assert near > 0.95
