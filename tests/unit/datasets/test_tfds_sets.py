"""Sets of TensorFlow Datasets: a prepared one is read, a missing one is an answer within seconds."""

import importlib

import numpy as np
import pytest
import tensorflow_datasets as tfds

from fdl_zoo import availability
from fdl_zoo.datasets import _tfds, imdb_reviews, mnist
from fdl_zoo.datasets import tfds as any_set
from fdl_zoo.errors import InvalidData


def prepare(folder, name="mnist", version="3.0.1", shape=(28, 28, 1), classes=10, train=24, test=6):
    """Writes a tiny set in TFDS's own format: image i is filled with i, its label is i modulo the classes."""

    def examples(start, count):
        return [(i, {"image": np.full(shape, i, np.uint8), "label": i % classes}) for i in range(start, start + count)]

    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=shape), "label": tfds.features.ClassLabel(num_classes=classes)}
    )
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=features,
        split_datasets={"train": examples(0, train), "test": examples(100, test)},
        data_dir=folder,
        disable_shuffling=True,
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder)
    return folder


@pytest.fixture
def no_network(monkeypatch):
    monkeypatch.setattr(availability, "is_reachable", lambda address: False)


def test_a_prepared_set_is_read_without_network(prepared, no_network):
    data = mnist.build(data_dir=str(prepared))
    assert [len(split) for split in data.splits.values()] == [22, 2, 6]
    np.testing.assert_array_equal(np.sort(data.test.x[:, 0, 0, 0] * 255).round(), np.arange(100, 106))
    for split in data.splits.values():
        np.testing.assert_array_equal((split.x[:, 5, 5, 0] * 255).round() % 10, split.y)
    assert data.input_shape == (28, 28, 1)
    assert data.num_outputs == 10


def test_training_and_validation_never_overlap_and_a_seed_fixes_them(prepared):
    first, again, other = (mnist.build(data_dir=str(prepared), seed=seed) for seed in (0, 0, 1))
    values = [set((split.x[:, 0, 0, 0] * 255).round()) for split in (first.train, first.validation)]
    assert not values[0] & values[1]
    assert values[0] | values[1] == set(range(24))
    assert first.digest() == again.digest() != other.digest()


def test_as_many_are_held_out_as_in_the_book():
    train, validation = _tfds.held_out(60_000, 0, 12)
    assert (len(train), len(validation)) == (55_000, 5_000)
    assert len(np.union1d(train, validation)) == 60_000


def test_a_missing_set_is_prepared_when_the_server_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(availability, "is_reachable", lambda address: True)
    with tfds.testing.mock_data(num_examples=24):
        data = mnist.build(data_dir=str(tmp_path))
    assert data.train.x.shape == (22, 28, 28, 1)
    assert data.train.x.max() <= 1


def test_a_missing_set_says_what_was_looked_for_and_what_works(tmp_path, no_network):
    with pytest.raises(InvalidData) as error:
        mnist.build(data_dir=str(tmp_path))
    message = str(error.value)
    assert str(tmp_path / "mnist" / "3.0.1") in message
    assert f"below {tmp_path}," in message
    assert "--data-dir" in message
    assert "use digits" in message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_preparation_does_not_count_as_prepared(tmp_path, no_network):
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    assert availability.availability(mnist.CARD.source, str(tmp_path)) == "absent"


def test_the_three_answers(prepared, tmp_path, monkeypatch):
    assert availability.availability(mnist.CARD.source, str(prepared)) == "prepared"
    monkeypatch.setattr(availability, "is_reachable", lambda address: True)
    assert availability.availability(mnist.CARD.source, str(tmp_path)) == "reachable"


def test_the_folder_comes_from_the_environment_where_none_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    source = "tfds:imdb_reviews/plain_text:1.0.0"
    assert availability.prepared_folder(source) == tmp_path / "imdb_reviews" / "plain_text" / "1.0.0"


def test_a_source_that_is_no_tfds_set_is_refused():
    with pytest.raises(InvalidData, match="sklearn:digits"):
        availability.parse_source("sklearn:digits")


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_other_image_sets_are_read_the_same_way(name, tmp_path, no_network):
    module = importlib.import_module(f"fdl_zoo.datasets.{name}")
    prepare(tmp_path, name, module.CARD.source.rpartition(":")[2], module.CARD.input_shape)
    data = module.build(data_dir=str(tmp_path))
    assert (data.input_shape, data.num_outputs) == (module.CARD.input_shape, module.CARD.num_outputs)
    assert len(data.class_names) == 10
    np.testing.assert_array_equal((data.test.x[:, 5, 5, 0] * 255).round() % 10, data.test.y)


