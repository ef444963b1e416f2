"""The laws of models: true facts, logits, gradients everywhere, a loss that falls, files that give the model back."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fdl_zoo import catalogue
from fdl_zoo.availability import is_prepared
from fdl_zoo.errors import UnknownName, ZooError
from fdl_zoo.testing.check import Check, Subject, law, require
from fdl_zoo.testing.facts import add_facts, is_own_package, stays_out_of_packages
from fdl_zoo.testing.measure import metric_of
from fdl_zoo.testing.variation import other_values

KIT: list[Check] = []
LARGE = 20_000_000  # parameters above which only the count is checked
EXAMPLES = 16
STEPS = 12
ROUNDING = 1e-4  # of a metric that a card states to four digits
add_facts(KIT, "models")


@dataclass(frozen=True)
class Setting:
    """What a model is checked on.

    Args:
        input_shape: Shape of one example.
        num_outputs: Logits or values per example.
        task: The task that decides targets and loss.
    """

    input_shape: tuple[int, ...]
    num_outputs: int
    task: str


def setting(subject: Subject) -> Setting:
    """The shape of the first recipe's dataset whose card states one; else the card's own; else that of digits."""
    card = subject.entry.card
    for name in card.recipes:
        try:
            data = catalogue.datasets.find(name).card
        except UnknownName:  # "*", a user's own data, or a plugin that is not installed
            continue
        if data.input_shape and data.num_outputs:
            return Setting(data.input_shape, data.num_outputs, _task(card.tasks, data.tasks))
    shape, outputs = card.input_shape or (8, 8, 1), card.num_outputs or 10
    return Setting(shape, outputs, _task(card.tasks, ()))


def _task(accepted: tuple[str, ...], asked: tuple[str, ...]) -> str:
    return next((task for task in asked if task in accepted), (*accepted, "classification")[0])


def _too_large(subject: Subject) -> str:
    """Why only the count is checked: a model of the book's size, which a smaller variant stands for."""
    card = subject.entry.card
    if not _is_large(subject):
        return ""
    return f"{subject.name} has {card.num_params:,} parameters: only their count is checked."


def _states_no_count(subject: Subject) -> str:
    card = subject.entry.card
    stated = card.num_params is not None and card.input_shape is not None and card.num_outputs is not None
    return "" if stated else f"The card of {subject.name} states no parameter count at a shape."


def _gives_no_logits(subject: Subject) -> str:
    task = setting(subject).task
    return "" if task in ("classification", "binary") else f"The task {task} asks for values, not for logits."


def _is_large(subject: Subject) -> bool:
    return (subject.entry.card.num_params or 0) > LARGE


# ---- what a model is checked with


def make(subject: Subject, **options: Any) -> keras.Model:
    """The model at its setting, from seed 0."""
    keras.utils.set_random_seed(0)
    where = setting(subject)
    return subject.build(where.input_shape, where.num_outputs, **options)


def inputs_of(model: keras.Model, count: int = EXAMPLES) -> np.ndarray:
    """Examples for a model [count, ...]: small whole numbers where it takes indices, normal draws elsewhere."""
    generator = np.random.default_rng(0)
    shape = (count, *model.input_shape[1:])
    if "int" in str(model.inputs[0].dtype):
        return generator.integers(0, 2, shape).astype(np.int32)
    return generator.standard_normal(shape).astype(np.float32)


def targets_of(task: str, num_outputs: int, count: int = EXAMPLES) -> np.ndarray:
    """Targets for a task: class indices [count], or values [count, num_outputs]."""
    generator = np.random.default_rng(1)
    if task == "classification":
        return generator.integers(0, num_outputs, count)
    if task == "binary":
        return generator.integers(0, 2, (count, num_outputs)).astype(np.float32)
    return generator.standard_normal((count, num_outputs)).astype(np.float32)


def loss_of(task: str, targets: np.ndarray, outputs: tf.Tensor) -> tf.Tensor:
    """The task's loss from logits or values, a scalar."""
    if task == "objective":
        return tf.reduce_mean(outputs)
    if task == "regression":
        return tf.reduce_mean(tf.square(outputs - targets))
    if task == "binary":
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=outputs))
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=outputs))


