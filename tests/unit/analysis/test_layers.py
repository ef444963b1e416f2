"""The book's formula for the output of a layer, against the shapes that Keras computes."""

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fdl_zoo as fdl
from fdl_zoo.analysis.layers import layer_rows, output_width


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 4), st.booleans())
def test_the_formula_gives_keras_width(width, extent, stride, same):
    if not same and extent > width:
        return  # Keras refuses it, and so does the formula: nothing fits
    layer = keras.layers.Conv1D(1, extent, strides=stride, padding="same" if same else "valid")
    assert output_width(width, extent, stride, same)[0] == layer.compute_output_shape((1, width, 1))[1]


def test_every_layer_of_the_convnet_has_its_row():
    model = fdl.create_model("convnet", (28, 28, 1), 10)
    rows = {row["name"]: row for row in layer_rows(model)}
    assert rows["conv_1"]["formula"] == "(28 - 5 + 4)/1 + 1 = 28"
    assert rows["pool_2"]["output_shape"] == [None, 7, 7, 64]
    assert rows["fc"]["formula"] == "3136*1024 + 1024 weights"
    assert sum(row["params"] for row in rows.values()) == 3_274_634


@pytest.mark.parametrize("name", ["mlp", "vgg_small", "lstm", "rnn"])
def test_rows_add_up_to_the_models_parameters(name):
    shape = (8, 8) if name in ("lstm", "rnn") else (8, 8, 1)
    model = fdl.create_model(name, shape, 10)
    rows = layer_rows(model)
    assert sum(row["params"] for row in rows) == model.count_params()
    assert [row["output_shape"] for row in rows][-1] == [None, 10]
