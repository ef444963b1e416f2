"""Sets of TensorFlow Datasets: a prepared one is read, a missing one is an answer within seconds."""

import importlib
import json
import tracemalloc

import numpy as np
import pytest
import tensorflow_datasets as tfds

import fdl_zoo
from fdl_zoo import availability
from fdl_zoo.cli import run
from fdl_zoo.data import Split
from fdl_zoo.datasets import _tfds, imdb_reviews, mnist
from fdl_zoo.datasets import tfds as any_set
from fdl_zoo.datasets._stored import StoredSplit, written
from fdl_zoo.errors import InvalidData, UnknownName
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve


def prepare(folder, name="mnist", version="3.0.1", shape=(28, 28, 1), classes=10, train=24, test=6, **how):
    """Writes a tiny set in TFDS's own format: image i is filled with i, its label is i modulo the classes."""

    def examples(start, count):
        numbers = range(start, start + count)
        return [(i, {"image": np.full(shape, i % 256, np.uint8), "label": i % classes}) for i in numbers]

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
        **how,
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


class FdlTinyImages(tfds.core.GeneratorBasedBuilder):
    """Sixteen grey images, known to TFDS by name as any of its own sets is."""

    VERSION = tfds.core.Version("1.2.0")

    def _info(self):
        features = {"image": tfds.features.Image(shape=(4, 4, 1)), "label": tfds.features.ClassLabel(num_classes=4)}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": ((i, {"image": np.full((4, 4, 1), i, np.uint8), "label": i % 4}) for i in range(16))}

    def _generate_examples(self):
        """Unused: the split's examples are given above."""


@pytest.mark.parametrize("source", ["fdl_tiny_images", "fdl_tiny_images:1.2.0"])
def test_a_missing_set_is_prepared_once_when_the_server_answers(source, tmp_path, monkeypatch):
    monkeypatch.setattr(availability, "is_reachable", lambda address: True)
    data = any_set.build(source=source, data_dir=str(tmp_path))
    monkeypatch.setattr(availability, "is_reachable", lambda address: False)
    again = any_set.build(source=source, data_dir=str(tmp_path))
    assert data.digest() == again.digest()
    assert sorted(value for split in data.splits.values() for value in (split.x[:, 0, 0, 0] * 255).round()) == [
        *range(16)
    ]
    assert list((tmp_path / "fdl_tiny_images" / "1.2.0").glob("*.array_record*"))


def test_a_command_fetches_it_once_and_lists_what_is_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(availability, "is_reachable", lambda address: True)
    command = ["data", "prepare", "tfds/fdl_tiny_images", "--data-dir", str(tmp_path), "--json"]
    assert run(command) == 0
    done = json.loads(capsys.readouterr().out)
    folder = tmp_path / "fdl_tiny_images" / "1.2.0"
    assert (done["state"], done["folder"]) == ("prepared", str(folder))
    assert sum(done["examples"].values()) == 16
    monkeypatch.setattr(availability, "is_reachable", lambda address: False)
    written = folder.stat().st_mtime_ns
    assert run(command) == 0
    assert json.loads(capsys.readouterr().out) == done
    assert folder.stat().st_mtime_ns == written
    assert fdl_zoo.prepare_data("tfds/fdl_tiny_images", str(tmp_path)).as_dict() == done


def test_the_list_says_what_each_dataset_needs(prepared, capsys):
    assert run(["data", "list", "--data-dir", str(prepared), "--json"]) == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert set(found) == set(fdl_zoo.list_datasets())
    assert found["mnist"]["folder"] == str(prepared / "mnist" / "3.0.1")
    states = {name: found[name]["state"] for name in ("mnist", "cifar10", "digits", "csv", "tfds")}
    assert states == {"mnist": "prepared", "cifar10": "missing", "digits": "ready", "csv": "own", "tfds": "family"}
    assert fdl_zoo.prepare_data("digits").examples == {"train": 1437, "validation": 180, "test": 180}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("csv", "csv cannot be prepared: it reads your own file"),
        ("tfds", "tfds stands for many sets"),
        ("mnits", "did you mean mnist"),
        ("cifar10", "cifar10 cannot be loaded: it is not prepared in"),
    ],
)
def test_what_cannot_be_prepared_is_one_line(name, says, tmp_path, no_network, capsys):
    assert run(["data", "prepare", name, "--data-dir", str(tmp_path)]) == 2
    answer = capsys.readouterr()
    assert answer.err.startswith("fdl: ")
    assert says in answer.err
    assert (answer.out, answer.err.count("\n")) == ("", 1)
    assert list(tmp_path.iterdir()) == []


