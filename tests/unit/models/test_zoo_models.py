"""All models: the cards' parameter counts, shapes and refusals, for entries and their variants."""

import importlib

import keras
import numpy as np
import pytest

from fdl_zoo.errors import InvalidData, InvalidOption
from fdl_zoo.models import _layers

FILES = ("alexnet", "convnet", "linear", "logistic_regression", "lstm", "mlp", "perceptron", "rnn", "vgg")
BOOK = {
    "linear": 10 + 1,
    "perceptron": 30 + 1,
    "logistic_regression": 7_850,
    "mlp": 269_322,
    "convnet": 3_274_634,
    "alexnet": 60_965_224,
    "vgg": 138_357_544,
    "vgg16": 138_357_544,
    "vgg11": 132_863_336,
}
LARGE = ("alexnet", "vgg", "vgg11", "vgg16")


def entries():
    """Name, module, card and options of every entry and every variant."""
    for file in FILES:
        module = importlib.import_module(f"fdl_zoo.models.{file}")
        yield file, module, module.CARD, {}
        for name in module.CARD.variants:
            yield name, module, module.CARD.variant(name), module.CARD.variant_options(name)


ENTRIES = {name: rest for name, *rest in entries()}
SMALL = [name for name in ENTRIES if name not in LARGE]


def built(name):
    module, card, options = ENTRIES[name]
    return module.build(card.input_shape, card.num_outputs, **options)


def test_the_variants_of_the_book_are_there():
    assert {"convnet_bn", "alexnet_small", "vgg11", "vgg16", "vgg_small", "gru", "bilstm"} < set(ENTRIES)


@pytest.mark.parametrize("name", SMALL)
def test_the_card_states_the_number_of_parameters(name):
    assert built(name).count_params() == ENTRIES[name][1].num_params == BOOK.get(name, ENTRIES[name][1].num_params)


@pytest.mark.parametrize("name", LARGE)
def test_the_card_of_a_large_model_states_the_number_of_the_paper(name, monkeypatch):
    monkeypatch.setattr(_layers, "initializer", lambda _: "zeros")  # half a gigabyte of random numbers takes seconds
    assert built(name).count_params() == ENTRIES[name][1].num_params == BOOK[name]


@pytest.mark.parametrize("name", SMALL)
def test_outputs_have_the_stated_shape_and_every_weight_a_gradient(name):
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    model, card = built(name), ENTRIES[name][1]
    x = np.random.default_rng(0).normal(size=(4, *card.input_shape)).astype(np.float32)
    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        loss = keras.ops.sum(keras.ops.square(outputs - np.arange(4 * card.num_outputs).reshape(4, -1)))
    assert outputs.shape == (4, card.num_outputs)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert float(keras.ops.max(keras.ops.abs(gradient))) > 0, variable.path


@pytest.mark.parametrize("name", SMALL)
def test_layers_have_names_of_their_own(name):
    model = built(name)
    assert model.layers[0].name == "input"
    assert not [layer.name for layer in model.layers if layer.name.startswith(("dense", "conv2d", "max_pooling"))]


@pytest.mark.parametrize("name", SMALL)
def test_a_saved_model_gives_the_same_outputs(name, tmp_path):
    model, card = built(name), ENTRIES[name][1]
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(3, *card.input_shape)).astype(np.float32)
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(x), model(x))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("convnet", (64,), r"convnet cannot take examples of shape \(64,\): it needs images .* mlp takes any shape"),
        ("alexnet", (28, 28, 1), "at least 67x67 pixels; alexnet_small takes smaller"),
        ("vgg_small", (8, 8), "needs images"),
        ("rnn", (8, 8, 1), "needs sequences .* digits_rows"),
        ("lstm", (200,), "give vocabulary="),
    ],
)
def test_examples_that_do_not_fit_get_a_sentence(name, shape, message):
    module, _, options = ENTRIES[name]
    with pytest.raises(InvalidData, match=message):
        module.build(shape, 10, **options)


def test_word_indices_and_features_are_told_apart():
    with pytest.raises(InvalidData, match="leave vocabulary out"):
        ENTRIES["rnn"][0].build((8, 8), 2, vocabulary=10)


def test_vgg_needs_a_number_of_filters_per_block():
    with pytest.raises(InvalidOption, match="2 blocks of convolutions and 3 numbers of filters"):
        ENTRIES["vgg"][0].build((8, 8, 1), 10, convolutions=(1, 1), filters=(4, 4, 4))


def test_the_smallest_image_of_alexnet_is_just_large_enough():
    module = ENTRIES["alexnet"][0]
    options = {"filters": (2, 2, 2, 2, 2), "units": 3}
    assert module.build((67, 67, 3), 4, **options).output_shape == (None, 4)
    with pytest.raises(InvalidData):
        module.build((66, 67, 3), 4, **options)


@pytest.mark.parametrize("name", ["convnet", "convnet_bn", "vgg_small", "alexnet_small"])
@pytest.mark.parametrize("shape", [(5, 7, 3), (28, 28, 1)])
def test_image_models_adapt_to_the_shape(name, shape):
    module, _, options = ENTRIES[name]
    assert module.build(shape, 3, **options).output_shape == (None, 3)
