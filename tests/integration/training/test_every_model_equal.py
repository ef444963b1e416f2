"""Every model by the engine: bit-equal to plain Keras on one device; in float64 equal across XLA and two replicas."""

import contextlib

import keras
import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo import catalogue
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve
from fdl_zoo.training.batches import epoch_order
from fdl_zoo.training.build import build_model
from tests.integration.training.test_every_model import BOOK_SIZED

EXAMPLES, BATCH = 53, 20  # the last batch has 13, which two replicas share unevenly
NAMES = [name for name in catalogue.models.names(origin="fdl_zoo") if name not in BOOK_SIZED]

pytestmark = pytest.mark.slow


class Ordered(keras.utils.PyDataset):
    """The batches of our first epoch, for plain `fit`."""

    def __init__(self, x, y):
        super().__init__()
        self.batches = [(x[rows], y[rows]) for rows in np.split(epoch_order(len(x), 0, 0), range(BATCH, len(x), BATCH))]

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


@pytest.fixture(scope="module")
def load():
    """The first examples of a dataset, and what a model needs to know of it; each is loaded once."""
    known = {}

    def load(reference):
        key = repr(reference)
        if key not in known:
            known[key] = fdl.load_dataset(reference.name, **reference.options)
        data = known[key]
        return data, data.train.x[:EXAMPLES].astype(keras.config.floatx()), data.train.y[:EXAMPLES]

    return load


def trained(name, load, *, chance=True, jit=False, scope=None, plain=False):
    """The weights after an epoch of the model's first recipe.

    Args:
        name: The model.
        load: Loads data.
        chance: Whether there is dropout, where the model has any.
        jit: Whether XLA compiles the step.
        scope: Of a strategy.
        plain: Whether Keras's own `fit` trains.
    """
    settings = [] if chance or "dropout" not in catalogue.models.find(name).options else ["model.dropout=0.0"]
    spec = resolve(make_layers(model=name, settings=[*settings, f"jit={str(jit).lower()}"])).spec
    data, x, y = load(spec.data)
    keras.utils.set_random_seed(0)
    with scope or contextlib.nullcontext():
        model = build_model(spec, data)
    feed = Ordered(x, y) if plain else fdl.accelerate(model, x, y, batch_size=BATCH, jit=jit, block=2)
    model.fit(feed, verbose=0, shuffle=False)
    return model.get_weights()


@pytest.mark.parametrize("name", NAMES)
def test_the_engine_is_bit_equal_to_plain_fit(name, load):
    for ours, plain in zip(trained(name, load), trained(name, load, plain=True), strict=True):
        np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize("name", NAMES)
def test_neither_xla_nor_a_second_replica_changes_the_weights_float64(name, load, float64, two_replicas):
    expected = trained(name, load, chance=False)
    by_xla = trained(name, load, chance=False, jit=True)
    on_two = trained(name, load, chance=False, scope=two_replicas.scope())
    for one, compiled, shared in zip(expected, by_xla, on_two, strict=True):
        np.testing.assert_allclose(compiled, one, rtol=0, atol=1e-10)
        np.testing.assert_allclose(shared, one, rtol=0, atol=1e-10)