def gradients_of(model: keras.Model, task: str) -> tuple[float, list[tf.Tensor | None]]:
    """Loss and gradients of every trainable weight in training mode."""
    x, targets = inputs_of(model), targets_of(task, model.output_shape[-1])
    with tf.GradientTape() as tape:
        loss = loss_of(task, targets, model(x, training=True)) + sum(model.losses)
    weights = [weight.value for weight in model.trainable_weights]
    return float(loss), tape.gradient(loss, weights)


def require_same_outputs(model: keras.Model, other: keras.Model, how: str) -> None:
    """Both models give the same outputs, bit for bit."""
    x = inputs_of(model)
    require(np.array_equal(model(x), other(x)), f"{how} gives other outputs.")


# ---- the laws


@law(KIT, "models", unless=_states_no_count, slow=_is_large)
def has_the_stated_parameters(subject: Subject) -> None:
    """At the card's shape the model has the card's number of parameters and of outputs."""
    card = subject.entry.card
    model = subject.build(card.input_shape, card.num_outputs)
    count = model.count_params()
    require(count == card.num_params, f"the card says {card.num_params:,} parameters, and it has {count:,}.")
    require(
        model.output_shape == (None, card.num_outputs),
        f"the card says {card.num_outputs} outputs, and its output has shape {model.output_shape}.",
    )


@law(KIT, "models")
def has_a_trainable_size(subject: Subject) -> None:
    """A model too large for a test has a variant, in the same file, that is not."""
    if not _too_large(subject):
        return
    original = subject.entry.variant_of or subject.entry
    family = [Subject(entry) for entry in (original, *original.variants())]
    require(
        any(not _too_large(each) for each in family),
        f"it has {subject.entry.card.num_params:,} parameters and no variant below {LARGE:,} to check the rest on.",
    )


@law(KIT, "models", unless=_too_large)
def outputs_a_row_per_example(subject: Subject) -> None:
    """The output is [batch, num_outputs], finite, for any batch size."""
    model = make(subject)
    for count in (1, 3):
        _require_rows(model, count, setting(subject).num_outputs)


def _require_rows(model: keras.Model, count: int, num_outputs: int) -> None:
    outputs = np.asarray(model(inputs_of(model, count)))
    require(
        outputs.shape == (count, num_outputs),
        f"{count} examples give outputs of shape {outputs.shape}, where {(count, num_outputs)} is expected.",
    )
    require(bool(np.isfinite(outputs).all()), "its outputs are not finite.")


@law(KIT, "models", unless=lambda subject: _too_large(subject) or _gives_no_logits(subject))
def outputs_logits(subject: Subject) -> None:
    """Outputs are logits: with large weights they leave [0, 1], where probabilities stay."""
    model = make(subject)
    generator = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(generator.standard_normal(weight.shape))
    outputs = np.asarray(model(inputs_of(model, 64)))
    require(
        outputs.min() < 0 or outputs.max() > 1,
        "with large random weights all its outputs lie in [0, 1]: they are probabilities; leave the softmax or sigmoid"
        " to the loss.",
    )


@law(KIT, "models", unless=_too_large)
def builds_with_each_option(subject: Subject) -> None:
    """Each option may take another value of its type and range; the model then gives finite outputs."""
    for option in subject.entry.options.values():
        for value in other_values(option):
            model = _make_somehow(subject, {option.name: value})
            _require_rows(model, 3, setting(subject).num_outputs)


def _make_somehow(subject: Subject, options: dict[str, Any]) -> keras.Model:
    """The model with an option; some ask for other examples: words for features, or larger images."""
    shape, num_outputs = setting(subject).input_shape, setting(subject).num_outputs
    larger = (*(4 * size for size in shape[:-1]), shape[-1])
    refusals = []
    for tried in (shape, shape[:1], larger):
        try:
            return subject.build(tried, num_outputs, **options)
        except ZooError as error:
            refusals.append(str(error))
    raise AssertionError(f"{options} is refused: {refusals[0]}")