def test_mnist_training_images_change_if_asked(prepared):
    plain = mnist.build(data_dir=str(prepared))
    changed = mnist.build(data_dir=str(prepared), augment=("brightness",))
    assert not np.array_equal(plain.train.x[:3], changed.train.take(np.arange(3))[0])
    assert plain.test.digest() == changed.test.digest()


def test_reviews_become_numbers_by_the_training_splits_words(tmp_path, no_network):
    texts = [f"Good, good film number{i}!" if i % 2 else f"bad bad film<br />number{i}" for i in range(30)]
    features = tfds.features.FeaturesDict(
        {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(num_classes=2)}
    )
    examples = [(i, {"text": text, "label": i % 2}) for i, text in enumerate(texts)]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="imdb_reviews",
        version="1.0.0",
        config="plain_text",
        features=features,
        split_datasets={"train": examples[:20], "test": examples[20:]},
        data_dir=tmp_path,
        disable_shuffling=True,
    )
    data = imdb_reviews.build(vocabulary=5, length=6, data_dir=str(tmp_path))
    assert [len(split) for split in data.splits.values()] == [18, 2, 10]
    assert data.train.x.dtype == np.int32
    for split in data.splits.values():
        for words in split.x:
            # film, good and bad are the three most frequent words, a number is unknown, padding follows
            assert len(set(words[words > 1])) == 2
            assert list(words == 1) == [False, False, False, True, False, False]
            assert list(words == 0) == [False] * 4 + [True] * 2
    good = {tuple(sorted(words[words > 1])) for words in data.train.x[data.train.y == 1]}
    bad = {tuple(sorted(words[words > 1])) for words in data.train.x[data.train.y == 0]}
    assert len(good) == len(bad) == 1
    assert good != bad


def test_any_classification_set_is_read_from_its_own_metadata(tmp_path, no_network):
    prepare(tmp_path, "my_digits", "1.0.0", (4, 6, 3), classes=5)
    data = any_set.build(source="my_digits:1.0.0", data_dir=str(tmp_path))
    assert (data.input_shape, data.num_outputs, data.class_names) == ((4, 6, 3), 5, tuple("01234"))
    assert [len(split) for split in data.splits.values()] == [22, 2, 6]
    for split in data.splits.values():
        np.testing.assert_array_equal((split.x[:, 0, 0, 0] * 255).round() % 5, split.y)


def store(folder, features, examples, **splits):
    tfds.dataset_builders.store_as_tfds_dataset(
        name="odd",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={name: examples[rows] for name, rows in splits.items()} or {"train": examples},
        data_dir=folder,
        disable_shuffling=True,
    )


def test_a_set_of_vectors_without_test_split_is_cut_and_normalized(tmp_path):
    vectors = np.random.default_rng(0).normal(5, 3, (20, 3)).astype(np.float32)
    features = {
        "vector": tfds.features.Tensor(shape=(3,), dtype=np.float32),
        "kind": tfds.features.ClassLabel(names=["no", "yes"]),
        "number": tfds.features.Scalar(dtype=np.int64),
    }
    store(tmp_path, features, [(i, {"vector": vectors[i], "kind": i % 2, "number": i}) for i in range(20)])
    data = any_set.build(source="odd:1.0.0", data_dir=str(tmp_path))
    assert [len(split) for split in data.splits.values()] == [16, 2, 2]
    np.testing.assert_allclose(data.train.x.mean(axis=0), 0, atol=1e-6)
    assert data.class_names == ("no", "yes")


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"value": tfds.features.Tensor(shape=(2,), dtype=np.float32)}, "the features value, where one array"),
        (
            {
                "value": tfds.features.Tensor(shape=(None,), dtype=np.float32),
                "kind": tfds.features.ClassLabel(num_classes=2),
            },
            "differ in shape",
        ),
    ],
)
def test_sets_of_another_form_are_refused(tmp_path, features, message):
    example = {"value": np.ones(2, np.float32), "kind": 0}
    store(tmp_path, features, [(i, {name: example[name] for name in features}) for i in range(3)])
    with pytest.raises(InvalidData, match=message):
        any_set.build(source="odd:1.0.0", data_dir=str(tmp_path))


def test_any_set_needs_a_version_and_a_training_split(tmp_path):
    with pytest.raises(InvalidData, match="NAME:VERSION"):
        any_set.build(source="mnist")
    features = {
        "value": tfds.features.Tensor(shape=(2,), dtype=np.float32),
        "kind": tfds.features.ClassLabel(num_classes=2),
    }
    store(tmp_path, features, [(0, {"value": np.ones(2, np.float32), "kind": 0})], other=slice(None))
    with pytest.raises(InvalidData, match="the splits other, no train"):
        any_set.build(source="odd:1.0.0", data_dir=str(tmp_path))
