"""The private names that the base class stands on, each with the Keras or TensorFlow version it was found in.

When one of these fails, a new Keras or TensorFlow moved something: `fdl_zoo/optimizers/_base.py` (or, for TensorFlow,
`_xla.py`) is the one file to mend.
"""

import ast
import inspect
from pathlib import Path

import keras
import pytest
import tensorflow as tf

import fdl_zoo.optimizers
from fdl_zoo.optimizers import _xla, adam
from fdl_zoo.optimizers._base import BaseOptimizer

FOLDER = Path(fdl_zoo.optimizers.__file__).parent
METHODS = {
    "_backend_apply_gradients": ["self", "grads", "trainable_variables"],
    "_clip_gradients": ["self", "grads"],
    "_use_weight_decay": ["self", "variable"],
    "_get_variable_index": ["self", "variable"],
    "add_optimizer_variables": ["self", "trainable_variables", "name", "initializer"],
    "save_own_variables": ["self", "store"],
    "load_own_variables": ["self", "store"],
}


def moved(what: str) -> str:
    return f"Keras {keras.__version__} moved {what}, which fdl_zoo was written for in 3.15: mend optimizers/_base.py."


@pytest.fixture
def optimizer():
    built = adam.build(use_ema=True, gradient_accumulation_steps=2, weight_decay=0.1)
    built.build([keras.Variable([1.0]), keras.Variable([2.0])])
    return built


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    method = getattr(keras.optimizers.Optimizer, name, None)
    assert method is not None, moved(name)
    assert list(inspect.signature(method).parameters) == METHODS[name], moved(f"the arguments of {name}")


@pytest.mark.parametrize(
    ("name", "length"),
    [("_trainable_variables", 2), ("_accumulated_gradients", 2), ("_model_variables_moving_average", 2)],
)
def test_lists(optimizer, name, length):
    assert len(getattr(optimizer, name, ())) == length, moved(name)
    assert all(isinstance(each.value, tf.Variable) for each in getattr(optimizer, name)), moved(name)


def test_the_counter_counts_every_batch(optimizer):
    assert isinstance(optimizer._iterations, keras.Variable), moved("_iterations")
    for _ in range(3):
        optimizer.apply([tf.ones(1), tf.ones(1)])
    assert (int(optimizer._iterations), int(optimizer.iterations)) == (3, 1), moved("_iterations")


def test_the_strategy_is_remembered():
    assert adam.build()._distribution_strategy is tf.distribute.get_strategy(), moved("_distribution_strategy")


def test_keras_calls_the_hook_after_unscaling_and_before_counting(monkeypatch):
    """`apply` must go through the hook once, with raw gradients already divided by the loss scale."""
    seen = []
    hook = BaseOptimizer._backend_apply_gradients

    def spy(self, grads, trainable_variables):
        seen.append((float(grads[0].numpy()[0]), int(self._iterations), trainable_variables))
        hook(self, grads, trainable_variables)

    monkeypatch.setattr(BaseOptimizer, "_backend_apply_gradients", spy)
    variable = keras.Variable([1.0])
    adam.build(loss_scale_factor=4.0, clipnorm=0.1).apply([tf.constant([8.0])], [variable])
    assert len(seen) == 1, moved("_backend_apply_gradients")
    assert seen[0][:2] == (2.0, 0), moved("the order of apply")
    assert seen[0][2][0] is variable, moved("the variables given to _backend_apply_gradients")


def test_the_base_options_are_all_that_keras_has():
    keyword = set(keras.optimizers.Optimizer(learning_rate=0.1).get_config())
    known = {
        "learning_rate",
        "weight_decay",
        "clipnorm",
        "clipvalue",
        "global_clipnorm",
        "use_ema",
        "ema_momentum",
        "ema_overwrite_frequency",
        "loss_scale_factor",
        "gradient_accumulation_steps",
        "name",
    }
    assert keyword == known, moved(f"the base options {sorted(keyword ^ known)}")


def test_merging_replicas():
    assert callable(tf.__internal__.distribute.interim.maybe_merge_call), f"TensorFlow {tf.__version__} moved it."


def test_xla_is_recognized_while_tracing():
    found = {}
    for jit in (True, False):

        @tf.function(jit_compile=jit)
        def trace(jit=jit):
            found[jit] = _xla.compiled()

        trace()
    found["eager"] = _xla.compiled()
    assert found == {True: True, False: False, "eager": False}, f"TensorFlow {tf.__version__} moved the XLA context."


def test_only_the_base_class_touches_private_names_of_keras():
    private = {name for name in dir(adam.build()) if name.startswith("_") and not name.startswith("__")}
    own = {name for name in vars(BaseOptimizer) if name.startswith("_")}
    for path in FOLDER.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        modules = [each.module or "" for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
        assert not [each for each in modules if each.startswith("keras.src")], path.name
        if path.name != "_base.py":
            used = {each.attr for each in ast.walk(tree) if isinstance(each, ast.Attribute)}
            assert not used & (private - own), (
                f"{path.name} uses {sorted(used & (private - own))}; _base.py offers all_variables, index_of and slots."
            )
