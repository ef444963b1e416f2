"""Files as raw examples: images as the training images were, arrays and tables by their shape."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

import fdl_zoo as fdl
from fdl_zoo.artifacts.images import Images
from fdl_zoo.artifacts.inputs import read_file
from fdl_zoo.artifacts.interface import Interface
from fdl_zoo.data import Normalization
from fdl_zoo.errors import InvalidData

INK = Images(white=16.0, ground="dark", box=(1.0, 0.75))


@pytest.fixture(scope="module")
def digits():
    return fdl.load_dataset("digits")


def drawn(path, size=(90, 120), paper="white", ink="black", mode="RGB"):
    """An upright bar of 20 x 60 pixels, off the middle."""
    image = Image.new(mode, size, paper)
    ImageDraw.Draw(image).rectangle([10, 15, 29, 74], fill=ink)
    image.save(path)
    return path


def test_what_the_digits_have_in_common_is_found(digits):
    found = Interface.of(digits)
    assert found.images == Images(16.0, "dark", (1.0, 0.75))
    np.testing.assert_array_equal(found.example, digits.normalization.invert(digits.train.x[:3]))


def test_photographs_have_no_ground():
    raw = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 1)).astype("float32")
    assert Images.of(raw, Normalization(0, 255)) == Images(255.0)
    assert Images.of(raw.repeat(3, -1), Normalization(0, 255)) == Images(255.0)


@pytest.mark.parametrize("paper", ["white", "black"])
def test_a_drawing_of_either_polarity_becomes_ink_in_the_middle(tmp_path, paper):
    path = drawn(tmp_path / "bar.png", paper=paper, ink="black" if paper == "white" else "white")
    raw = INK.read(path, (8, 8, 1))
    assert (raw.shape, raw.dtype) == ((8, 8, 1), np.float32)
    # The bar is a third as wide as it is high: 8 rows, 3 columns (2.67 rounded), in the middle of 8.
    expected = np.zeros((8, 8))
    expected[:, 2:5] = 16
    np.testing.assert_allclose(raw[..., 0], expected, atol=0.01)


def test_transparent_paper_is_white(tmp_path):
    path = drawn(tmp_path / "bar.png", paper=(0, 0, 0, 0), ink=(0, 0, 0, 255), mode="RGBA")
    np.testing.assert_allclose(INK.read(path, (8, 8, 1))[:, 2:5], 16, atol=0.01)


def test_an_image_of_the_training_set_comes_back_as_it_was(digits, tmp_path):
    raw = digits.normalization.invert(digits.test.x[:20])
    for index, each in enumerate(raw):
        path = tmp_path / f"{index}.png"
        Image.fromarray((each[..., 0] * 255 / 16).round().astype(np.uint8)).save(path)
        np.testing.assert_allclose(INK.read(path, (8, 8, 1)), each, atol=0.04)


def test_inversion_can_be_decided_by_hand(tmp_path):
    path = drawn(tmp_path / "bar.png", size=(8, 8))
    path_of_white = INK.read(path, (8, 8, 1), invert=False)
    np.testing.assert_allclose(INK.read(path, (8, 8, 1), invert=True), 16 - path_of_white)


def test_colour_images_are_scaled_and_keep_their_colours(tmp_path):
    Image.new("RGB", (50, 20), (255, 0, 51)).save(tmp_path / "red.png")
    raw = Images(255.0).read(tmp_path / "red.png", (4, 6, 3))
    np.testing.assert_allclose(raw, np.broadcast_to([255, 0, 51], (4, 6, 3)), atol=0.01)


def test_a_file_that_is_no_image_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(InvalidData, match=r"a\.png cannot be read: no image is in it"):
        INK.read(tmp_path / "a.png", (8, 8, 1))


# ---- arrays and tables --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "labels"),
    [((8, 8, 1), ["a.npy"]), ((8, 8), ["a.npy"]), ((2, 8, 8, 1), ["a.npy[0]", "a.npy[1]"]), ((2, 8, 8), None),
     ((1, 8, 8, 1), ["a.npy[0]"]), ((3, 64), None)],
)  # fmt: skip
def test_arrays_of_one_or_many_examples(tmp_path, given, labels, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = np.arange(np.prod(given), dtype=np.float32).reshape(given)
    np.save("a.npy", values)
    found = read_file(tmp_path / "a.npy", (8, 8, 1), None, None)
    np.testing.assert_array_equal(np.stack([each.raw for each in found]).ravel(), values.ravel())
    assert {each.raw.shape for each in found} == {(8, 8, 1)}
    if labels:
        assert [each.label.rpartition("/")[2] for each in found] == labels


def test_an_array_of_another_shape_or_of_objects_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 7, 8)))
    with pytest.raises(InvalidData, match=r"it has the shape \(2, 7, 8\), and this model takes .* \(8, 8, 1\)"):
        read_file(tmp_path / "a.npy", (8, 8, 1), None, None)
    np.save(tmp_path / "b.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(InvalidData, match="it holds objects"):
        read_file(tmp_path / "b.npy", (8, 8, 1), None, None)
    np.save(tmp_path / "c.npy", np.array([[1.0, np.nan]]))
    with pytest.raises(InvalidData, match="NaN or infinity"):
        read_file(tmp_path / "c.npy", (2,), None, None)


@pytest.mark.parametrize("text", ["a,b\n1,2\n3,4\n", "1,2\n3,4\n", "a,b,target\n1,2,9\n3,4,9\n"])
def test_tables_with_and_without_names_and_target(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    found = read_file(tmp_path / "t.csv", (2,), None, None)
    np.testing.assert_array_equal([each.raw for each in found], [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    "text",
    ["b,y,a\n2,9,1\n4,9,3\n", "a,b\n1,2\n3,4\n", "1,2\n3,4\n", "1,2,9\n3,4,9\n", "y, a ,b,z\n9,1,2,x\n9,3,4,x\n"],
)
def test_columns_are_found_by_the_names_that_the_model_was_trained_on(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    found = read_file(tmp_path / "t.csv", (2,), None, None, ("a", "b"))
    np.testing.assert_array_equal([each.raw for each in found], [[1, 2], [3, 4]])


def test_columns_may_have_numbers_for_names(tmp_path):
    (tmp_path / "t.csv").write_text("1,0\n2,1\n4,3\n")
    found = read_file(tmp_path / "t.csv", (2,), None, None, ("0", "1"))
    np.testing.assert_array_equal([each.raw for each in found], [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,c\n1,2\n", "no column 'b'; the model was trained on a, b, and this file has a, c"),
        ("a,b,c\n1,2\n", "3 column names and rows of 2"),
    ],
)
def test_a_table_without_those_columns_is_refused(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InvalidData, match=message):
        read_file(tmp_path / "t.csv", (2,), None, None, ("a", "b"))


@pytest.mark.parametrize("mode", ["I;16", "L"])
def test_an_image_of_sixteen_bits_is_as_dark_as_one_of_eight(tmp_path, mode):
    values = np.linspace(0, 255, 64).round().reshape(8, 8).astype(np.uint8)
    Image.fromarray(values if mode == "L" else values.astype(np.uint16) << 8).save(tmp_path / "a.png")
    np.testing.assert_allclose(
        INK.read(tmp_path / "a.png", (8, 8, 1), invert=False)[..., 0], values / 255 * 16, rtol=1e-6
    )


def test_an_image_of_numbers_without_a_white_is_refused(tmp_path):
    Image.fromarray(np.ones((8, 8), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(InvalidData, match=r"a\.tif cannot be read: its pixels are 32-bit numbers"):
        INK.read(tmp_path / "a.tif", (8, 8, 1))


def test_a_table_with_text_in_it_is_refused_by_its_row(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,x\n")
    with pytest.raises(InvalidData, match="row 3 has 'x' in a number's place"):
        read_file(tmp_path / "t.csv", (2,), None, None)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InvalidData, match="there is no such file"):
        read_file(tmp_path / "no.png", (8, 8, 1), INK, None)
    (tmp_path / "a.txt").write_text("1")
    with pytest.raises(InvalidData, match=r"give an image .* a \.npy or a \.csv file"):
        read_file(tmp_path / "a.txt", (8, 8, 1), INK, None)
    drawn(tmp_path / "a.png")
    with pytest.raises(InvalidData, match=r"takes examples of shape \(4,\), not images"):
        read_file(tmp_path / "a.png", (4,), None, None)


# ---- the file beside the model ------------------------------------------------------------------------------------


def test_interface_is_kept_and_read_back(digits, tmp_path):
    before = Interface.of(digits)
    before.save(tmp_path / "interface.npz")
    after = Interface.load(tmp_path / "interface.npz")
    assert (after.task, after.class_names, after.images) == (before.task, before.class_names, before.images)
    np.testing.assert_array_equal(after.example, before.example)
    np.testing.assert_array_equal(after.normalization(before.example), digits.train.x[:3])
    assert [path.name for path in tmp_path.iterdir()] == ["interface.npz"]


def test_a_damaged_interface_is_refused(tmp_path):
    path = tmp_path / "interface.npz"
    with pytest.raises(InvalidData, match="raw units of this model are not known"):
        Interface.load(path)
    path.write_bytes(b"PK no archive")
    with pytest.raises(InvalidData, match="damaged"):
        Interface.load(path)
    np.savez(path, about=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InvalidData, match="damaged"):
        Interface.load(path)
