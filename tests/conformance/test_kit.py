"""The kit itself: every law is broken by an entry made to break it, and the suite cannot pass by doing nothing."""

import inspect
import sys
import unittest

import keras
import numpy as np
import pytest

from fdl_zoo import catalogue
from fdl_zoo.card import Card, Weights
from fdl_zoo.data import Dataset, Split, split_indices
from fdl_zoo.entry import normalise
from fdl_zoo.option import Interval, Option, Type
from fdl_zoo.testing import (
    KIT_VERSION,
    KITS,
    Outcome,
    Report,
    check_dataset,
    check_model,
    check_plugin,
    conformance,
    run,
)
from fdl_zoo.testing.callbacks import Notes
from fdl_zoo.testing.variation import other_values
from fdl_zoo.tracking.recorder import Recorder

RANDOM = np.random.default_rng()


@pytest.fixture
def registered():
    """Registers a factory for one test under the name `broken`."""
    made = []

    def register(kind, build, **facts):
        catalogue.registry(kind).register("broken", Card(**facts))(build)
        made.append(kind)
        return "broken"

    yield register
    for kind in made:
        catalogue.registry(kind)._withdraw(normalise("broken"), None)


def law(kind, name):
    return next(check for check in KITS[kind] if check.name == name)


# ---- models


def dense(input_shape, num_outputs, activation=None, **options):
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, keras.layers.Dense(num_outputs, activation=activation, **options)(x))


def good_model(input_shape, num_outputs, *, units: int = 8, dropout: float = 0.1):
    """A model that keeps every law.

    Args:
        units: Hidden neurons.
        dropout: Share of them that is dropped.
    """
    inputs = keras.Input(input_shape)
    x = keras.layers.Dense(units, "relu")(keras.layers.Flatten()(inputs))
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, keras.layers.Dense(num_outputs)(x))


class Forgetful(keras.layers.Layer):
    """Multiplies by a factor that its config forgets."""

    def __init__(self, factor=1.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, x):
        return x * self.factor


def undocumented_model(input_shape, num_outputs, *, units: int = 8):
    """An option without a line."""
    return good_model(input_shape, num_outputs, units=units)


def softmax_model(input_shape, num_outputs):
    """Probabilities."""
    return dense(input_shape, num_outputs, "softmax")


def matrix_model(input_shape, num_outputs):
    """Two rows per example."""
    model = dense(input_shape, 2 * num_outputs)
    return keras.Model(model.input, keras.layers.Reshape((2, num_outputs))(model.output))


def fragile_model(input_shape, num_outputs, *, activation: str | None = None, bias: bool = True):
    """Fails without a bias.

    Args:
        activation: Of the output.
        bias: Whether there is one.
    """
    if not bias:
        raise RuntimeError("no bias, no model")
    return dense(input_shape, num_outputs, activation)


def stuck_model(input_shape, num_outputs):
    """A bias before batch normalization, which takes it away again."""
    model = dense(input_shape, num_outputs)
    x = keras.layers.BatchNormalization()(model.output)
    return keras.Model(model.input, keras.layers.Dense(num_outputs)(x))


def contrary_model(input_shape, num_outputs):
    """Its gradient is turned round, so that the loss rises."""
    inputs = keras.Input(input_shape)
    layer = Contrary(num_outputs)
    return keras.Model(inputs, layer(keras.layers.Flatten()(inputs)))


class Contrary(keras.layers.Dense):
    """A dense layer whose weights get the gradient's opposite."""

    def call(self, x, training=None):
        output = super().call(x)
        return 2 * keras.ops.stop_gradient(output) - output


def forgetful_model(input_shape, num_outputs):
    """Loses its factor on the way."""
    model = dense(input_shape, num_outputs)
    return keras.Model(model.input, Forgetful(3.0)(model.output))


def unseeded_model(input_shape, num_outputs):
    """Starts anywhere."""
    model = dense(input_shape, num_outputs)
    model.set_weights([RANDOM.standard_normal(weight.shape) for weight in model.get_weights()])
    return model


