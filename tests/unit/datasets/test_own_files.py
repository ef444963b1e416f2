"""The user's own data: npz, csv and folder, read as they are, and a sentence for whatever is wrong with them."""

import numpy as np
import pytest
from PIL import Image

from fdl_zoo.artifacts.interface import Interface
from fdl_zoo.data import Dataset, Split
from fdl_zoo.data_checks import check
from fdl_zoo.datasets import _stored, csv, folder, npz
from fdl_zoo.errors import InvalidData

X = np.random.default_rng(0).normal(5, 3, (40, 3))
LABELS = np.arange(40) % 4


def saved(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def table(path, rows, header="a,b,c,kind"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def pictures(path, per_class=10, classes=("cat", "dog"), size=(6, 4)):
    for number, name in enumerate(classes):
        (path / name).mkdir(parents=True)
        for index in range(per_class):
            Image.new("RGB", size, (100 * number, 10 * index, 7)).save(path / name / f"{index}.png")
    return path


def everything(data):
    """All examples of a dataset in raw units, with their targets."""
    parts = [split.take(np.arange(len(split))) for split in data.splits.values()]
    x, y = (np.concatenate(column) for column in zip(*parts, strict=True))
    return x * data.normalization.scale + data.normalization.mean, y


def test_npz_holds_what_was_saved(tmp_path):
    data = npz.build(path=saved(tmp_path / "a.npz", x=X, y=LABELS))
    assert [len(split) for split in data.splits.values()] == [32, 4, 4]
    raw, y = everything(data)
    order, theirs = np.argsort(raw[:, 0]), np.argsort(X[:, 0])
    np.testing.assert_allclose(raw[order], X[theirs], rtol=1e-5)
    np.testing.assert_array_equal(y[order], LABELS[theirs])
    assert (data.task, data.num_outputs, data.input_shape) == ("classification", 4, (3,))
    np.testing.assert_allclose(data.train.x.mean(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize(
    ("y", "task", "outputs", "names"),
    [
        (LABELS / 3, "regression", 1, ()),
        (LABELS * 1e20, "regression", 1, ()),  # whole, but no integers
        (np.stack([LABELS / 3] * 2, axis=1), "regression", 2, ()),
        (LABELS.astype(float), "classification", 4, ("0", "1", "2", "3")),
        (np.array(["no", "yes"] * 20), "classification", 2, ("no", "yes")),
        (LABELS % 2 == 0, "classification", 2, ("False", "True")),
    ],
)
def test_npz_sees_the_task_from_the_targets(tmp_path, y, task, outputs, names):
    data = npz.build(path=saved(tmp_path / "a.npz", x=X, y=y))
    assert (data.task, data.num_outputs, data.class_names) == (task, outputs, names)


def test_npz_takes_bytes_for_pixels_and_leaves_numbers_alone_if_asked(tmp_path):
    images = np.full((40, 5, 5, 1), 255, np.uint8)
    assert npz.build(path=saved(tmp_path / "a.npz", x=images, y=LABELS)).train.x.max() == 1
    plain = npz.build(path=saved(tmp_path / "b.npz", x=X, y=LABELS), normalize=False)
    np.testing.assert_array_equal(np.sort(everything(plain)[0], axis=0), np.sort(X, axis=0))


def test_npz_for_two_classes(tmp_path):
    data = npz.build(path=saved(tmp_path / "a.npz", x=X, y=LABELS % 2), task="binary")
    assert (data.task, data.num_outputs) == ("binary", 1)
    with pytest.raises(InvalidData, match="two classes: it has 4"):
        npz.build(path=saved(tmp_path / "b.npz", x=X, y=LABELS), task="binary")


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(
    "x",
    [X, X.astype(np.float32), X.astype(">f8"), X[..., None] * np.ones(4), (X * 9).astype(np.uint8)],
    ids=["float64", "float32", "big-endian", "sequences", "bytes"],
)
def test_npz_read_from_disk_gives_what_it_gives_from_memory(tmp_path, monkeypatch, x, normalize):
    path = saved(tmp_path / "a.npz", y=LABELS / 3, x=x)
    near = npz.build(path=path, normalize=normalize)
    monkeypatch.setattr(npz, "IN_MEMORY", 0)
    far = npz.build(path=path, normalize=normalize)
    assert far.train.x is None
    assert far.digest() == near.digest()


@pytest.mark.parametrize(
    ("save", "x"), [(np.savez_compressed, X), (np.savez, np.asfortranarray(X))], ids=["compressed", "column by column"]
)
def test_npz_that_cannot_be_read_by_examples_is_read_into_memory(tmp_path, monkeypatch, save, x):
    save(tmp_path / "a.npz", x=x, y=LABELS)
    near = npz.build(path=str(tmp_path / "a.npz"))
    monkeypatch.setattr(npz, "IN_MEMORY", 0)
    far = npz.build(path=str(tmp_path / "a.npz"))
    assert far.train.x is not None
    assert far.digest() == near.digest()


@pytest.mark.parametrize(
    ("labels", "message"), [(LABELS * 0, "all 32 training examples are of class 0"), (X[:, 0] * np.inf, "infinity in")]
)
def test_targets_are_checked_where_the_inputs_stay_on_disk(tmp_path, monkeypatch, labels, message):
    monkeypatch.setattr(npz, "IN_MEMORY", 0)
    with pytest.raises(InvalidData, match=message):
        npz.build(path=saved(tmp_path / "a.npz", x=X, y=labels))


def test_a_file_that_is_cut_short_while_it_is_read_is_an_error(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.npz", x=X, y=LABELS)
    monkeypatch.setattr(npz, "IN_MEMORY", 0)
    data = npz.build(path=path)
    with open(path, "r+b") as file:
        file.truncate(400)
    with pytest.raises(OSError, match=r"a\.npz has been cut short: example \d+ is not in it"):
        data.train.take(np.arange(len(data.train)))


@pytest.mark.parametrize("row", [-1, len(X)])
def test_what_lies_beside_an_array_in_its_file_is_never_read(tmp_path, row):
    stored = _stored.array_in(tmp_path / saved(tmp_path / "a.npz", x=X, y=LABELS), "x")
    np.testing.assert_array_equal(stored[np.array([0, len(X) - 1])], X[[0, -1]])
    with pytest.raises(IndexError, match=rf"has the examples 0 to 39, not 0 to {row}|not {row} to 0"):
        stored[np.array([0, row])]


def test_normalization_read_in_blocks_is_that_of_numpy(monkeypatch):
    monkeypatch.setattr(_stored, "BLOCK", 7)
    rows = np.arange(0, 40, 2)
    found = _stored.fitted(X * 1e3 + 1e6, rows)
    np.testing.assert_allclose(found.mean, (X * 1e3 + 1e6)[rows].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.scale, (X * 1e3 + 1e6)[rows].std(axis=0), rtol=1e-9)


def nan_in(array, index):
    array = array.copy()
    array[index] = np.nan
    return array


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "lacks the array y; its arrays are: x"),
        ({"x": X, "y": LABELS[:-1]}, "40 examples in x and 39 targets in y"),
        ({"x": X[:, 0], "y": LABELS}, r"x is float64 \[40\]"),
        ({"x": nan_in(X, (7, 1)), "y": LABELS}, "example 7 has NaN or infinity"),
        ({"x": X, "y": nan_in(X[:, 0], 3)}, "NaN or infinity in the targets"),
        ({"x": X, "y": LABELS * 0}, "all 32 training examples are of class 0"),
        ({"x": X[:3], "y": LABELS[:3]}, "3 examples cannot be split"),
        ({"x": X.astype(object), "y": LABELS}, "cannot be read as .npz"),
        ({"x": X, "y": np.eye(4)[LABELS]}, r"targets have the shape \(40, 4\); give one label per example"),
        ({"x": X, "y": 3}, "40 examples in x and a single value in y"),
        ({"x": X[:, :0], "y": LABELS}, r"examples of shape \(0,\) have no numbers"),
    ],
)
def test_npz_faults_get_a_sentence(tmp_path, arrays, message):
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(InvalidData, match=message):
        npz.build(path=str(path))


def test_npz_damaged_file_is_named(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(InvalidData, match=r"a\.npz cannot be read as \.npz"):
        npz.build(path=str(path))
    with open(path, "wb") as file:
        np.save(file, X)
    with pytest.raises(InvalidData, match=r"a\.npz cannot be read as \.npz: no arrays by name are in it"):
        npz.build(path=str(path))
    whole = saved(tmp_path / "b.npz", x=X, y=LABELS)
    (tmp_path / "b.npz").write_bytes((tmp_path / "b.npz").read_bytes()[:-60])
    with pytest.raises(InvalidData, match=r"b\.npz cannot be read as \.npz: its end is missing"):
        npz.build(path=whole)


ROWS = [f"{a},{b},{c},{('rose', 'oak')[index % 2]}" for index, (a, b, c) in enumerate(X)]


def test_csv_holds_what_was_written(tmp_path):
    data = csv.build(path=table(tmp_path / "a.csv", [*ROWS, ""]))
    raw, y = everything(data)
    order, theirs = np.argsort(raw[:, 0]), np.argsort(X[:, 0])
    np.testing.assert_allclose(raw[order], X[theirs], rtol=1e-5)
    assert data.class_names == ("oak", "rose")
    np.testing.assert_array_equal(y[order], 1 - theirs % 2)


def test_csv_target_may_be_any_column(tmp_path):
    rows = [f"{c},{a},{b}" for a, b, c in X]
    data = csv.build(path=table(tmp_path / "a.csv", rows, "t,a,b"), target="t")
    assert (data.task, data.num_outputs, data.input_shape) == ("regression", 1, (2,))
    assert data.feature_names == ("a", "b")
    np.testing.assert_allclose(np.sort(everything(data)[1][:, 0]), np.sort(X[:, 2]), rtol=1e-6)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([*ROWS[:7], "1,red,3,oak", *ROWS], {}, "line 9, column 'b' has 'red' in a number's place"),
        ([*ROWS[:7], "1,,3,oak", *ROWS], {}, "line 9, column 'b' has '' in a number's place"),
        ([*ROWS[:7], "1,nan,3,oak", *ROWS], {}, "line 9, column 'b' is 'nan'"),
        ([*ROWS[:7], "1,2,oak", *ROWS], {}, "line 9 has 3 values for 4 columns"),
        ([*ROWS[:7], "1,2,3,", *ROWS], {}, "line 9, column 'kind' is empty, and it is the target"),
        (["1,2,3,0.5", "1,2,3,NA", "1,2,3,7"], {}, "line 3, column 'kind' has 'NA' in a number's place"),
        (ROWS, {"target": "species"}, "no column 'species' for the target: its columns are a, b, c, kind"),
        (ROWS, {"task": "regression"}, "targets are text"),
        ([], {}, "rows of values"),
        ([row.rsplit(",", 1)[0] + ",oak" for row in ROWS], {}, "are of class 0"),
    ],
)
def test_csv_faults_name_line_and_column(tmp_path, rows, options, message):
    with pytest.raises(InvalidData, match=message):
        csv.build(path=table(tmp_path / "a.csv", rows), **options)


def test_csv_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InvalidData, match="save it as UTF-8"):
        csv.build(path=str(tmp_path / "a.csv"))


