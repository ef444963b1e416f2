"""Changes to training images: each against NumPy's own, and a function of seed, epoch and index."""

import numpy as np
import pytest

from fdl_zoo.datasets import _augment, digits
from fdl_zoo.training.batches import Batches

IMAGES = np.random.default_rng(0).random((6, 8, 16, 2), np.float32)


def test_flip_mirrors_left_to_right():
    draws = np.array([[0.1, 0], [0.9, 0]] * 3)
    out = _augment.flip(IMAGES, draws)
    for number, image in enumerate(IMAGES):
        np.testing.assert_array_equal(out[number], np.fliplr(image) if number % 2 == 0 else image)


@pytest.mark.parametrize(("draw", "down", "right"), [((0.5, 0.5), 0, 0), ((0, 0.5), 1, 0), ((0.99, 0.99), -1, -2)])
def test_shift_moves_and_fills_with_zero(draw, down, right):
    out = _augment.shift(IMAGES, np.array([draw] * 6))
    expected = np.roll(IMAGES, (down, right), axis=(1, 2))
    if down:
        expected[:, 0 if down > 0 else -1] = 0
    if right:
        expected[:, :, right:] = 0
    np.testing.assert_array_equal(out, expected)


def test_brightness_adds_one_number_and_stays_in_range():
    out = _augment.brightness(IMAGES, np.array([[0.0, 0], [0.5, 0], [1.0, 0]] * 2))
    for number, change in enumerate([-0.2, 0.0, 0.2] * 2):
        np.testing.assert_allclose(out[number], np.clip(IMAGES[number] + change, 0, 1), atol=1e-6)


def test_only_training_images_change_and_labels_never():
    plain, changed = digits.build(), digits.build(augment=("shift", "brightness"))
    assert changed.validation.digest() == plain.validation.digest()
    assert changed.test.digest() == plain.test.digest()
    images, labels = changed.train.take(np.arange(50))
    assert (images != plain.train.x[:50]).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(labels, plain.train.y[:50])


def test_what_happens_to_an_image_depends_on_seed_epoch_and_index_only():
    train = digits.build(augment=("flip", "shift", "brightness")).train
    together, _ = train.take(np.arange(20), 3)
    for index in (7, 3, 19):
        alone, _ = train.take(np.array([index]), 3)
        np.testing.assert_array_equal(alone[0], together[index])
    assert not np.array_equal(train.take(np.arange(20), 4)[0], together)
    other = digits.build(augment=("flip", "shift", "brightness"), seed=1).train
    assert not np.array_equal(other.take(np.arange(20), 3)[0], together)


def test_batches_ask_for_the_epoch_they_are_in():
    train = digits.build(augment=("brightness",)).train
    batches = Batches(train, 10)
    first = batches[0][0]
    batches.on_epoch_end()
    np.testing.assert_array_equal(first, train.take(np.arange(10), 0)[0])
    np.testing.assert_array_equal(batches[0][0], train.take(np.arange(10), 1)[0])


def test_without_changes_the_set_is_in_memory():
    assert digits.build(augment=()).train.x is not None