BAD_MODELS = {
    "reads_from_source": (lambda input_shape, num_outputs: dense(input_shape, num_outputs), {}, "no docstring"),
    "documents_its_options": (undocumented_model, {}, "'units' has no line"),
    "has_the_stated_parameters": (
        good_model,
        {"input_shape": (4,), "num_outputs": 2, "num_params": 57},
        "says 57 parameters, and it has 58",
    ),
    "has_a_trainable_size": (
        good_model,
        {"input_shape": (4,), "num_outputs": 2, "num_params": 10**9},
        "no variant below 20,000,000",
    ),
    "outputs_a_row_per_example": (matrix_model, {}, r"shape \(1, 2, 10\)"),
    "outputs_logits": (softmax_model, {}, "they are probabilities"),
    "builds_with_each_option": (fragile_model, {}, "no bias, no model"),
    "gradients_reach_every_weight": (stuck_model, {}, "no gradient reaches the weight 'dense"),
    "learns_a_tiny_batch": (contrary_model, {}, "the loss went from"),
    "comes_back_from_its_config": (forgetful_model, {}, "Forgetful"),
    "comes_back_from_a_file": (forgetful_model, {}, "could not be deserialized"),
    "its_weights_give_what_they_state": (
        good_model,
        {"weights": {"digits": Weights("broken.weights.h5", 64 * "0", "test_accuracy", 1.0, "fdl train broken")}},
        r"broken\.weights\.h5 is missing",
    ),
    "a_seed_fixes_its_weights": (unseeded_model, {}, "different weights"),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_a_broken_model_is_told_so(name, registered):
    build, facts, message = BAD_MODELS[name]
    with pytest.raises(AssertionError, match=message):
        law("models", name)(registered("models", build, **facts))


def test_a_good_model_passes_every_law_that_concerns_it(registered):
    registered("models", good_model, input_shape=(4,), num_outputs=2, num_params=58, ranges={"dropout": "[0, 1)"})
    report = check_model("broken")
    assert {outcome.check for outcome in report if outcome.status == "skipped"} == {
        "registers_its_classes",
        "its_weights_give_what_they_state",
    }
    assert report.ran == len(KITS["models"]) - 2


# ---- optimizers


class Changed(keras.optimizers.SGD):
    """SGD, to be changed."""

    def __init__(self, learning_rate=0.01, scale=1.0, **base):
        super().__init__(learning_rate, **base)
        self.scale = scale


@keras.saving.register_keras_serializable("broken_tests")
class Ascent(Changed):
    """Goes up."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(-gradient, variable, learning_rate)


@keras.saving.register_keras_serializable("broken_tests")
class Scaled(Changed):
    """Its scale matters and is not in its config."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(self.scale * gradient, variable, learning_rate)


@keras.saving.register_keras_serializable("broken_tests")
class Hidden(Changed):
    """Counts its steps where no file sees it, and where a compiled step counts once."""

    count = 0

    def update_step(self, gradient, variable, learning_rate):
        self.count += 1
        super().update_step(gradient / self.count, variable, learning_rate)


@keras.saving.register_keras_serializable("broken_tests")
class Noisy(Changed):
    """Draws noise from nowhere."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient + RANDOM.standard_normal(gradient.shape), variable, learning_rate)


@keras.saving.register_keras_serializable("broken_tests")
class Stubborn(Changed):
    """Keeps the rate that it began with, whatever it is told."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, keras.ops.convert_to_tensor(0.01, variable.dtype))


def optimizer(cls, *taken):
    """A factory whose options are the parameters named."""
    if "scale" in taken:

        def build(*, learning_rate: float = 0.01, scale: float = 1.0):
            """An optimizer.

            Args:
                learning_rate: The step.
                scale: A factor.
            """
            return cls(learning_rate, scale)

    elif "base" in taken:

        def build(*, learning_rate: float = 0.01, **base):
            """An optimizer.

            Args:
                learning_rate: The step.
            """
            base.pop("clipnorm", None)
            return cls(learning_rate, **base)

    else:

        def build(*, learning_rate: float = 0.01):
            """An optimizer.

            Args:
                learning_rate: The step.
            """
            return cls(learning_rate)

    return build


def undocumented_optimizer(*, learning_rate: float = 0.01):
    """An option without a line."""
    return keras.optimizers.SGD(learning_rate)


def float_only_optimizer(*, learning_rate: float = 0.01):
    """Takes numbers only.

    Args:
        learning_rate: The step.
    """
    return keras.optimizers.SGD(float(learning_rate))


BAD_OPTIMIZERS = {
    "reads_from_source": (lambda: keras.optimizers.SGD(), "no docstring"),
    "documents_its_options": (undocumented_optimizer, "'learning_rate' has no line"),
    "descends_a_convex_loss": (optimizer(Ascent), "the loss went from"),
    "builds_with_each_option": (optimizer(Scaled, "scale"), "scale=2.0 is None in its config"),
    "takes_keras_options": (optimizer(Changed, "base"), "clipnorm=0.1 is None in its config"),
    "comes_back_from_its_config": (optimizer(Noisy), "other steps"),
    "goes_on_from_a_file": (optimizer(Hidden), "the next steps differ"),
    "means_the_same_compiled": (optimizer(Hidden), "between eager and compiled"),
    "repeats_itself": (optimizer(Noisy), "different weights"),
    "follows_a_schedule": (float_only_optimizer, "float"),
    "lets_its_rate_be_set": (optimizer(Stubborn), "it steps as before"),
}


@pytest.mark.parametrize("name", BAD_OPTIMIZERS)
def test_a_broken_optimizer_is_told_so(name, registered):
    build, message = BAD_OPTIMIZERS[name]
    with pytest.raises(AssertionError, match=message):
        law("optimizers", name)(registered("optimizers", build))


# ---- callbacks


class Named(keras.callbacks.Callback):
    """A callback with a state."""

    def __init__(self, value=0):
        super().__init__()
        self.value = value

    def get_state(self):
        return {"value": self.value}

    def set_state(self, state):
        self.value = state["value"]


class Failing(Named):
    """Fails at the end of an epoch."""

    def on_epoch_end(self, epoch, logs=None):
        raise RuntimeError("no such layer")


class Littering(Named):
    """Writes where it stands."""

    def on_epoch_end(self, epoch, logs=None):
        with open("litter.txt", "w") as stream:
            stream.write("here")


class Shaking(Named):
    """Adds noise to the weights."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.set_weights([weight + RANDOM.standard_normal(weight.shape) for weight in self.model.get_weights()])


class Opaque(Named):
    """Its state is no JSON."""

    def get_state(self):
        return {"value": {1, 2}}


class Counting(Named):
    """Halves the rate at each epoch that it remembers, and forgets them when it is saved."""

    def on_epoch_end(self, epoch, logs=None):
        self.value += 1
        if self.value >= 3:
            self.model.optimizer.learning_rate = 0.001

    def get_state(self):
        return {}

    def set_state(self, state):
        """Nothing to set."""


def callback(cls):
    def build():
        """A callback."""
        return cls()

    return build


def picky_callback(*, every: int = 1):
    """Serves each epoch only.

    Args:
        every: Epochs between.
    """
    return Named() if every == 1 else Failing()


def undocumented_callback(*, every: int = 1):
    """An option without a line."""
    return Named(every)


BAD_CALLBACKS = {
    "reads_from_source": (lambda: Named(), "no docstring"),
    "documents_its_options": (undocumented_callback, "'every' has no line"),
    "serves_in_plain_keras": (callback(Failing), "RuntimeError: no such layer"),
    "serves_in_a_run": (callback(Littering), "litter.txt"),
    "builds_with_each_option": (picky_callback, "no such layer"),
    "repeats_itself": (callback(Shaking), "different weights"),
    "keeps_its_state_as_json": (callback(Opaque), "JSON"),
    "goes_on_after_an_interruption": (callback(Counting), "other weights"),
}


@pytest.mark.parametrize("name", BAD_CALLBACKS)
def test_a_broken_callback_is_told_so(name, registered):
    build, message = BAD_CALLBACKS[name]
    with pytest.raises(AssertionError, match=message):
        law("callbacks", name)(registered("callbacks", build))


# ---- datasets


def rows(count, seed=0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((count, 3)).astype(np.float32), generator.integers(0, 2, count)


def cut(x, y, order, validation=slice(80, 90), test=slice(90, 100), **facts):
    parts = [Split(x[order[part]], y[order[part]]) for part in (slice(0, 80), validation, test)]
    return Dataset(*parts, **({"input_shape": (3,), "num_outputs": 2, "task": "classification"} | facts))


def dataset(change=lambda data: data, **facts):
    def build(*, seed: int = 0):
        """A hundred rows.

        Args:
            seed: Cuts them.
        """
        x, y = rows(100)
        return change(cut(x, y, np.random.default_rng(seed).permutation(100), **facts))

    return build


def spoilt(value, where="x"):
    def change(data):
        getattr(data.test, where)[3] = value
        return data

    return change


class Backwards(Split):
    """Gives the examples asked for in the wrong order."""

    def take(self, indices, epoch=0):
        return super().take(np.sort(indices))


class Lossy:
    """A normalization that does not lead back."""

    def __call__(self, raw):
        return raw

    def invert(self, x):
        return 2 * x


def backwards(data):
    return Dataset(Backwards(data.train.x, data.train.y), data.validation, data.test, (3,), 2, "classification")


def unseeded_dataset(*, seed: int = 0):
    """Draws anew each time.

    Args:
        seed: Unused.
    """
    x, y = rows(100, seed=None)
    return cut(x, y, np.arange(100))


def tiny_dataset(*, examples: int = 100):
    """Breaks with other numbers of examples.

    Args:
        examples: How many there are.
    """
    x, y = rows(100)
    return cut(x[:examples], y[:examples], np.arange(examples), validation=slice(80, 80 + 10 * (examples == 100)))


BAD_DATASETS = {
    "reads_from_source": (lambda: None, {}, "no docstring"),
    "documents_its_options": (lambda seed=0: None, {}, "'seed' has no line"),
    "has_three_splits": (dataset(test=slice(90, 90)), {}, "test split is empty"),
    "fits_its_card": (dataset(), {"num_outputs": 3}, "the card says num_outputs=3, and it has 2"),
    "has_the_shapes_of_its_task": (dataset(input_shape=(4,)), {}, r"inputs have shape \(3,\)"),
    "has_values_in_range": (dataset(spoilt(7, "y")), {}, "class"),
    "names_its_classes": (dataset(class_names=("one",)), {}, "1 class names, where 2"),
    "takes_what_is_asked_for": (dataset(backwards), {}, "one index"),
    "is_fixed_by_its_seed": (unseeded_dataset, {}, "built twice"),
    "keeps_its_splits_apart": (dataset(validation=slice(79, 89)), {}, "1 of 10 examples of validation are in train"),
    "normalizes_reversibly": (dataset(normalization=Lossy()), {}, "other inputs"),
    "builds_with_each_option": (tiny_dataset, {"ranges": {"examples": "[10, 100]"}}, "validation split is empty"),
}


@pytest.mark.parametrize("name", BAD_DATASETS)
def test_a_broken_dataset_is_told_so(name, registered):
    build, facts, message = BAD_DATASETS[name]
    with pytest.raises(AssertionError, match=message):
        law("datasets", name)(registered("datasets", build, **facts))


def test_values_that_are_not_finite_are_found(registered):
    with pytest.raises(AssertionError, match="not finite"):
        law("datasets", "has_values_in_range")(registered("datasets", dataset(spoilt(np.nan))))


def test_duplicates_in_the_raw_data_are_no_overlap(registered):
    def doubled(*, seed: int = 0):
        """Fifty rows, each twice.

        Args:
            seed: Cuts them.
        """
        x, y = (np.concatenate([each, each]) for each in rows(50))
        return cut(x, y, np.random.default_rng(seed).permutation(100))

    def one_pair(*, seed: int = 0):
        """A hundred rows, of which two are equal, and the first seed parts them.

        Args:
            seed: Cuts them.
        """
        x, y = rows(100)
        order = np.random.default_rng(seed).permutation(100)
        first = np.random.default_rng(0).permutation(100)
        x[first[85]], y[first[85]] = x[first[5]], y[first[5]]
        return cut(x, y, order)

    apart = law("datasets", "keeps_its_splits_apart")
    for build in (doubled, one_pair):
        catalogue.datasets._withdraw("broken", None)
        apart(registered("datasets", build))


def test_a_good_dataset_passes_every_law(registered):
    registered("datasets", dataset(), input_shape=(3,), num_outputs=2, task="classification")
    assert check_dataset("broken").ran == len(KITS["datasets"])


def test_split_indices_keeps_the_law_of_datasets():
    parts = split_indices(100, seed=3)
    assert sorted(np.concatenate(parts)) == list(range(100))


# ---- a plugin's folder

PYPROJECT = """
[project]
name = "sample-plugin"
version = "1.0"
[project.entry-points."fdl_zoo.models"]
own = "sample_plugin_own:build"
stray = "sample_plugin_stray:build"
borrowed = "sample_plugin_borrowed:build"
[project.entry-points."fdl_zoo.optimizers"]
astray = "sample_plugin_optimizer:build"
"""
LAYER = '''"""A plugin's model with a layer of its own."""
import keras

@keras.saving.register_keras_serializable(package="{package}")
class {name}(keras.layers.Dense):
    """A layer."""

def build(input_shape, num_outputs):
    """A model."""
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, {name}(num_outputs)(keras.layers.Flatten()(inputs)))
'''
OPTIMIZER = '''"""A plugin's optimizer, registered for nobody."""
import keras

