"""What a network sees: line detectors by hand, pooling under shifts, feature maps against Keras, classes, images."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import fdl_zoo as fdl
from fdl_zoo.analysis import filters, lines
from fdl_zoo.analysis.embedding import embedded, last_hidden, neighbour_accuracy
from fdl_zoo.cli import run as command
from fdl_zoo.errors import InvalidData, InvalidOption
from fdl_zoo.models import alexnet, convnet, lstm, vgg
from tests.unit.analysis.conftest import QUIET


def test_each_line_detector_sees_its_own_lines():
    image = np.zeros((9, 9))
    image[1:8, 4] = 1
    upright, level = (lines.convolved(image, kernel) for kernel in (lines.VERTICAL, lines.HORIZONTAL))
    assert upright[4, 4] == 6  # three times two: the whole filter matches
    assert np.argwhere(upright == 6)[:, 1].tolist() == [4] * 5
    assert level[4].max() == 0
    assert lines.convolved(image.T, lines.HORIZONTAL).T.tolist() == upright.tolist()
    assert lines.convolved(np.ones((9, 9)), lines.VERTICAL)[4, 4] == 0  # a filled area is no line


def test_the_worked_example_is_what_keras_computes():
    image = np.random.default_rng(0).random((10, 12))
    layer = keras.layers.Conv2D(1, 3, padding="same", activation="relu")
    layer.build((None, 10, 12, 1))
    layer.set_weights([lines.VERTICAL[..., None, None], np.array([0.25])])
    expected = layer(image[None, ..., None].astype(np.float32))
    np.testing.assert_allclose(lines.convolved(image, lines.VERTICAL, 0.25), np.asarray(expected)[0, ..., 0], atol=1e-6)
    pooled = np.asarray(keras.layers.MaxPooling2D(2)(expected))[0, ..., 0]
    np.testing.assert_allclose(lines.pooled(np.asarray(expected)[0, ..., 0]), pooled)


def test_max_pooling_is_locally_invariant():
    feature_map = np.zeros((6, 6))
    feature_map[2, 2] = 1
    moved = np.zeros((6, 6))
    moved[3, 3] = 1  # within the same tile
    assert lines.pooled(feature_map).tolist() == lines.pooled(moved).tolist()
    moved[3, 3], moved[4, 4] = 0, 1
    assert lines.pooled(feature_map).tolist() != lines.pooled(moved).tolist()


def test_a_shift_moves_images_and_brings_zeros_in():
    x = np.arange(1, 10).reshape(1, 3, 3, 1)
    assert filters.shifted(x, 1, 0)[0, ..., 0].tolist() == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert filters.shifted(x, 0, -2)[0, ..., 0].tolist() == [[3, 0, 0], [6, 0, 0], [9, 0, 0]]
    assert filters.shifted(x, 0, 0).tolist() == x.tolist()


def test_max_pooling_minds_a_shift_less_than_leaving_values_out():
    keras.utils.set_random_seed(0)
    model = convnet.build((8, 8, 1), 10, filters=(8,), kernel_size=3, units=4)
    found = filters.shift_invariance(model, filters.stages(model)[0], fdl.load_dataset("digits").test.x[:50])
    assert found["max_pooled"][0] == found["feature_map"][0] == 0
    assert found["max_pooled_unchanged"][0] == 1
    assert (found["max_pooled"][1:] < found["subsampled"][1:]).all()
    assert (np.diff(found["max_pooled"]) > 0).all()


@pytest.mark.parametrize(
    ("build", "options", "expected"),
    [
        (convnet.build, {}, [("conv_1", "conv_1_relu", "pool_1"), ("conv_2", "conv_2_relu", "pool_2")]),
        (
            convnet.build,
            {"batch_norm": True},
            [("conv_1", "conv_1_relu", "pool_1"), ("conv_2", "conv_2_relu", "pool_2")],
        ),
    ],
)
def test_the_stages_of_a_network_are_found(build, options, expected):
    model = build((16, 16, 1), 3, **options)
    found = [(each.convolution.name, each.maps.name, each.pooling.name) for each in filters.stages(model)]
    assert found == expected


def test_stages_without_pooling_are_found_in_deeper_networks():
    found = filters.stages(vgg.build((32, 32, 3), 3, convolutions=(2, 1), filters=(2, 3), units=4))
    assert [each.pooling is None for each in found] == [True, False, False]
    assert filters.stages(lstm.build()) == []
    found = filters.stages(alexnet.build((64, 64, 3), 3, filters=(2, 2, 2, 2, 2), padding="same", units=4))
    assert [each.pooling is None for each in found] == [False, False, True, True, False]


@pytest.fixture(scope="module")
def convnet_run(inside_root):
    model = {"name": "convnet", "filters": [4, 4], "kernel_size": 3, "units": 32, "dropout": 0.0}
    optimizer = {"name": "adam", "learning_rate": 0.01}
    return fdl.train(model, data="digits", optimizer=optimizer, epochs=4, seed=0, root=inside_root, **QUIET)


@pytest.fixture(scope="module")
def found(convnet_run):
    return fdl.features(convnet_run, 3, examples=200, method="pca")


def test_maps_and_filters_are_those_of_the_layer(found, convnet_run):
    model, image = convnet_run.model, fdl.load_dataset("digits").test.x[3:4]
    layer = model.get_layer("conv_1")
    np.testing.assert_allclose(found.maps, np.maximum(np.asarray(layer(image))[0], 0), atol=1e-6)
    np.testing.assert_array_equal(found.filters, layer.kernel)
    assert found.layer == "conv_1"


def test_all_its_figures_and_numbers_are_in_the_runs_artifacts(found, convnet_run):
    names = {file.name for file in found.files}
    stems = {"filters_conv_1.json", "maps_conv_1.json", "shift_conv_1.csv", "pca.csv", "line_detectors.json"}
    assert names == stems | {f"{name.partition('.')[0]}.png" for name in stems}
    assert all(file.parent == convnet_run.path / "artifacts" / "features" for file in found.files)
    maps = json.loads(next(file for file in found.files if file.name == "maps_conv_1.json").read_text())
    np.testing.assert_allclose(maps["feature_maps"], found.maps, rtol=1e-6)


def test_the_hidden_layer_brings_classes_together(found):
    embedding = found.embedding
    assert embedding.layer == "fc_relu"
    assert embedding.points.shape == (200, 2)
    assert 0.8 < embedding.neighbour_accuracy <= 1
    assert neighbour_accuracy(np.array([[0.0], [1], [10], [11]]), np.array([0, 0, 1, 2])) == 0.5


@pytest.mark.slow
def test_tsne_keeps_neighbours_together(convnet_run):
    embedding = fdl.features(convnet_run, examples=200).embedding
    assert neighbour_accuracy(embedding.points, embedding.targets) > 0.8


def test_a_hidden_layer_that_computes_in_bfloat16_is_drawn_too():
    units = [keras.layers.Dense(8, dtype="mixed_bfloat16"), keras.layers.Dense(2, dtype="mixed_bfloat16")]
    model = keras.Sequential([keras.Input((4,)), *units])
    x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    points = embedded(model, x, np.arange(30) % 2, classes=True, method="pca").points
    assert points.shape == (30, 2)
    assert np.isfinite(points).all()


def test_frozen_layers_are_hidden_layers_too():
    model = lstm.build((5, 2), 3, units=4)
    hidden = last_hidden(model)
    for layer in model.layers[:-1]:
        layer.trainable = False
    assert last_hidden(model) is hidden


def test_the_last_hidden_layer():
    assert last_hidden(convnet.build((8, 8, 1), 3)).name == "fc_relu"
    assert last_hidden(lstm.build()).name == "recurrent"
    assert last_hidden(fdl.create_model("linear")) is None


def test_an_image_file_is_taken_in_the_models_size_and_range(convnet_run, tmp_path):
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, 20:] = 255
    Image.fromarray(pixels).save(tmp_path / "half.png")
    found = fdl.features(convnet_run, tmp_path / "half.png", layer="conv_2", method="pca", examples=20)
    assert found.image == "half.png"
    assert found.layer == "conv_2"
    maps = json.loads(next(file for file in found.files if file.name == "maps_conv_2.json").read_text())
    read = np.array(maps["input"])[..., 0]
    assert read.shape == (8, 8)
    assert read[:, 0].max() == pytest.approx(0, abs=0.02)
    assert read[:, -1].min() == pytest.approx(1, abs=0.02)


def test_a_network_without_convolutions_shows_what_it_has(mlp_run):
    found = fdl.features(mlp_run, method="pca", examples=50)
    assert found.layer is None
    assert {file.stem for file in found.files} == {"pca", "line_detectors"}


@pytest.mark.parametrize(
    ("image", "options", "error", "message"),
    [
        ("no-such.png", {}, InvalidData, "no such file"),
        (99999, {}, InvalidOption, "no test example 99999"),
        (None, {"layer": "conv_9"}, InvalidOption, "it has conv_1, conv_2"),
        (None, {"method": "umap"}, InvalidOption, "tsne or pca"),
        (None, {"examples": 3}, InvalidOption, "at least 10"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_sentence(convnet_run, image, options, error, message):
    with pytest.raises(error, match=message):
        fdl.features(convnet_run, image, **options)


def test_a_file_that_is_no_image(convnet_run, tmp_path):
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(InvalidData, match="cannot be read"):
        fdl.features(convnet_run, tmp_path / "text.png")


def test_a_run_with_nothing_to_draw(linear_run):
    with pytest.raises(InvalidData, match="neither images nor hidden layers"):
        fdl.features(linear_run)
    with pytest.raises(InvalidData, match="has no images"):
        fdl.features(linear_run, 3)


def test_the_command_prints_stable_keys(convnet_run, inside_root, monkeypatch, capsys):
    monkeypatch.chdir(inside_root)
    (inside_root / "mlruns").symlink_to(inside_root)
    try:
        assert command(["features", convnet_run.name, "--method", "pca", "--examples", "30", "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        assert command(["features", convnet_run.name, "nothing.png"]) == 2
    finally:
        (inside_root / "mlruns").unlink()
    assert {"run", "image", "layer", "filters", "feature_maps", "shift", "embedding", "files"} <= printed.keys()
    assert printed["filters"] == [3, 3, 1, 4]
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "nothing.png" in error
