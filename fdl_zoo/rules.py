"""The rules that cross the parts of a run, checked from cards and plain values before TensorFlow loads."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from fdl_zoo import availability, catalogue
from fdl_zoo.entry import Entry
from fdl_zoo.errors import InvalidOption, InvalidSpec
from fdl_zoo.keras_source import keras_names
from fdl_zoo.spec import RunSpec, check_environment
from fdl_zoo.tasks import TASKS, check_fits

# Options of a model that draw at random in training, or change weights behind the optimizer's back.
_RANDOM_OPTIONS = ("dropout", "batch_norm", "max_norm")


def check(spec: RunSpec, origins: Mapping[str, str]) -> None:
    """Refuse parts that do not go together.

    Raises:
        InvalidSpec: With one sentence: what was given, why it cannot be, what would work.
        InvalidData: The dataset is neither prepared nor reachable.
        InvalidOption: The environment names a tracking store that cannot be.
    """
    model = catalogue.models.find(spec.model.name)
    data = catalogue.datasets.find(spec.data.name)
    optimizer = catalogue.optimizers.find(spec.optimizer.name)
    if "full_batch" in optimizer.card.capabilities:
        _full_batch(spec, origins, optimizer)
        _whole_loss(spec, optimizer)
        _same_objective(spec, model, optimizer)
    _steps(spec)
    _task(model, data)
    _shape(model, data)
    _placement(spec)
    _names(spec, data)
    if spec.tracking.enabled and spec.tracking.uri is None:
        check_environment()
    if source := availability.source_of(data.card.source, spec.data.options):
        availability.require(source, spec.data.options.get("data_dir"))


def _full_batch(spec: RunSpec, origins: Mapping[str, str], optimizer: Entry) -> None:
    if spec.batch_size != "full":
        origin = origins.get("batch_size", "default")
        raise InvalidSpec(
            f"{optimizer.name} cannot work with batch_size {spec.batch_size} ({origin}): its line search needs the loss"
            " of the whole training split; leave the batch size out, or give `full`."
        )


def _whole_loss(spec: RunSpec, optimizer: Entry) -> None:
    if spec.precision == "mixed_float16":
        raise InvalidSpec(
            f"{optimizer.name} cannot train with precision mixed_float16: its line search needs the loss that scaling"
            " hides; use float32 or mixed_bfloat16, or choose another optimizer."
        )


def _same_objective(spec: RunSpec, model: Entry, optimizer: Entry) -> None:
    """A line search compares losses, so the same weights must have the same loss."""
    if changes := spec.data.options.get("augment"):
        raise InvalidSpec(
            f"{optimizer.name} cannot train on {spec.data.name} with augment={list(changes)}: its line search needs"
            " examples that stay the same from epoch to epoch; leave augment out, or choose another optimizer."
        )
    random = [f"{name}={value}" for name, value in spec.model.options.items() if name in _RANDOM_OPTIONS and value]
    if random or "random_objective" in model.card.capabilities:
        what = ", ".join(random) or "random layers"
        raise InvalidSpec(
            f"{optimizer.name} cannot train {model.name} with {what}: its line search needs a loss that is the same at"
            " the same weights; switch that off, or choose another optimizer."
        )


def _steps(spec: RunSpec) -> None:
    if spec.steps_per_epoch is not None and spec.batch_size != "full":
        raise InvalidSpec(
            f"steps_per_epoch cannot be {spec.steps_per_epoch} with batch_size {spec.batch_size}: an epoch is one pass"
            " over the training split; it goes with batch_size full only."
        )


def _task(model: Entry, data: Entry) -> None:
    if not model.card.tasks or not data.card.tasks or set(model.card.tasks) & set(data.card.tasks):
        return
    fitting = [entry.name for entry in catalogue.datasets.entries() if set(model.card.tasks) & set(entry.card.tasks)]
    hint = f"it trains on {', '.join(fitting[:4])}" if fitting else "`fdl list models` shows each model's task"
    raise InvalidSpec(
        f"{model.name} cannot train on {data.name}: it is a model for {' or '.join(model.card.tasks)},"
        f" and this dataset is for {' or '.join(data.card.tasks)}; {hint}."
    )


def _shape(model: Entry, data: Entry) -> None:
    """Sequence models need [time, features] or [time] with a vocabulary, image models [height, width, channels]."""
    shape = data.card.input_shape
    if shape is None:
        return
    if "sequence" in model.card.capabilities and len(shape) > 2:
        raise InvalidSpec(
            f"{model.name} cannot train on {data.name}: it reads sequences [time, features], and this dataset has"
            f" examples of shape {list(shape)}; `fdl list datasets --tag sequence` shows those that fit."
        )
    if "image" in model.card.capabilities and len(shape) != 3:
        raise InvalidSpec(
            f"{model.name} cannot train on {data.name}: it reads images [height, width, channels], and this dataset has"
            f" examples of shape {list(shape)}; `fdl list datasets --tag images` shows those that fit."
        )


def _placement(spec: RunSpec) -> None:
    several = spec.strategy == "multiworker" or (spec.devices is not None and len(spec.devices.split(",")) > 1)
    if spec.workers is not None and spec.strategy != "multiworker":
        raise InvalidSpec(
            f"workers cannot be {spec.workers} with strategy {spec.strategy}: give --strategy multiworker too."
        )
    if spec.workers == 1:
        raise InvalidSpec(
            "workers cannot be 1: strategy multiworker needs at least two workers; give --workers 2, or leave strategy"
            " and workers out to train in one process."
        )
    if spec.strategy == "multiworker" and spec.devices is not None:
        raise InvalidSpec(
            f"devices cannot be {spec.devices} with strategy multiworker: each worker uses all of its own."
        )
    if spec.precision == "mixed_float16" and several:
        raise InvalidSpec(
            "precision mixed_float16 cannot be used on several devices: Keras looks for overflow"
            " on the first only; use mixed_bfloat16, which needs no loss scaling."
        )
    if spec.jit and several:
        raise InvalidSpec(
            "jit cannot be true on several devices: Keras cannot compile a replicated step;"
            " leave jit out, or name one device."
        )


def _names(spec: RunSpec, data: Entry) -> None:
    """Losses, metrics and the monitored metric must be there."""
    if spec.loss is not None:
        _known("loss", spec.loss, ["half_squared_error", "mean_output", *keras_names("losses")])
    for metric in spec.metrics or ():
        _known("metric", metric, ["accuracy", *keras_names("metrics")])
    if len(data.card.tasks) == 1:
        for noun, name in [("loss", spec.loss), *(("metric", each) for each in spec.metrics or ())]:
            if name is not None:
                check_fits(data.card.tasks[0], noun, name)
        metrics = TASKS[data.card.tasks[0]].metrics if spec.metrics is None else spec.metrics
        recorded = ["loss", *metrics]
        _known("metric to monitor", spec.monitor, [*(f"val_{name}" for name in recorded), *recorded])


def _known(noun: str, name: str, names: Iterable[str]) -> None:
    names = list(dict.fromkeys(names))
    if name in names:
        return
    written = [each for each in names if each.islower()]  # Keras has each name in two spellings
    close = get_close_matches(name.lower(), written, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"it is one of {', '.join(written[:6])}, ..."
    raise InvalidOption(f"There is no {noun} {name!r}: {hint}")
