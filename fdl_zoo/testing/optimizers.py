"""The laws of optimizers: they descend, mean the same eager and compiled, and go on from a file as if never saved.

Everything runs on one convex problem, least squares over eight examples, and always on the full batch, so that the laws
hold for first-order methods and for those that search along lines.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fdl_zoo.entry import normalise
from fdl_zoo.option import Option
from fdl_zoo.signature import BASE_OPTIONS
from fdl_zoo.testing.check import Check, Subject, costly, law, require
from fdl_zoo.testing.facts import add_facts, is_own_package, stays_out_of_packages
from fdl_zoo.testing.variation import other_values

KIT: list[Check] = []
add_facts(KIT, "optimizers")


def _has_no_rate(subject: Subject) -> str:
    return "" if "learning_rate" in subject.entry.options else f"{subject.name} has no learning rate."


def _takes_no_base(subject: Subject) -> str:
    taken = BASE_OPTIONS.keys() <= subject.entry.options.keys()
    return "" if taken else f"The build of {subject.name} does not end in **base."


def _searches(subject: Subject) -> bool:
    """Whether it compiles a search anew for each value of an option."""
    return "full_batch" in subject.entry.card.capabilities


# ---- the problem


def problem() -> tuple[np.ndarray, np.ndarray]:
    """Eight examples [8, 3] and values [8, 2] that a linear layer fits but for noise."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((8, 3)).astype(np.float32)
    noise = 0.1 * generator.standard_normal((8, 2))
    return x, (x @ generator.standard_normal((3, 2)) + 1 + noise).astype(np.float32)


