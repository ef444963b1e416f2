"""Saved and resumed equals never saved, bit for bit; a state that does not fit is an error."""

import keras
import numpy as np
import pytest

import fdl_zoo.optimizers as optimizers
from fdl_zoo.errors import InvalidData
from fdl_zoo.optimizers import adam, momentum, rmsprop, sgd
from tests.unit.optimizers.oracles import CASES

STEPS = 20


def compiled(optimizer, units: int = 3) -> keras.Model:
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units), keras.layers.Dense(2)])
    model.compile(optimizer=optimizer, loss="mse")
    return model


def advance(model: keras.Model, first: int, steps: int = STEPS) -> list[np.ndarray]:
    """Steps with the gradients of number first, first + 1, ...; the weights after each."""
    weights = []
    for index in range(first, first + steps):
        random = np.random.default_rng(index)
        gradients = [random.normal(size=each.shape).astype(np.float32) for each in model.trainable_variables]
        model.optimizer.apply(gradients, model.trainable_variables)
        weights += model.get_weights()
    return weights


def make(case: str, **base):
    name, options = CASES[case]
    return getattr(optimizers, name).build(**options, **base)


def assert_equal(left: list[np.ndarray], right: list[np.ndarray]) -> None:
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", CASES)
def test_resume_from_a_keras_file_and_from_weights(case, tmp_path):
    base = {"use_ema": True, "ema_overwrite_frequency": 7, "gradient_accumulation_steps": 3}
    model = compiled(make(case, **base))
    advance(model, 0, 5)  # no multiple of 3: the accumulators are half full
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    expected = advance(model, STEPS)

    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert_equal(advance(loaded, STEPS), expected)

    fresh = compiled(make(case, **base))
    fresh.optimizer.build(fresh.trainable_variables)
    fresh.load_weights(tmp_path / "model.weights.h5")
    assert_equal(advance(fresh, STEPS), expected)


def test_resume_with_a_schedule_and_loss_scaling(tmp_path):
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 50)
    model = compiled(keras.optimizers.LossScaleOptimizer(adam.build(learning_rate=schedule), dynamic_growth_steps=5))
    advance(model, 0)
    model.save(tmp_path / "model.keras")
    expected = advance(model, STEPS)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_equal(advance(loaded, STEPS), expected)


def save(model: keras.Model, folder) -> str:
    path = str(folder / "saved.weights.h5")
    model.save_weights(path)
    return path


def trained(optimizer, units: int = 3) -> keras.Model:
    model = compiled(optimizer, units)
    advance(model, 0, 2)
    return model


def test_a_state_is_not_loaded_before_the_optimizer_is_built(tmp_path):
    path = save(trained(adam.build()), tmp_path)
    with pytest.raises(
        ValueError, match=r"before it is built: call `optimizer.build\(model.trainable_variables\)` first"
    ):
        compiled(adam.build()).load_weights(path)


@pytest.mark.parametrize(
    ("saved", "own"),
    [
        (adam.build, momentum.build),  # another number of slots
        (adam.build, lambda: rmsprop.build(centered=True)),  # the same number and shapes, of another rule
        (lambda: rmsprop.build(momentum=0.5), lambda: rmsprop.build(centered=True)),  # the same class, other slots
        (lambda: sgd.build(use_ema=True), lambda: sgd.build(gradient_accumulation_steps=2)),
        (sgd.build, lambda: keras.optimizers.SGD()),
        (lambda: keras.optimizers.Adam(), adam.build),
    ],
    ids=["count", "class", "slots", "base option", "ours into Keras's", "Keras's into ours"],
)
@pytest.mark.filterwarnings("ignore:Skipping variable loading:UserWarning")  # Keras's own answer, in its own optimizer
def test_a_state_of_something_else_is_refused(saved, own, tmp_path):
    path = save(trained(saved()), tmp_path)
    target = trained(own())
    before = [np.array(each) for each in target.optimizer.variables]
    if not isinstance(target.optimizer, optimizers.sgd.BaseOptimizer):
        target.load_weights(path)  # Keras warns; at least it takes nothing
    else:
        with pytest.raises(ValueError, match=r"The state of .* cannot be loaded into fdl_zoo>"):
            target.load_weights(path)
    assert_equal([np.array(each) for each in target.optimizer.variables], before)


def test_a_state_of_other_shapes_is_refused():
    saved, own = trained(adam.build(), units=3).optimizer, trained(adam.build(), units=5).optimizer
    store = {}
    saved.save_own_variables(store)
    with pytest.raises(InvalidData, match=r"first difference in shape is \(4, 3\) against \(4, 5\) at position 2"):
        own.load_own_variables(store)
    with pytest.raises(InvalidData, match="cannot be loaded"):
        own.set_weights([np.array(each) for each in saved.variables])
    del store["3"]
    with pytest.raises(InvalidData, match="cannot be loaded"):
        saved.load_own_variables(store)


def test_weights_without_an_optimizer_are_no_state(tmp_path):
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    plain.save_weights(tmp_path / "plain.weights.h5")
    target = trained(adam.build())
    with pytest.raises(ValueError, match="load the weights before `compile`"):
        target.load_weights(tmp_path / "plain.weights.h5")


def test_a_model_saved_before_training_loads(tmp_path):
    """Its optimizer has no state but a rate and zero steps, so nothing is lost."""
    model = compiled(adam.build(learning_rate=0.25))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert float(loaded.optimizer.learning_rate) == 0.25
    assert_equal(advance(loaded, 0), advance(model, 0))


def test_a_state_saved_before_training_does_not_reset_a_trained_optimizer(tmp_path):
    path = save(compiled(adam.build()), tmp_path)
    with pytest.raises(ValueError, match="cannot be loaded"):
        trained(adam.build()).load_weights(path)


def test_the_order_of_the_state_is_the_file_format():
    """Iteration, rate, then per variable: averages, accumulators, slots; a change would misread older files."""
    optimizer = trained(adam.build(use_ema=True, gradient_accumulation_steps=2, name="adam")).optimizer
    roles = [each.name.rsplit("kernel_")[-1].rsplit("bias_")[-1] for each in optimizer.variables]
    assert roles[:2] == ["iteration", "learning_rate"]
    assert roles[2:10] == ["average"] * 4 + ["gradient_accumulator"] * 4
    assert roles[10:] == ["first_moment", "second_moment"] * 4
    store = {}
    optimizer.save_own_variables(store)
    assert store["layout"].tobytes() == b"fdl_zoo>adam(average, accumulator, first_moment, second_moment)"
