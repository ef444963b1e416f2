"""The learning rate range test: the rate grows from step to step, and the loss says which rates work (chapter 2).

Source: L. N. Smith (2017), Cyclical learning rates for training neural networks, arXiv:1506.01186. The rate that is
suggested is the one at which the smoothed loss falls fastest by the logarithm of the rate.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from fdl_zoo.analysis.figure import BLACK, BLUE, ORANGE, SKY, drawing, save
from fdl_zoo.comparison.child import require_one_process
from fdl_zoo.errors import InvalidOption, InvalidSpec, TrainingFailed
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import Resolved, resolve
from fdl_zoo.tracking import default_uri
from fdl_zoo.tracking.folder import ROOT, RunFolder, new_name
from fdl_zoo.tracking.recorder import Recorder
from fdl_zoo.tracking.sender import Sender
from fdl_zoo.training import provenance
from fdl_zoo.training.initial import Initial, settle

DIVERGED = 4.0  # times the lowest smoothed loss, of what the loss fell by
BLOCK = 10  # steps between two looks at the loss
FEWEST_STEPS = 20


@dataclass(frozen=True)
class RateRange:
    """What a range test found.

    Args:
        name: The run that recorded it.
        rates: The learning rate of each step, up to where the loss diverged [steps].
        losses: The loss of each step, before it was taken [steps].
        smoothed: Their centred moving average with Gaussian weights, which does not lag behind [steps].
        suggestion: The rate at which the smoothed loss falls fastest.
        upper: The rate from which the smoothed loss no longer falls.
        diverged: Whether the test met rates at which the loss grows without bound.
        flag: What to give to `fdl train`.
        figures: The curve and its numbers.
    """

    name: str
    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float
    upper: float
    diverged: bool
    flag: str
    figures: tuple[Path, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain facts for `--json`."""
        return {
            "name": self.name,
            "suggestion": self.suggestion,
            "upper": self.upper,
            "diverged": self.diverged,
            "flag": self.flag,
            "learning_rate": self.rates.tolist(),
            "loss": self.losses.tolist(),
            "smoothed_loss": self.smoothed.tolist(),
            "figures": [str(path) for path in self.figures],
        }


def find_lr(
    model: str | Mapping[str, Any] | None = None,
    *,
    data: str | Mapping[str, Any] | None = None,
    optimizer: str | Mapping[str, Any] | None = None,
    config: str | Path | None = None,
    settings: Iterable[str] = (),
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 300,
    smoothing: float | None = None,
    data_dir: str | None = None,
    root: str | Path = ROOT,
    say: Callable[[str], None] = print,
    **values: Any,
) -> RateRange:
    """Train while the learning rate grows from `low` to `high`, and suggest a rate.

    Args:
        model: A model's name, or a mapping of `name` and options.
        data: A dataset's, likewise; by default that of the model's recipe.
        optimizer: An optimizer's, likewise.
        config: A YAML file; what is given here is laid over it.
        settings: Texts `PATH=VALUE`, laid over all else.
        low: The first rate.
        high: The last rate; the test ends earlier where the loss diverges.
        steps: How many steps there are from one to the other.
        smoothing: Standard deviation of the moving average's weights, in steps; None for 8, or an eighth of fewer than
            64 steps.
        data_dir: Where prepared sets lie.
        root: The folder that the test is recorded in.
        say: Receives sentences for the user.
        **values: Any other key of `RunSpec`.

    Raises:
        ZooError: A value is wrong, or the optimizer has no learning rate; nothing has been written then.
        TrainingFailed: The loss was never finite.
    """
    smoothing = min(8.0, steps / 8) if smoothing is None else smoothing
    _check(low, high, steps, smoothing)
    resolved = resolve(make_layers(model, data, optimizer, None, None, config, settings, values), data_dir)
    spec = resolved.spec
    if "learning_rate" not in spec.optimizer.options:
        raise InvalidSpec(
            f"{spec.optimizer.name} has no learning rate to find: its line search chooses each step; name another"
            " optimizer, for example --optimizer adam."
        )
    require_one_process("find-lr", spec)
    resolved, initial = settle(resolved, root)
    spec = resolved.spec
    folder = _begin(resolved, Path(root))
    say(f"range test of {spec.model.name} on {spec.data.name} with {spec.optimizer.name}: {folder.name}")
    sender = Sender(folder, spec.tracking.uri or default_uri(folder.root)) if spec.tracking.enabled else None
    try:
        rates, losses = measure(spec, low=low, high=high, steps=steps, initial=initial)
        found = judged(folder.name, rates, losses, smoothing, spec.optimizer.name)
        found = _draw(found, spec, folder)
    except KeyboardInterrupt:
        folder.finish("KILLED", "interrupted from the keyboard")
        raise
    except BaseException as error:
        folder.finish("FAILED", str(error) or type(error).__name__)
        raise
    else:
        folder.finish("FINISHED", metrics={"suggested_learning_rate": found.suggestion})
    finally:
        message = sender.close() if sender else None
        if message:
            say(message)
    return found