def test_csv_that_cannot_be_opened_is_refused(tmp_path, monkeypatch):
    path = table(tmp_path / "a.csv", ROWS)

    def denied(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.open", denied)
    with pytest.raises(InvalidData, match=r"a\.csv cannot be read: Permission denied"):
        csv.build(path=path)


@pytest.mark.parametrize("module", [npz, csv, folder])
def test_a_path_is_needed_and_must_lead_somewhere(module, tmp_path):
    with pytest.raises(InvalidData, match=r"data\.path=PATH"):
        module.build()
    with pytest.raises(InvalidData, match=r"there is no (file|folder) .*missing"):
        module.build(path=str(tmp_path / "missing"))


def test_folder_reads_each_image_once_from_disk(tmp_path):
    data = folder.build(path=str(pictures(tmp_path)))
    assert data.input_shape == (4, 6, 3)
    assert data.class_names == ("cat", "dog")
    assert data.train.x is None
    raw, y = everything(data)
    seen = sorted((round(float(image[0, 0, 0])), round(float(image[0, 0, 1]))) for image in raw)
    assert seen == sorted((100 * number, 10 * index) for number in range(2) for index in range(10))
    np.testing.assert_array_equal(raw[:, 0, 0, 0].round() // 100, y)


def test_folder_brings_images_to_one_size_and_to_grey(tmp_path):
    pictures(tmp_path)
    Image.new("RGBA", (30, 20), (255, 255, 255, 255)).save(tmp_path / "cat" / "large.PNG")
    data = folder.build(path=str(tmp_path), image_size=(5, 7), color_mode="grayscale")
    assert everything(data)[0].shape == (21, 5, 7, 1)
    with pytest.raises(InvalidData, match="give height and width"):
        folder.build(path=str(tmp_path), image_size=(5,))


def test_folder_reads_images_of_sixteen_bits_as_those_of_eight(tmp_path):
    pictures(tmp_path)
    for file in tmp_path.glob("*/*.png"):
        grey = np.asarray(Image.open(file).convert("L"))
        Image.fromarray(grey).save(file)
    eight = everything(folder.build(path=str(tmp_path), color_mode="grayscale"))[0]
    for file in tmp_path.glob("*/*.png"):
        Image.fromarray(np.asarray(Image.open(file)).astype(np.uint16) << 8).save(file)
    np.testing.assert_array_equal(everything(folder.build(path=str(tmp_path), color_mode="grayscale"))[0], eight)


def test_folder_reads_an_image_as_a_prediction_does(tmp_path):
    pictures(tmp_path)
    sideways = Image.new("RGBA", (6, 4), (0, 0, 0, 0))  # transparent black, with one opaque corner
    sideways.putpixel((0, 0), (255, 0, 0, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    for file in tmp_path.glob("*/*.png"):
        sideways.save(file, exif=exif)
    data = folder.build(path=str(tmp_path))
    assert data.input_shape == (6, 4, 3)
    predicted = Interface.of(data).images.read(file, data.input_shape)
    np.testing.assert_allclose(everything(data)[0][0], predicted)
    np.testing.assert_array_equal(predicted[0, -1], (255, 0, 0))
    assert (predicted.reshape(-1, 3) == 255).all(1).sum() == 23


def test_folder_splits_are_fixed_by_the_seed(tmp_path):
    path = str(pictures(tmp_path))
    assert folder.build(path=path).digest() == folder.build(path=path).digest()
    assert folder.build(path=path).digest() != folder.build(path=path, seed=1).digest()


def test_folder_changes_training_images_if_asked(tmp_path):
    path = str(pictures(tmp_path))
    plain, changed = folder.build(path=path), folder.build(path=path, augment=("brightness",))
    assert not np.array_equal(plain.train.take(np.arange(3))[0], changed.train.take(np.arange(3))[0])
    assert plain.test.digest() == changed.test.digest()


def test_folder_names_a_corrupt_image(tmp_path):
    pictures(tmp_path)
    (tmp_path / "dog" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(InvalidData, match=r"dog/3\.png cannot be read"):
        everything(folder.build(path=str(tmp_path)))


def test_folder_faults_get_a_sentence(tmp_path, monkeypatch):
    pictures(tmp_path / "one", classes=("cat",))
    with pytest.raises(InvalidData, match="it has 1 subfolders"):
        folder.build(path=str(tmp_path / "one"))
    (tmp_path / "one" / "empty").mkdir()
    with pytest.raises(InvalidData, match="empty cannot be used as a class"):
        folder.build(path=str(tmp_path / "one"))

    def denied(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.iterdir", denied)
    with pytest.raises(InvalidData, match="permission is denied"):
        folder.build(path=str(tmp_path / "one"))


def dataset(x, y, task="classification", outputs=2, shape=(3,)):
    good = Split(X.astype(np.float32), LABELS % 2)
    return Dataset(Split(x, y), good, good, shape, outputs, task)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (dataset(X, LABELS), "label 2 in example 2, outside 0 to 1"),
        (dataset(X, -LABELS % 2 * -1), "label -1 in example 1, outside 0 to 1"),
        (dataset(X, LABELS, "binary", 1), "label 2 in example 2, outside 0 to 1"),
        (dataset(X, LABELS / 2), "targets of type float64, where classification needs class indices"),
        (dataset(X[:0], LABELS[:0]), "its train split is empty"),
        (dataset(X, LABELS % 2, shape=(4,)), r"examples of shape \(3,\), where \(4,\) is stated"),
        (dataset(X.astype(str), LABELS % 2), "inputs of type <U"),
        (dataset(nan_in(X, (7, 1)), LABELS % 2), "inputs of example 7 and 1 altogether"),
    ],
)
def test_data_that_cannot_be_trained_on_are_refused(data, message):
    with pytest.raises(InvalidData, match=message):
        check(data, "mine")