@keras.saving.register_keras_serializable(package="another-plugin")
class Astray(keras.optimizers.SGD):
    """An optimizer."""

def build():
    """An optimizer."""
    return Astray()
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch, catalogue_afresh):
    folder = tmp_path / "sample"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "sample_plugin_own.py").write_text(LAYER.format(package="sample-plugin", name="Own"))
    (folder / "sample_plugin_stray.py").write_text(LAYER.format(package="another-plugin", name="Stray"))
    (folder / "sample_plugin_borrowed.py").write_text("from sample_plugin_own import build\n")
    (folder / "sample_plugin_optimizer.py").write_text(OPTIMIZER)
    monkeypatch.setenv("FDL_ZOO_PLUGINS", "sample-plugin")
    monkeypatch.setenv("FDL_ZOO_PLUGINS_DIR", str(tmp_path))
    monkeypatch.syspath_prepend(str(folder))
    for module in ("own", "stray", "borrowed", "optimizer"):  # an earlier test's lay elsewhere
        sys.modules.pop(f"sample_plugin_{module}", None)
    catalogue_afresh.refresh()


def test_a_plugins_model_passes_every_law_that_concerns_it(plugin):
    report = check_model("sample-plugin/own")
    assert {each.check for each in report if each.status == "skipped"} == {
        "has_the_stated_parameters",
        "its_weights_give_what_they_state",
    }


