"""A full batch that does not fit in memory at once is cut, and gives what the whole one would."""

import contextlib
import functools

import keras
import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo.data import Split
from fdl_zoo.errors import InvalidData
from fdl_zoo.training import choice, resume
from fdl_zoo.training.progress import Silent

pytestmark = pytest.mark.usefixtures("undrawn", "float64")

EXAMPLES, EPOCHS, STEPS = 50, 2, 3


class OnDisk(Split):
    """A split that has no arrays."""

    def __init__(self, x, y):
        self._arrays = x, y

    def __len__(self):
        return len(self._arrays[0])

    def take(self, indices, epoch=0):
        return tuple(array[indices] for array in self._arrays)


class Said(Silent):
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def fitted(optimizer, parts, *, jit=False, strategy=None, on_disk=False):
    """Weights and history after the epochs of a network with a penalty, the full batch cut into some parts."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(EXAMPLES, 6)), random.integers(0, 3, EXAMPLES)
    keras.utils.set_random_seed(0)
    with strategy.scope() if strategy else contextlib.nullcontext():
        layers = [keras.layers.Dense(5, "tanh", kernel_regularizer="l2"), keras.layers.Dense(3)]
        model = keras.Sequential([keras.Input((6,)), *layers])
        options = {"gradient_accumulation_steps": parts} if parts > 1 else {}
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(fdl.create_optimizer(optimizer, **options), loss, metrics=["accuracy"])
    split = OnDisk(x, y) if on_disk else Split(x, y)
    feed = fdl.accelerate(model, split, batch_size="full", steps=STEPS, jit=jit)
    assert feed.num_batches == STEPS * parts
    return model.get_weights(), model.fit(feed, epochs=EPOCHS, verbose=0).history


@functools.cache
def fitted_whole(optimizer):
    return fitted(optimizer, 1)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("parts", [2, 3, 7])
def test_micro_batches_of_any_size_give_what_the_whole_batch_gives(optimizer, parts):
    weights, history = fitted_whole(optimizer)
    others, other_history = fitted(optimizer, parts)
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(history[name], other_history[name], rtol=1e-12)


@pytest.mark.parametrize("way", ["jit", "on_disk", "strategy"])
def test_so_they_do_with_xla_from_disk_and_on_two_replicas(way, two_replicas):
    weights, history = fitted_whole("adam")
    others, other_history = fitted("adam", 3, **{way: two_replicas if way == "strategy" else True})
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(history[name], other_history[name], rtol=1e-12)


def test_a_full_batch_is_not_cut_into_more_than_it_has():
    with pytest.raises(InvalidData, match="50 examples cannot be cut into 51"):
        fitted("adam", 51)


def test_a_run_cuts_what_does_not_fit_says_so_and_repeats_it_where_memory_is_another(tmp_path, monkeypatch):
    same = {"optimizer": "lbfgs", "epochs": 2, "precision": "float64", "settings": ["tracking.enabled=false"]}
    whole = fdl.train("logistic_regression", root=tmp_path / "whole", progress=Silent(), **same)
    assert whole.folder.facts["chosen"]["micro_batches"] == 1
    needed = 1437 * choice.activation_bytes(whole.model)
    monkeypatch.setattr(choice, "_free_bytes", lambda: needed)  # of which a half may be used, and 1,437 is odd
    said = Said()
    run = fdl.train("logistic_regression", root=tmp_path, progress=said, **same)
    assert (
        "the full batch of 1,437 examples is cut into 2 of at most 719, over which the optimizer accumulates"
        in said.lines
    )
    assert run.folder.facts["chosen"]["micro_batches"] == 2
    assert run.model.optimizer.evaluations == whole.model.optimizer.evaluations == 40
    for one, other in zip(whole.model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9)
    assert run.metrics["test_accuracy"] == whole.metrics["test_accuracy"]
    monkeypatch.undo()
    assert resume.as_chosen(run.folder).optimizer.options["gradient_accumulation_steps"] == 2
    again = fdl.rerun(run.name, root=tmp_path, progress=Silent())
    assert again.difference.equal
