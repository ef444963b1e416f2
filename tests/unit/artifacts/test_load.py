"""Loading a model: by run, by file, and refusing what is damaged or would run code."""

import keras
import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo.errors import InvalidData, UnknownName


@pytest.fixture
def saved(tmp_path):
    model = fdl.create_model("logistic_regression", (8, 8, 1), 10)
    model.compile(optimizer=fdl.create_optimizer("momentum"), loss="mse")
    model.save(tmp_path / "model.keras")
    return model, tmp_path / "model.keras"


def test_a_file_gives_the_model_with_its_optimizer(saved):
    model, path = saved
    loaded = fdl.load_model(path)
    x = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype("float32")
    np.testing.assert_array_equal(model(x), loaded(x))
    assert type(loaded.optimizer) is type(model.optimizer)


@pytest.mark.parametrize("kept", [0, 10, 0.5, -20])
def test_a_file_that_was_cut_is_refused_by_its_name(saved, kept):
    _, path = saved
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(InvalidData, match=r"model\.keras cannot be loaded"):
        fdl.load_model(path)


def test_a_damaged_member_is_refused(saved):
    _, path = saved
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InvalidData, match=r"model\.keras cannot be loaded"):
        fdl.load_model(path)


def test_a_missing_file_and_another_kind_of_file_are_refused(tmp_path):
    with pytest.raises(InvalidData, match="there is no such file"):
        fdl.load_model(tmp_path / "none.keras")
    (tmp_path / "text.keras").write_text("not a model")
    with pytest.raises(InvalidData, match=r"damaged, or no \.keras file"):
        fdl.load_model(tmp_path / "text.keras")


def test_code_in_a_file_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(InvalidData, match=r"lambda\.keras is refused: .*Lambda"):
        fdl.load_model(tmp_path / "lambda.keras")


def test_an_unknown_run_is_answered_with_where_to_look(tmp_path):
    with pytest.raises(UnknownName, match="no run yet; `fdl train MODEL` makes one"):
        fdl.load_model("mlp-digits-nothing", root=tmp_path)
