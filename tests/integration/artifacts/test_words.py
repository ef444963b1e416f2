"""A model of word numbers in use: integers stay integers on each way to it, and the answers are the same on each."""

import numpy as np
import pytest
from scipy.special import softmax

import fdl_zoo as fdl
from fdl_zoo.artifacts.adapted import adapted
from fdl_zoo.artifacts.interface import FILE, Interface
from fdl_zoo.training.progress import Silent


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    random = np.random.default_rng(0)
    words = random.integers(1, 20, (100, 6)).astype(np.int32)
    np.savez(folder / "words.npz", x=words, y=words[:, 0] % 3)
    model = {"name": "rnn", "vocabulary": 20, "embedding": 4, "units": 5}
    data = {"name": "npz", "path": str(folder / "words.npz"), "normalize": False}
    settings = ["tracking.enabled=false"]
    root = folder / "mlruns"
    return fdl.train(model, data=data, optimizer="adam", epochs=1, root=root, progress=Silent(), settings=settings)


def test_predictions_are_the_models_own_for_the_word_numbers(run, tmp_path):
    words = fdl.load_dataset("npz", **run.spec.data.options).test.x
    logits = run.model.predict(words, verbose=0)
    np.save(tmp_path / "words.npy", words)
    root = run.folder.root
    for given in ({"split": "test"}, {"files": [tmp_path / "words.npy"]}):
        found = fdl.predict("last", root=root, **given)
        np.testing.assert_allclose([each.outputs for each in found], softmax(logits, axis=1), atol=1e-6)
        found = fdl.predict("last", root=root, logits=True, **given)
        np.testing.assert_allclose([each.outputs for each in found], logits, atol=1e-6)


def test_other_data_are_evaluated_as_the_same_words(run):
    own = fdl.evaluate("last", root=run.folder.root, split="train")
    again = fdl.evaluate("last", root=run.folder.root, split="train", data=run.spec.data.options["path"])
    assert again.metrics == own.metrics


def test_normalized_words_are_led_back_to_their_numbers(run):
    options = run.spec.data.options
    normalized = fdl.load_dataset("npz", path=options["path"])
    found = adapted(normalized, "npz", run.model, Interface.load(run.path / FILE)).test
    x, _ = found.take(np.arange(len(found)))
    assert x.dtype == np.int32
    np.testing.assert_array_equal(x, fdl.load_dataset("npz", **options).test.x)


def test_what_is_exported_takes_integers(run, tmp_path):
    import tensorflow as tf

    fdl.export("last", "saved_model", output=tmp_path / "model", root=run.folder.root)
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    (given,) = loaded.signatures["serving_default"].structured_input_signature[1].values()
    assert given.dtype == tf.int32
    assert fdl.export("last", "keras", output=tmp_path / "model.keras", root=run.folder.root).largest_difference == 0