class FdlFetchedByHand(tfds.core.GeneratorBasedBuilder):
    """A set that TFDS cannot fetch by itself."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Ask its owner.\nThen wait."

    def _info(self):
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict({"x": np.int64}))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(dl_manager.manual_dir)}

    def _generate_examples(self, folder):
        yield 0, {"x": 0}


def test_a_preparation_that_fails_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(availability, "is_reachable", lambda address: True)
    with pytest.raises(InvalidData, match=r"fdl_fetched_by_hand cannot be prepared: .*--data-dir\.") as error:
        any_set.build(source="fdl_fetched_by_hand", data_dir=str(tmp_path))
    assert "\n" not in str(error.value)


def test_a_set_that_nobody_knows_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(availability, "is_reachable", lambda address: True)
    monkeypatch.setattr(tfds.core.load, "_try_load_from_files_first", lambda *args, **kwargs: False)
    with pytest.raises(InvalidData, match="TFDS has no set 'fdl_no_such_set'") as error:
        any_set.build(source="fdl_no_such_set", data_dir=str(tmp_path))
    assert "\n" not in str(error.value)


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


@pytest.mark.parametrize("source", ["", "../mnist", "mnist:3", "a b", "mnist/../x:1.0.0"])
def test_a_malformed_name_is_refused(source):
    with pytest.raises(InvalidData, match="TFDS set"):
        any_set.build(source=source)


def test_any_set_needs_a_training_split(tmp_path):
    features = {
        "value": tfds.features.Tensor(shape=(2,), dtype=np.float32),
        "kind": tfds.features.ClassLabel(num_classes=2),
    }
    store(tmp_path, features, [(0, {"value": np.ones(2, np.float32), "kind": 0})], other=slice(None))
    with pytest.raises(InvalidData, match="the splits other, no train"):
        any_set.build(source="odd:1.0.0", data_dir=str(tmp_path))


# ---- read from disk at random


@pytest.fixture(params=["tfrecord", "array_record"])
def stored(request, tmp_path):
    """A set in one of TFDS's formats: its folder."""
    prepare(tmp_path, "kept", "1.0.0", (6, 5, 3), train=40, file_format=request.param)
    return tmp_path


