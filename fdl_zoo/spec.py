"""RunSpec: one training run in names and plain values; read from YAML and options, checked, written as YAML."""

import os
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fdl_zoo.errors import InvalidOption, InvalidSpec

ADDRESSES = "it is http://HOST:PORT, sqlite:///PATH, or another store that MLflow takes"
_SCHEMES = ("sqlite", "http", "https", "postgresql", "mysql", "mssql", "databricks", "databricks-uc", "uc")


def is_address(uri: str) -> bool:
    """Whether a store may answer there: what none does would be tried again by each later command.

    MLflow closed folders of files.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    known = (
        parts.scheme.partition("+")[0] in _SCHEMES
        or uri == "databricks"
        or (parts.scheme in ("", "file") and bool(os.environ.get("MLFLOW_ALLOW_FILE_STORE")))
        or parts.scheme in entry_points(group="mlflow.tracking_store").names
    )
    return known and not (parts.scheme in ("http", "https") and not parts.hostname)


def check_environment() -> None:
    """Refuse a `MLFLOW_TRACKING_URI` at which no store can be.

    Raises:
        InvalidOption: It is set to such a value.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given and not is_address(given):
        shown = given.rpartition("@")[2]  # without a user and password
        raise InvalidOption(
            f"MLFLOW_TRACKING_URI cannot be {shown!r}: {ADDRESSES}; unset, it is the store below mlruns/."
        )


def _counts(value: Any) -> Any:
    """Numbers that count something: true is not 1."""
    if isinstance(value, bool):
        raise ValueError("it is an integer")
    return value


class EntryReference(BaseModel):
    """An entry's name with its options flat beside it; a bare string is short for a name alone."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(min_length=1)

    @property
    def options(self) -> dict[str, Any]:
        """The options beside the name."""
        return dict(self.model_extra or {})


class CheckpointSpec(BaseModel):
    """When a run's state is written, besides at the end of each epoch.

    Args:
        every: Epochs between checkpoints; the last epoch is always written.
        steps: Steps between checkpoints within an epoch; None writes none there.
        seconds: Seconds between them, likewise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: int = Field(default=1, ge=1)
    steps: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)

    _counted = field_validator("every", "steps", mode="before")(_counts)