@law(KIT, "models", unless=_too_large)
def gradients_reach_every_weight(subject: Subject) -> None:
    """In training mode every trainable weight has a gradient that is finite and not zero throughout."""
    model = make(subject)
    _, gradients = gradients_of(model, setting(subject).task)
    require(len(gradients) > 0, "it has no trainable weight.")
    sizes = [0.0 if gradient is None else float(tf.reduce_max(tf.abs(gradient))) for gradient in map(_dense, gradients)]
    require(bool(np.isfinite(sizes).all()), "its gradients are not finite.")
    # Below this share of the largest gradient there is rounding only, as for a bias before batch normalization.
    for weight, size in zip(model.trainable_weights, sizes, strict=True):
        require(size > 1e-6 * max(sizes), f"no gradient reaches the weight {weight.path!r}.")


def _dense(gradient: Any) -> tf.Tensor | None:
    return gradient if gradient is None else tf.convert_to_tensor(gradient)


@law(KIT, "models", unless=_too_large)
def learns_a_tiny_batch(subject: Subject) -> None:
    """On sixteen examples the training loss falls within a dozen steps of Adam."""
    model, task = make(subject), setting(subject).task
    optimizer = keras.optimizers.Adam(0.003)
    losses = []
    for _ in range(STEPS):
        loss, gradients = gradients_of(model, task)
        optimizer.apply(gradients, model.trainable_weights)
        losses.append(loss)
    last = float(np.mean(losses[-3:]))
    require(last < losses[0], f"the loss went from {losses[0]:.4g} to {last:.4g} in {STEPS} steps.")


@law(KIT, "models", unless=_too_large)
def comes_back_from_its_config(subject: Subject) -> None:
    """A copy from `get_config` with the same weights gives the same outputs, bit for bit."""
    model = make(subject)
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    require_same_outputs(model, copy, "a copy from its config")


@law(KIT, "models", unless=_too_large)
def comes_back_from_a_file(subject: Subject) -> None:
    """A `.keras` file gives the model back: the same outputs, bit for bit, without custom objects."""
    model = make(subject)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        require_same_outputs(model, keras.saving.load_model(path), "the model read from its file")


@law(KIT, "models", unless=_too_large)
def a_seed_fixes_its_weights(subject: Subject) -> None:
    """The same seed gives the same initial weights, bit for bit."""
    first, second = make(subject).get_weights(), make(subject).get_weights()
    require(
        len(first) == len(second) and all(map(np.array_equal, first, second)),
        "two models from the same seed start with different weights; draw them by Keras's initializers.",
    )


def _has_no_weights(subject: Subject) -> str:
    return "" if subject.entry.card.weights else f"{subject.name} comes without trained weights."


@law(KIT, "models", unless=_has_no_weights)
def its_weights_give_what_they_state(subject: Subject) -> None:
    """The trained weights on its card are there, unaltered, and give the metric that the card states."""
    for dataset, stated in subject.entry.card.weights.items():
        model = catalogue.create_model(subject.name, weights=dataset, **subject.given)
        source = catalogue.datasets.find(dataset).card.source
        if source.startswith("tfds:") and not is_prepared(source):
            continue  # the file is whole and fits; what it gives cannot be seen here
        found = metric_of(model, catalogue.load_dataset(dataset), stated.metric)
        require(
            abs(found - stated.value) <= ROUNDING * max(1.0, abs(stated.value)),
            f"the card says that the weights for {dataset} give {stated.metric} {stated.value}, and it is {found:.6g}.",
        )


@law(KIT, "models", unless=lambda subject: _too_large(subject) or stays_out_of_packages(subject))
def registers_its_classes(subject: Subject) -> None:
    """Classes of its own are registered with Keras under its distribution, so that a saved file says whom it needs."""
    for name in _own_classes(make(subject).get_config()):
        require(
            is_own_package(name, subject),
            f"its class {name!r} is not registered for {subject.entry.distribution}; decorate it with "
            f"@keras.saving.register_keras_serializable(package={subject.entry.distribution!r}).",
        )


def _own_classes(config: Any) -> Iterator[str]:
    """The registered names of what is not Keras's own in a configuration."""
    if isinstance(config, dict):
        module = config.get("module")
        if {"class_name", "module"} <= config.keys() and module != "builtins" and not str(module).startswith("keras"):
            yield str(config.get("registered_name") or config["class_name"])
        for value in config.values():
            yield from _own_classes(value)
    elif isinstance(config, Sequence) and not isinstance(config, str):
        for value in config:
            yield from _own_classes(value)