def test_memory_disk_and_format_make_no_difference(stored, tmp_path_factory, monkeypatch, no_network):
    given = {"source": "kept:1.0.0", "data_dir": str(stored)}
    expected = any_set.build(**given)
    assert type(expected.train) is Split
    monkeypatch.setattr(_tfds, "IN_MEMORY", 0)
    for data in (any_set.build(**given), any_set.build(**given)):
        assert type(data.train) is StoredSplit
        assert data.train.x is None
        assert data.digest() == expected.digest()
        order = np.array([7, 3, 3, 11])
        for mine, theirs in zip(data.train.take(order), expected.train.take(order), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_vectors_on_disk_are_normalized_by_the_training_split(tmp_path, monkeypatch):
    vectors = np.random.default_rng(0).normal(5, 3, (30, 3)).astype(np.float32)
    features = {
        "vector": tfds.features.Tensor(shape=(3,), dtype=np.float32),
        "kind": tfds.features.ClassLabel(num_classes=2),
    }
    store(tmp_path, features, [(i, {"vector": vectors[i], "kind": i % 2}) for i in range(30)])
    monkeypatch.setattr(_tfds, "IN_MEMORY", 0)
    data = any_set.build(source="odd", data_dir=str(tmp_path))
    x = data.train.take(np.arange(len(data.train)))[0]
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_memory_does_not_grow_with_the_set(tmp_path, monkeypatch, no_network, file_format):
    prepare(tmp_path, "long", "1.0.0", (64, 64, 3), train=2000, test=2, file_format=file_format)
    prepare(tmp_path, "short", "1.0.0", (64, 64, 3), train=10, test=2, file_format=file_format)
    monkeypatch.setattr(_tfds, "IN_MEMORY", 0)
    monkeypatch.setattr(_tfds, "BLOCK", 64)
    any_set.build(source="short", data_dir=str(tmp_path))  # TensorFlow's own beginnings are not counted
    tracemalloc.start()
    try:
        data = any_set.build(source="long", data_dir=str(tmp_path))
        for start in range(0, 1500, 50):
            data.train.take(np.arange(start, start + 50))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2000 * 64 * 64 * 3 / 2  # a batch in float64 is 5 MB; the set would be 25 MB, and 98 as float32


def test_a_copy_is_whole_or_not_there(tmp_path, monkeypatch, no_network):
    prepare(tmp_path, "kept", "1.0.0", (6, 5, 3), train=40, file_format="tfrecord")
    monkeypatch.setattr(_tfds, "IN_MEMORY", 0)

    def full(file, blocks, count):
        next(iter(blocks))
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(_tfds, "written", full)
        with pytest.raises(InvalidData, match=r"No space left on device at .*fdl_zoo, where a copy is needed"):
            any_set.build(source="kept", data_dir=str(tmp_path))
    copies = tmp_path / "kept" / "1.0.0" / "fdl_zoo"

    def torn():
        yield np.zeros((3, 2), np.uint8)
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        written(copies / "torn.npy", torn(), 6)
    assert not list(copies.glob("*torn*"))
    any_set.build(source="kept", data_dir=str(tmp_path))
    assert {file.name for file in copies.iterdir()} == {
        f"{split}-{part}.npy" for split in ("train", "test") for part in "xy"
    }


@pytest.mark.parametrize("in_memory", [0, 2**30])
@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_images_of_different_sizes_are_brought_to_one(tmp_path, monkeypatch, no_network, file_format, in_memory):
    features = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=["cat", "dog"]),
    }
    examples = [(i, {"image": np.full((8 + i % 5, 12, 3), 5 * i, np.uint8), "label": i % 2}) for i in range(30)]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="pets", version="1.0.0", features=tfds.features.FeaturesDict(features), split_datasets={"train": examples},
        data_dir=tmp_path, disable_shuffling=True, file_format=file_format,
    )  # fmt: skip
    monkeypatch.setattr(_tfds, "IN_MEMORY", in_memory)
    with pytest.raises(InvalidData, match=r"data\.image_size=\[64,64\]"):
        any_set.build(source="pets", data_dir=str(tmp_path))
    with pytest.raises(InvalidData, match="give height and width"):
        any_set.build(source="pets", image_size=(4,), data_dir=str(tmp_path))
    data = any_set.build(source="pets", image_size=(4, 6), data_dir=str(tmp_path))
    assert (data.input_shape, data.class_names) == ((4, 6, 3), ("cat", "dog"))
    x, y = data.train.take(np.arange(len(data.train)))
    assert x.shape == (24, 4, 6, 3)
    np.testing.assert_array_equal((x[:, 2, 3, 1] * 255).round() / 5 % 2, y)


# ---- tfds/NAME


def test_a_set_is_named_wherever_a_dataset_is(prepared, no_network):
    named = fdl_zoo.load_dataset("tfds/mnist", data_dir=str(prepared))
    assert named.digest() == any_set.build(source="mnist:3.0.1", data_dir=str(prepared)).digest()
    assert fdl_zoo.describe("datasets", "TFDS/mnist")["name"] == "tfds"
    with pytest.raises(UnknownName, match="its plugin tsdf is not installed"):
        fdl_zoo.load_dataset("tsdf/mnist")


@pytest.mark.parametrize("data", ["tfds/mnist", {"name": "tfds/mnist", "seed": 3}, "tfds/mnist:3.0.1"])
def test_a_run_pins_the_version_that_is_there(data, prepared, no_network):
    spec = resolve(make_layers(model="mlp", data=data), str(prepared)).spec
    assert (spec.data.name, spec.data.options["source"]) == ("tfds", "mnist:3.0.1")
    assert spec.data.options["seed"] == (3 if isinstance(data, dict) else 0)


def test_the_newest_prepared_version_is_taken(tmp_path):
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        (tmp_path / "some" / version).mkdir(parents=True)
        (tmp_path / "some" / version / "dataset_info.json").write_text("{}")
    (tmp_path / "some" / "2.0.0").mkdir()  # not prepared whole
    assert availability.pinned("tfds:some", str(tmp_path)) == "tfds:some:1.10.0"
    assert availability.pinned("tfds:some:1.2.0", str(tmp_path)) == "tfds:some:1.2.0"
    assert availability.pinned("tfds:other", str(tmp_path)) == "tfds:other"
    for config in ("small", "large"):
        (tmp_path / "text" / config / "1.0.0").mkdir(parents=True)
        (tmp_path / "text" / config / "1.0.0" / "dataset_info.json").write_text("{}")
        only = availability.pinned("tfds:text", str(tmp_path))
        assert only == ("tfds:text/small:1.0.0" if config == "small" else "tfds:text")  # two: which one is not clear
    assert availability.pinned("tfds:text/large", str(tmp_path)) == "tfds:text/large:1.0.0"