class TrackingSpec(BaseModel):
    """Where a run is tracked.

    Args:
        enabled: False keeps the run's folder and sends nothing to a store.
        uri: A tracking server's or store's address; None for the embedded store.
        log_every: Steps between two recorded values of `step_loss`; None records epochs only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    uri: str | None = None
    log_every: int | None = Field(default=None, ge=1)

    _counted = field_validator("log_every", mode="before")(_counts)

    @field_validator("uri")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and not is_address(value):
            raise ValueError(ADDRESSES)
        return value


class RunSpec(BaseModel):
    """Everything that decides what a run computes and where it is recorded.

    Args:
        model: The model's name and options.
        data: The dataset's name and options.
        optimizer: The optimizer's name and options.
        init_from: What the weights start from: a dataset that the model's card has weights for, a run, or a file.
        freeze: Names or wildcards of layers whose weights stay as they are.
        callbacks: Further callbacks, in order.
        loss: A loss of Keras by name, or `half_squared_error`; None for the task's.
        metrics: Metrics of Keras by name; None for the task's.
        epochs: Passes over the training split.
        batch_size: Examples per step over all replicas, or `full` for the whole training split in one step; where its
            activations would not fit in memory, in micro-batches over which the optimizer accumulates.
        steps_per_epoch: Steps per epoch where the batch is full.
        drop_remainder: Leave the last, smaller batch out.
        reshuffle: Draw a new order of the examples each epoch; false keeps the first epoch's.
        seed: Decides weights, order of examples and masks.
        devices: For example `cpu:0` or `gpu:0,gpu:1`; None for what TensorFlow chooses.
        strategy: `auto`, `mirrored` or `multiworker`.
        workers: Local processes of a multi-worker trial.
        precision: A dtype policy of Keras.
        jit: Compile with XLA; None lets the engine choose.
        block: Steps per compiled call; None lets the engine choose.
        monitor: The metric by which the best checkpoint is chosen.
        experiment: The experiment's name in the tracking store.
        checkpoint: When checkpoints are written.
        tracking: Where the run is tracked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    model: EntryReference
    data: EntryReference
    optimizer: EntryReference
    init_from: str | None = Field(None, min_length=1)
    freeze: tuple[str, ...] = ()
    callbacks: tuple[EntryReference, ...] = ()
    loss: str | None = None
    metrics: tuple[str, ...] | None = None
    epochs: int = Field(10, ge=1)
    batch_size: int | Literal["full"] = 32
    steps_per_epoch: int | None = Field(None, ge=1)
    drop_remainder: bool = False
    reshuffle: bool = True
    seed: int = Field(0, ge=0, lt=2**31)
    devices: str | None = None
    strategy: Literal["auto", "mirrored", "multiworker"] = "auto"
    workers: int | None = Field(None, ge=1, le=64)  # each is a process with TensorFlow on this machine
    precision: Literal["float32", "float64", "mixed_bfloat16", "mixed_float16"] = "float32"
    jit: bool | None = None
    block: int | None = Field(None, ge=1)
    monitor: str = "val_loss"
    experiment: str = Field("fdl_zoo", min_length=1)
    checkpoint: CheckpointSpec = CheckpointSpec()
    tracking: TrackingSpec = TrackingSpec()

    _counted = field_validator("epochs", "batch_size", "steps_per_epoch", "seed", "workers", "block", mode="before")(
        _counts
    )

    @field_validator("freeze", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("devices")
    @classmethod
    def _well_formed(cls, value: str | None) -> str | None:
        names = [] if value is None else [name.strip().lower() for name in value.split(",")]
        if not all(re.fullmatch(r"(cpu|gpu)(:\d+)?", name) for name in names):
            raise ValueError("write cpu:0, gpu:0 or gpu:0,gpu:1")
        if len(set(names)) < len(names):
            raise ValueError("a device is named twice")
        return value

    @field_validator("batch_size")
    @classmethod
    def _positive(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("it is at least 1, or full")
        return value

    def as_dict(self) -> dict[str, Any]:
        """Plain values in the order of the fields: what YAML and the run's parameters hold."""
        return {key: _plain(value) for key, value in self.model_dump().items()}

    def to_yaml(self) -> str:
        """The specification as YAML that `--config` accepts."""
        return yaml.safe_dump(self.as_dict(), sort_keys=False, default_flow_style=None, width=120)

    def flat(self) -> dict[str, Any]:
        """Every value by its dotted path, callbacks by their name: `optimizer.learning_rate`."""
        return dict(flatten(self.as_dict()))


def _plain(value: Any) -> Any:
    """Tuples as lists; pydantic's own way to JSON would write infinity as null."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested values by dotted path; the items of `callbacks` by their name."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{path}.{key}" if path else str(key))
    elif path == "callbacks" and value:
        for each in value:
            yield from flatten(dict(each), f"callbacks.{each['name']}")
    else:
        yield path, value


def set_path(text: str) -> dict[str, Any]:
    """`PATH=VALUE` as nested values; the value is read as YAML.

    Raises:
        InvalidSpec: There is no `=`, or the value is not YAML.
    """
    path, sign, value = text.partition("=")
    if not sign or not path.strip() or not all(path.split(".")):
        raise InvalidSpec(f"--set cannot be {text!r}: write PATH=VALUE, for example optimizer.learning_rate=0.01.")
    try:
        read = yaml.safe_load(value) if value else ""
    except (yaml.YAMLError, ValueError):  # ValueError: a date such as 2026-13-45
        raise InvalidSpec(f"--set {path} cannot be {value!r}: it is not YAML.") from None
    return nested(path.strip(), read)


def nested(path: str, value: Any) -> dict[str, Any]:
    """A value below its dotted path: `optimizer.rho`, 0.9 gives {"optimizer": {"rho": 0.9}}."""
    *outer, last = path.split(".")
    found = {last: value}
    for part in reversed(outer):
        found = {part: found}
    return found


def read_config(path: str | Path) -> dict[str, Any]:
    """The values of a YAML file.

    Raises:
        InvalidSpec: It cannot be read, or holds something else than a mapping.
    """
    try:
        values = yaml.safe_load(Path(path).read_text("utf-8"))
    except OSError as error:
        raise InvalidSpec(f"The file {str(path)!r} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, or no date of the calendar
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise InvalidSpec(
            f"The file {str(path)!r} is not YAML{where}: write keys and values, as --dry-run does."
        ) from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InvalidSpec(f"The file {str(path)!r} holds no run: write keys and values, as --dry-run does.")
    return values


def read_spec(folder: Path) -> RunSpec:
    """The specification that a run's folder, or a package, holds in `spec.yaml`.

    Raises:
        InvalidSpec: It cannot be read, or is none; names the file.
    """
    path = folder / "spec.yaml"
    values = read_config(path)
    try:
        return RunSpec.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidSpec(f"The file {str(path)!r} is no run's specification: {where}: {first['msg']}.") from None


def validated(values: Mapping[str, Any], origins: Mapping[str, str]) -> RunSpec:
    """A specification from merged values.

    Raises:
        InvalidSpec: A value is missing.
        InvalidOption: A value is of another type or out of range; names its path, value and origin.
    """
    try:
        return RunSpec.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"] if part not in ("int", "literal['full']"))
        if first["type"] == "missing":
            raise InvalidSpec(f"A run needs {path}: it was not given, and no recipe says it.") from None
        if first["type"] == "extra_forbidden":
            section = RunSpec.model_fields[str(first["loc"][0])].annotation
            known = ", ".join(f"{first['loc'][0]}.{name}" for name in getattr(section, "model_fields", ()))
            raise InvalidSpec(f"A run has no key {path!r} ({origins.get(path, 'given')}): it has {known}.") from None
        message = first["msg"].removeprefix("Value error, ").replace("Input should be", "it is").lower()
        message = message.replace("greater than or equal to", "at least")
        message = message.replace("a valid integer", "an integer")
        if first["type"] == "model_type":
            message = f"give {path}.KEY=VALUE, or a mapping"
        origin = f" ({origins[path]})" if path in origins else ""
        if path == "batch_size" and "full" not in message:
            message = "it is a number of examples, or full"
        raise InvalidOption(
            f"{path} cannot be {first['input']!r}{origin}: {message.replace(' a valid', ' a')}."
        ) from None