def test_a_class_under_a_strangers_name_is_told_so(plugin):
    with pytest.raises(AssertionError, match="'another-plugin>Stray' is not registered for sample-plugin"):
        law("models", "registers_its_classes")("sample-plugin/stray")
    with pytest.raises(AssertionError, match="'another-plugin>Astray', where sample-plugin>astray is expected"):
        law("optimizers", "registers_its_class")("sample-plugin/astray")


def test_options_that_nobody_checks_are_told_so(plugin):
    with pytest.raises(AssertionError, match="no_such_option"):
        law("models", "refuses_bad_options")("sample-plugin/borrowed")


def test_a_whole_plugin_is_reported_without_raising(plugin):
    report = check_plugin("sample-plugin")
    failed = {(each.entry, each.check) for each in report.failures}
    assert ("sample-plugin/stray", "registers_its_classes") in failed
    assert ("sample-plugin/astray", "registers_its_class") in failed
    assert not any(entry == "sample-plugin/own" for entry, _ in failed)
    assert report.ran == report.count("passed", "failed") > 20
    assert report.as_dict()["ran"] == report.ran


def test_an_entry_that_no_check_reaches_fails_the_plugin(tmp_path, monkeypatch, catalogue_afresh):
    for number, name in enumerate(("twin", "Twin")):
        folder = tmp_path / f"folder{number}"
        folder.mkdir()
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\n[project.entry-points."fdl_zoo.models"]\nnet = "twin_{number}:build"\n'
        )
    monkeypatch.setenv("FDL_ZOO_PLUGINS", "all")
    monkeypatch.setenv("FDL_ZOO_PLUGINS_DIR", str(tmp_path))
    catalogue_afresh.refresh()
    report = check_plugin("twin")
    assert [(each.check, each.status) for each in report] == [("registration", "failed")]
    assert "twin_0:build" in report.failures[0].message
    assert not report.passed
    facts = report.as_dict()
    assert (facts["passed"], facts["ran"], facts["kit_version"]) == (False, 1, KIT_VERSION)