def _check(low: float, high: float, steps: int, smoothing: float) -> None:
    if not 0 < low < high < math.inf:
        raise InvalidOption(f"Rates cannot go from {low:g} to {high:g}: the test climbs from above 0 upwards.")
    if steps < FEWEST_STEPS:
        raise InvalidOption(f"steps cannot be {steps}: fewer than {FEWEST_STEPS} show no curve.")
    if not 0 < smoothing < steps / 4:
        raise InvalidOption(f"smoothing cannot be {smoothing:g}: it lies between 0 and a quarter of the steps.")


def _begin(resolved: Resolved, root: Path) -> RunFolder:
    spec = resolved.spec
    facts = {**provenance.starting_facts(), "experiment": spec.experiment, "origins": dict(resolved.origins)}
    name = new_name(f"find-lr-{spec.model.name}", spec.data.name)
    return RunFolder.create(name, spec=spec.to_yaml(), facts=facts | {"kind": "find-lr"}, root=root)


def measure(
    spec: Any, *, low: float, high: float, steps: int, initial: Initial | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The rate and the loss of each step [steps], up to where the loss diverges.

    Args:
        spec: The resolved `RunSpec`; its optimizer gets a schedule in the place of its rate.
        low: The first rate.
        high: The last rate.
        steps: How many steps the rates are spread over.
        initial: The weights to start from; None for random ones.
    """
    from fdl_zoo import backend, catalogue

    backend.load()
    from fdl_zoo.training.accelerate import install
    from fdl_zoo.training.build import build_model, check_data, make_batches
    from fdl_zoo.training.numerics import numerics
    from fdl_zoo.training.strategy import place

    placement = place(spec.devices, spec.strategy)
    data = catalogue.load_dataset(spec.data.name, **spec.data.options)
    check_data(data, spec)
    with numerics(spec.seed, spec.precision):
        with placement.scope():
            model = build_model(spec, data, initial.load if initial else None)
            model.optimizer.learning_rate = climb(low, high, steps)
        batches, watch = make_batches(data, spec, model), make_watch(steps)
        with placement.device():
            feed, _ = install(model, batches, jit=spec.jit, block=BLOCK)
            model.fit(feed, epochs=math.ceil(steps / len(batches)), callbacks=[watch], shuffle=False, verbose=0)
    losses = np.asarray(watch.losses[:steps], float)
    return low * (high / low) ** (np.arange(len(losses)) / (steps - 1)), losses


def climb(low: float, high: float, steps: int) -> Any:
    """A Keras schedule from `low` to `high` in `steps` steps, even in the logarithm."""
    import keras

    return keras.optimizers.schedules.ExponentialDecay(low, decay_steps=steps - 1, decay_rate=high / low)


def make_watch(steps: int) -> Any:
    """A Keras callback that keeps the loss of every step in `losses` and ends training where it diverges."""
    import keras

    from fdl_zoo.training.engine import Engine

    class Watch(keras.callbacks.Callback):
        """Reads the losses of each block from the engine."""

        at_block_end = True

        def __init__(self) -> None:
            super().__init__()
            self.losses: list[float] = []

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            """Keep this block's losses; stop once there are enough, or they have diverged."""
            self.losses += [float(loss) for loss in Engine.of(self.model).losses]
            if len(self.losses) >= steps or diverged_at(self.losses) is not None:
                self.model.stop_training = True

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            """The decision holds beyond the block in which it was taken."""
            if len(self.losses) >= steps or diverged_at(self.losses) is not None:
                self.model.stop_training = True

    return Watch()


def moving_average(losses: Sequence[float], keep: float) -> np.ndarray:
    """The exponential moving average of losses, which looks back only, corrected for its start at zero [steps]."""
    average, found = 0.0, []
    for step, loss in enumerate(losses, start=1):
        average = keep * average + (1 - keep) * loss
        found.append(average / (1 - keep**step))
    return np.asarray(found)


def diverged_at(losses: Sequence[float], keep: float = 0.8) -> int | None:
    """The step at which the loss has left all that it had reached, or is no longer finite; None where it has not."""
    losses = np.asarray(losses, float)
    finite = np.isfinite(losses)
    end = len(losses) if finite.all() else int(np.argmin(finite))
    if end:
        smoothed = moving_average(losses[:end], keep)
        lowest = np.minimum.accumulate(smoothed)
        fallen = smoothed[0] - lowest
        high = smoothed > np.maximum(smoothed[0], lowest) + DIVERGED * np.maximum(fallen, 0.25 * np.abs(smoothed[0]))
        if high.any():
            return int(np.argmax(high))
    return None if end == len(losses) else end


def judged(name: str, rates: np.ndarray, losses: np.ndarray, smoothing: float, optimizer: str) -> RateRange:
    """What rates and losses say: cut where they diverged, smoothed, with the rate of the steepest fall.

    Raises:
        TrainingFailed: The loss diverged at once, or never fell.
    """
    end = diverged_at(losses)
    cut = len(losses) if end is None else end
    if cut < FEWEST_STEPS // 2:
        raise TrainingFailed(f"The loss diverged within {cut} steps: begin at a smaller rate, with --low.")
    rates, losses = rates[:cut], losses[:cut]
    smoothed = gaussian_filter1d(losses, smoothing, mode="nearest")
    lowest = int(np.argmin(smoothed))
    slope = np.gradient(smoothed, np.log(rates))
    if lowest == 0:
        raise TrainingFailed("The loss fell at no rate: take another range (--low, --high), or more steps (--steps).")
    steepest = int(np.argmin(slope[: lowest + 1]))
    suggestion = float(f"{rates[steepest]:.2g}")
    flag = f"--optimizer {optimizer} --lr {suggestion:g}"
    return RateRange(name, rates, losses, smoothed, suggestion, float(rates[lowest]), end is not None, flag)


def _draw(found: RateRange, spec: Any, folder: RunFolder) -> RateRange:
    caption = (
        f"Learning rate range test: {spec.model.name} on {spec.data.name} with {spec.optimizer.name}, batch size"
        f" {spec.batch_size}; the smoothed loss falls fastest at {found.suggestion:g} ({folder.name})."
    )
    with drawing(caption) as figure:
        axes = figure.add_subplot()
        axes.plot(found.rates, found.losses, ".", color=SKY, markersize=3, label="each step")
        axes.plot(found.rates, found.smoothed, color=BLUE, label="moving average")
        axes.axvline(found.suggestion, color=ORANGE, linestyle="--", label=f"falls fastest: {found.suggestion:g}")
        axes.axvline(found.upper, color=BLACK, linestyle=":", label=f"falls no more: {found.upper:.2g}")
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("training loss")
        start, lowest = found.smoothed[0], found.smoothed.min()
        axes.set_ylim(lowest - 0.3 * (start - lowest), start + 1.1 * (start - lowest))  # room for the legend above
        axes.legend(loc="upper left", fontsize=9)
    numbers = {"learning_rate": found.rates, "loss": found.losses, "smoothed_loss": found.smoothed}
    names = save(Recorder(folder), "find_lr/curve", figure, numbers)
    return RateRange(**{**found.__dict__, "figures": tuple(folder.artifacts / name for name in names)})
