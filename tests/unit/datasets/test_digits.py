"""digits: scikit-learn's images, cut into splits that never overlap and that a seed fixes."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from fdl_zoo.datasets import digits

PINNED = "6b39bad6f89bd7ceea2644cc8fdb21ae57ef54cf55364545df61fbe7d749146f"


def test_every_image_is_in_exactly_one_split():
    data = digits.build()
    parts = np.concatenate([split.x for split in data.splits.values()])
    ours = sorted(
        image.tobytes() + bytes([label])
        for image, label in zip(
            (parts * 16).astype(np.uint8), np.concatenate([split.y for split in data.splits.values()]), strict=True
        )
    )
    bunch = load_digits()
    theirs = sorted(
        image.astype(np.uint8).tobytes() + bytes([label])
        for image, label in zip(bunch.images, bunch.target, strict=True)
    )
    assert ours == theirs
    assert [len(split) for split in data.splits.values()] == [1437, 180, 180]


def test_shapes_units_and_names_are_those_of_the_card():
    data = digits.build()
    assert data.train.x.shape[1:] == data.input_shape == digits.CARD.input_shape
    assert data.train.x.dtype == np.float32
    assert (data.train.x.min(), data.train.x.max()) == (0, 1)
    assert (data.num_outputs, data.task, data.class_names) == (10, "classification", tuple("0123456789"))
    np.testing.assert_array_equal(data.normalization(np.full((8, 8, 1), 16)), np.ones((8, 8, 1)))


def test_a_seed_fixes_the_splits():
    assert digits.build().digest() == digits.build(seed=0).digest() == PINNED
    assert digits.build(seed=1).digest() != PINNED


def test_enlarged_images_repeat_each_pixel():
    plain, large = digits.build(), digits.build(enlarge=3)
    assert large.input_shape == (24, 24, 1)
    np.testing.assert_array_equal(large.test.x, np.kron(plain.test.x[..., 0], np.ones((1, 3, 3)))[..., None])


@pytest.mark.parametrize("part", ["validation", "test"])
def test_every_class_is_in_the_small_splits(part):
    assert set(digits.build().splits[part].y) == set(range(10))