def compiled(optimizer: keras.optimizers.Optimizer, eager: bool = True) -> keras.Model:
    """A linear layer, its start fixed, compiled for least squares."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.set_weights([np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2), np.zeros(2, np.float32)])
    model.compile(optimizer, "mean_squared_error", run_eagerly=eager)
    return model


def trained(model: keras.Model, steps: int) -> list[np.ndarray]:
    """The weights after so many steps on the full batch."""
    x, y = problem()
    for _ in range(steps):
        model.train_on_batch(x, y)
    model.optimizer.finalize_variable_values(model.trainable_weights)  # as `fit` ends
    return model.get_weights()


def _same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


# ---- the laws


@law(KIT, "optimizers")
def descends_a_convex_loss(subject: Subject) -> None:
    """With its defaults the loss of a least-squares problem falls within twenty steps."""
    model = compiled(subject.build())
    x, y = problem()
    before = float(model.test_on_batch(x, y))
    trained(model, 20)
    after = float(model.test_on_batch(x, y))
    require(after < before, f"the loss went from {before:.6g} to {after:.6g} in 20 steps.")


@law(KIT, "optimizers", slow=_searches)
def builds_with_each_option(subject: Subject) -> None:
    """Each option of its own may take another value of its type and range, is kept in `get_config`, and works."""
    for option in subject.entry.options.values():
        if option.name not in BASE_OPTIONS:
            _check_option(subject, option)


@law(KIT, "optimizers", unless=_takes_no_base, slow=costly)
def takes_keras_options(subject: Subject) -> None:
    """Each option of every Keras optimizer is accepted, kept in `get_config`, and works."""
    for name in BASE_OPTIONS:
        _check_option(subject, subject.entry.options[name])


def _check_option(subject: Subject, option: Option) -> None:
    for value in other_values(option):
        options = {option.name: value}
        if option.name.startswith("ema_"):  # they qualify an average, which has to be switched on
            options["use_ema"] = True
        optimizer = subject.build(**options)
        config = optimizer.get_config()
        for name, given in options.items():
            kept = config.get(name)
            require(_is_kept(kept, given), f"{name}={given!r} is {kept!r} in its config.")
        weights = trained(compiled(optimizer), 4)
        require(all(np.isfinite(weight).all() for weight in weights), f"with {options} weights are not finite.")
        copy = type(optimizer).from_config(config)
        require(_same(weights, trained(compiled(copy), 4)), f"with {options} a copy from its config steps elsewhere.")


def _is_kept(kept: Any, given: Any) -> bool:
    """Whether a config has an option's value, but for float32's rounding."""
    numbers = isinstance(kept, (int, float)) and isinstance(given, (int, float))
    return kept == given or (numbers and bool(np.isclose(kept, given)))


@law(KIT, "optimizers")
def comes_back_from_its_config(subject: Subject) -> None:
    """A copy from `get_config`, by way of JSON, has the same configuration and takes the same steps."""
    optimizer = subject.build()
    config = keras.saving.serialize_keras_object(optimizer)
    copy = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    require(type(copy) is type(optimizer), f"its config gives a {type(copy).__name__} back.")
    require(copy.get_config() == optimizer.get_config(), "the config of a copy differs.")
    require(_same(trained(compiled(optimizer), 4), trained(compiled(copy), 4)), "a copy takes other steps.")


@law(KIT, "optimizers")
def goes_on_from_a_file(subject: Subject) -> None:
    """Saved with its model in the middle of training, it goes on from the file bit for bit as if never saved."""
    model = compiled(subject.build())
    trained(model, 3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        read = keras.saving.load_model(path)
    read.run_eagerly = True  # as the original
    states = [[np.asarray(variable) for variable in each.optimizer.variables] for each in (model, read)]
    require(_same(*states), "its state is not the same after it is saved and read.")
    require(_same(trained(model, 3), trained(read, 3)), "after it is saved and read the next steps differ.")


@law(KIT, "optimizers")
def means_the_same_compiled(subject: Subject) -> None:
    """Five steps inside a `tf.function` are five eager steps, but for rounding."""
    eager, graph = (trained(compiled(subject.build(), eager), 5) for eager in (True, False))
    for one, other in zip(eager, graph, strict=True):
        gap = float(np.abs(one - other).max())
        require(gap <= 1e-4, f"after five steps weights differ by {gap:.2g} between eager and compiled.")


@law(KIT, "optimizers")
def repeats_itself(subject: Subject) -> None:
    """The same start gives the same steps, bit for bit."""
    first, second = (trained(compiled(subject.build()), 5) for _ in range(2))
    require(_same(first, second), "two trainings from the same start end with different weights.")


@law(KIT, "optimizers", unless=_has_no_rate)
def follows_a_schedule(subject: Subject) -> None:
    """A Keras schedule is accepted as learning rate, is followed step by step, and comes back from the config."""
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=1, decay_rate=0.5)
    optimizer = subject.build(learning_rate=schedule)
    trained(compiled(optimizer), 3)
    rate, expected = float(optimizer.learning_rate), 0.01 * 0.5**3
    require(
        bool(np.isclose(rate, expected)), f"after 3 steps its rate is {rate:g}, where the schedule has {expected:g}."
    )
    copy = type(optimizer).from_config(optimizer.get_config())
    require(bool(np.isclose(float(copy.learning_rate), 0.01)), "the schedule does not come back from its config.")


@law(KIT, "optimizers", unless=_has_no_rate)
def lets_its_rate_be_set(subject: Subject) -> None:
    """A new `learning_rate` is used from the next step on, as callbacks need it."""
    halved, kept = (compiled(subject.build()) for _ in range(2))
    halved.optimizer.learning_rate = float(halved.optimizer.learning_rate) / 2
    rate = float(halved.optimizer.learning_rate)
    require(not _same(trained(halved, 1), trained(kept, 1)), f"with learning_rate set to {rate:g} it steps as before.")


@law(KIT, "optimizers", unless=stays_out_of_packages)
def registers_its_class(subject: Subject) -> None:
    """Its class is registered with Keras as `<distribution>>name`, so that a saved model says whom it needs."""
    registered = keras.saving.get_registered_name(type(subject.build()))
    entry = subject.entry.variant_of or subject.entry
    name = registered.partition(">")[2]
    require(
        is_own_package(registered, subject) and normalise(name) == normalise(entry.short_name),
        f"its class is registered as {registered!r}, where {entry.distribution}>{entry.short_name} is expected.",
    )