def test_an_excuse_for_no_entry_of_the_plugin_is_told(plugin):
    with pytest.raises(AssertionError, match="is for no entry of sample-plugin: take it away"):
        check_plugin("sample-plugin", excuses={("sample-plugin/gone", "reads_from_source"): "it was there once"})


# ---- excuses and empty suites


def test_an_excuse_covers_a_failure_and_a_stale_one_fails(registered):
    registered("datasets", dataset(class_names=("one",)))
    excused = check_dataset("broken", excuses={("broken", "names_its_classes"): "one name is missing"})
    assert excused.count("excused") == 1
    with pytest.raises(AssertionError, match="take the excuse away"):
        check_dataset(
            "broken",
            excuses={("broken", "names_its_classes"): "as before", ("broken", "has_three_splits"): "no reason"},
        )


@pytest.mark.parametrize(
    ("excuses", "message"),
    [
        ({("broken", "no_such_check"): "a reason"}, "is for no check"),
        ({("other", "has_three_splits"): "a reason"}, "is for no check"),
        ({("broken", "has_three_splits"): " "}, "gives no reason"),
    ],
)
def test_an_excuse_is_for_a_check_and_has_a_reason(registered, excuses, message):
    registered("datasets", dataset())
    with pytest.raises(AssertionError, match=message):
        run("datasets", ["broken"], excuses=excuses)
    with pytest.raises(AssertionError, match=message):
        conformance("datasets", ["broken"], excuses=excuses)


