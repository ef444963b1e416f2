"""The laws of callbacks: they serve in plain Keras and in a run, repeat themselves, and can be interrupted.

A small convolutional network is trained on generated images, in an empty working directory, so that
nothing that a callback writes stays behind.
"""

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fdl_zoo.data import Context, Dataset, Split
from fdl_zoo.errors import InvalidOption
from fdl_zoo.spec import RunSpec
from fdl_zoo.testing.check import Check, Subject, costly, law, require
from fdl_zoo.testing.facts import add_facts
from fdl_zoo.testing.variation import other_values

KIT: list[Check] = []
EPOCHS = 2
add_facts(KIT, "callbacks")


# ---- what a callback is checked in


class Notes:
    """A tracker that keeps what it is given in a folder; it has the methods of a run's own.

    Args:
        folder: Where files go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Keep values of metrics at `step`."""
        with self._place("metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": int(step), "metrics": dict(metrics)}) + "\n")

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Look for the file, or the folder with files in it."""
        files = [Path(path)] if Path(path).is_file() else [each for each in Path(path).rglob("*") if each.is_file()]
        if not files:
            raise InvalidOption(f"{path} cannot be recorded: it is no file, and no folder with files in it.")

    def log_figure(self, figure: Any, name: str) -> None:
        """Keep a matplotlib figure."""
        figure.savefig(self._place(name))

    def draw_later(self, draw: Callable[[], None]) -> None:
        """Draw at once."""
        draw()

    def _place(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def images() -> Dataset:
    """64 training, 16 validation and 16 test images [8, 8, 1] of three classes, told by their left half."""
    generator = np.random.default_rng(0)

    def split(count: int) -> Split:
        x, y = generator.standard_normal((count, 8, 8, 1)).astype(np.float32), np.arange(count) % 3
        x[:, :, :4] += y[:, None, None, None]
        return Split(x, y)

    return Dataset(split(64), split(16), split(16), (8, 8, 1), 3, "classification", ("dark", "grey", "bright"))


def compiled() -> keras.Model:
    """A small convolutional network that gives logits, from seed 0, compiled."""
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(2, 3, activation="relu", name="conv"),
        keras.layers.Flatten(),
        keras.layers.Dense(3, name="output"),
    ]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss, metrics=["accuracy"], run_eagerly=True)
    return model


def context(model: keras.Model, folder: Path) -> Context:
    """What a run would tell a callback."""
    spec = RunSpec(
        model={"name": "convnet"}, data={"name": "digits"}, optimizer={"name": "sgd"}, epochs=EPOCHS, batch_size=32
    )
    return Context(model, images(), Notes(folder / "artifacts"), folder, spec, "conformance")


def trained(model: keras.Model, callbacks: list[Any], first: int = 0, epochs: int = EPOCHS) -> keras.Model:
    """The model after its epochs of two steps, with validation; `first` is the epoch it goes on from."""
    data = images()
    model.fit(
        data.train.x,
        data.train.y,
        batch_size=32,
        initial_epoch=first,
        epochs=epochs,
        validation_data=(data.validation.x, data.validation.y),
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )
    return model


@contextlib.contextmanager
def elsewhere() -> Iterator[Path]:
    """An empty working directory."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield Path(folder)


class StopAfter(keras.callbacks.Callback):
    """Interrupts training when some epochs are done."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Stop once there are enough."""
        self.model.stop_training = self.model.stop_training or epoch + 1 >= self.epochs


def _offers_no_state(subject: Subject) -> str:
    callback = subject.build()
    offers = hasattr(callback, "get_state") and hasattr(callback, "set_state")
    return "" if offers else f"{subject.name} offers no get_state and set_state."


def _same(one: keras.Model, other: keras.Model) -> bool:
    return all(map(np.array_equal, one.get_weights(), other.get_weights()))


# ---- the laws


@law(KIT, "callbacks")
def serves_in_plain_keras(subject: Subject) -> None:
    """Without a context it survives a short training with validation."""
    with elsewhere():
        trained(compiled(), [subject.build()])


@law(KIT, "callbacks")
def serves_in_a_run(subject: Subject) -> None:
    """With a context it survives a short training, and writes only below the run's folder."""
    with elsewhere() as folder:
        model = compiled()
        run = folder / "run"
        run.mkdir()
        trained(model, [subject.build(context=context(model, run))])
        strays = [path.name for path in folder.iterdir() if path != run]
        require(
            not strays,
            f"in a run it writes {', '.join(strays)} into the working directory; context.folder is the place.",
        )


@law(KIT, "callbacks", slow=costly)
def builds_with_each_option(subject: Subject) -> None:
    """Each option may take another value of its type and range, and training survives it."""
    for option in subject.entry.options.values():
        for value in other_values(option):
            with elsewhere():
                trained(compiled(), [subject.build(**{option.name: value})])


@law(KIT, "callbacks")
def repeats_itself(subject: Subject) -> None:
    """Two trainings with it end with the same weights, bit for bit."""
    with elsewhere():
        first, second = (trained(compiled(), [subject.build()]) for _ in range(2))
    require(_same(first, second), "two trainings with it end with different weights.")


@law(KIT, "callbacks", unless=_offers_no_state)
def keeps_its_state_as_json(subject: Subject) -> None:
    """What `get_state` gives is JSON, and `set_state` brings another one to the same state."""
    with elsewhere() as folder:
        model = compiled()
        first, second = (subject.build(context=context(model, folder)) for _ in range(2))
        trained(model, [first])
        state = first.get_state()
        require(isinstance(state, dict), f"get_state gives a {type(state).__name__}, not a dict.")
        read = json.loads(json.dumps(state))
        require(read == state, f"its state {state} comes back from JSON as {read}.")
        second.set_state(read)
        require(second.get_state() == state, f"set_state leads to {second.get_state()}, not {state}.")


@law(KIT, "callbacks", unless=_offers_no_state)
def goes_on_after_an_interruption(subject: Subject) -> None:
    """Interrupted after half of the epochs and resumed from its state, training ends as if it had not been."""
    with elsewhere() as folder:
        whole = compiled()
        trained(whole, [subject.build(context=context(whole, folder / "whole"))], epochs=4)
        model = compiled()
        first, second = (subject.build(context=context(model, folder / "halves")) for _ in range(2))
        trained(model, [first, StopAfter(2)], epochs=4)
        second.set_state(json.loads(json.dumps(first.get_state())))
        trained(model, [second], first=2, epochs=4)
        require(_same(whole, model), "resumed from its state, training ends with other weights.")
        rates = [float(each.optimizer.learning_rate) for each in (whole, model)]
        require(rates[0] == rates[1], f"resumed from its state, the learning rate ends at {rates[1]}, not {rates[0]}.")