def test_a_suite_that_ran_nothing_fails():
    for report in (Report(), Report([Outcome("models", "some", "law", "skipped", "not prepared")])):
        assert report.ran == 0
        assert not report.passed
        with pytest.raises(AssertionError, match="No check ran"):
            report.require_passed()
    with pytest.raises(AssertionError, match="There are no models to test of nobody"):
        conformance("models", origin="nobody")
    with pytest.raises(AssertionError, match="No check ran"):
        check_plugin("nobody").require_passed()


def test_the_decorator_gives_readable_ids_and_strict_expectations(registered):
    registered("datasets", dataset())

    @conformance("datasets", ["broken"], excuses={("broken", "has_three_splits"): "too small"})
    def test(name, check):
        check(name)

    parameters = {each.id: each for each in test.pytestmark[0].args[1]}
    assert "broken-is_fixed_by_its_seed" in parameters
    (mark,) = parameters["broken-has_three_splits"].marks
    assert (mark.name, mark.kwargs["strict"], mark.kwargs["reason"]) == ("xfail", True, "too small")


def test_what_does_not_concern_an_entry_is_skipped_with_a_reason(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(unittest.SkipTest, match="mnist needs a network"):
        law("datasets", "has_three_splits")("mnist")
    with pytest.raises(unittest.SkipTest, match="give the check path=PATH"):
        law("datasets", "has_three_splits")("npz")


def test_an_entry_with_a_required_option_needs_it(registered):
    def build(*, size: int):
        """Rows.

        Args:
            size: How many.
        """
        return dataset()()

    registered("datasets", build)
    with pytest.raises(unittest.SkipTest, match="'size': give it"):
        law("datasets", "has_three_splits")("broken")
    law("datasets", "has_three_splits")("broken", size=3)


def test_the_stand_in_for_a_runs_tracker_has_its_methods():
    for name in ("log_metrics", "log_artifact", "log_figure"):
        assert inspect.signature(getattr(Notes, name)) == inspect.signature(getattr(Recorder, name))


@pytest.mark.parametrize(
    ("stated", "values"),
    [
        (Option("o", Type(choices=("a", "b", "c")), "a"), ["b", "c"]),
        (Option("o", Type((bool,)), False), [True]),
        (Option("o", Type((int,)), 3), [6]),
        (Option("o", Type((float,)), 0.9, range=Interval(0, 1, high_open=True)), [0.45]),
        (Option("o", Type((float,)), 0.0, range=Interval(0, 1, high_open=True)), [0.1]),
        (Option("o", Type((int,)), 0, range=Interval(0)), [1]),
        (Option("o", Type((int,), nullable=True), None, range=Interval(2)), [2]),
        (Option("o", Type((float,), nullable=True), 1.0), [2.0, None]),
        (Option("o", Type(item=Type((int,))), (4, 8)), [(8, 16)]),
        (Option("o", Type(item=Type(choices=("flip", "shift"))), ()), [("flip",), ("shift",)]),
        (Option("o", Type((str,)), "text"), []),
        (Option("monitor", Type((str,)), "val_loss"), ["loss"]),
        (Option("o", Type((int,), choices=("full",)), 32), ["full", 64]),
    ],
)
def test_options_are_varied_inside_their_type_and_range(stated, values):
    assert list(other_values(stated)) == values
    assert all(stated.convert(value, "test") == value for value in values)


# ---- every law is proved to bite


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        ("models", BAD_MODELS),
        ("optimizers", BAD_OPTIMIZERS),
        ("callbacks", BAD_CALLBACKS),
        ("datasets", BAD_DATASETS),
    ],
)
def test_every_law_has_an_entry_that_breaks_it(kind, broken):
    on_a_plugin = {"refuses_bad_options", "registers_its_class", "registers_its_classes"}
    assert {check.name for check in KITS[kind]} - on_a_plugin == set(broken)
