"""Where a run computes: one device without a strategy, or several mirrored; alone in knowing `tf.distribute`."""

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fdl_zoo.errors import InvalidOption

MOST_CPUS = 64  # logical ones: each has threads of its own, and thousands start for minutes


@dataclass(frozen=True)
class Placement:
    """The devices of a run.

    Args:
        devices: Their names, such as `CPU:0`.
        strategy: The `tf.distribute` strategy; None on one device, which is fastest and allows XLA.
    """

    devices: tuple[str, ...]
    strategy: Any = None

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Model and optimizer must be made inside: an optimizer captures the strategy when it is constructed."""
        with self.strategy.scope() if self.strategy else tf.device(f"/{self.devices[0]}"):
            yield

    @contextmanager
    def device(self) -> Iterator[None]:
        """Training and evaluation belong inside: by itself TensorFlow computes on its first device, a GPU if any.

        A strategy sees to that itself; its scope must not mirror what callbacks make.
        """
        with nullcontext() if self.strategy else tf.device(f"/{self.devices[0]}"):
            yield


def place(devices: str | None, strategy: str = "auto") -> Placement:
    """The placement that a specification asks for; without one, the first GPU if there is any.

    Args:
        devices: For example `cpu:0` or `gpu:0,gpu:1`.
        strategy: `mirrored` uses a mirrored strategy on one device too; `multiworker` all devices of all workers, which
            TF_CONFIG names and which must have met.

    Raises:
        InvalidOption: A device is malformed, named twice or not there; the message lists those that are.
    """
    if strategy == "multiworker":
        return Placement(("worker",), multiworker())
    names = _parse(devices) if devices else None
    if names:
        _split_cpu(names)
    present = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    if names is None:
        names = (next((name for name in present if name.startswith("GPU")), "CPU:0"),)
    missing = [name for name in names if name not in present]
    if missing:
        raise InvalidOption(f"The device {missing[0].lower()} is not there: use {', '.join(present).lower()}.")
    if len(names) > 1 or strategy == "mirrored":
        return Placement(names, mirrored(names))
    return Placement(names)


def replica_numbers(strategy: Any) -> range:
    """The numbers, among all replicas of all workers, of those in this process."""
    resolver = strategy.cluster_resolver
    if strategy.num_replicas_in_sync == 1 or resolver is None:
        return range(strategy.num_replicas_in_sync)
    here = len(strategy.extended.worker_devices)
    return range(resolver.task_id * here, (resolver.task_id + 1) * here)


def gathered(strategy: Any, values: Sequence[np.ndarray]) -> np.ndarray:
    """What every replica of every worker gives, in their order [replicas, ...]; all workers must ask at the same point.

    Args:
        strategy: Of the model.
        values: For each replica of this process, arrays of one shape and type.
    """
    here = replica_numbers(strategy)
    if len(here) == strategy.num_replicas_in_sync:
        return np.stack(values)

    def in_its_row(context: Any) -> tf.Tensor:
        rows = np.zeros((strategy.num_replicas_in_sync, *values[0].shape), values[0].dtype)
        rows[context.replica_id_in_sync_group] = values[local_index(strategy, context)]
        return tf.constant(rows)

    # A sum with zeros: TensorFlow's own `gather` traces a graph in each call, and takes fifteen times as long.
    return np.array(
        strategy.reduce("SUM", strategy.experimental_distribute_values_from_function(in_its_row), axis=None)
    )


def by_worker(strategy: Any, numbers: Sequence[int]) -> list[list[int]]:
    """What each worker gives for these numbers, in their order; all workers must ask at the same point."""
    here = len(replica_numbers(strategy))
    rows = gathered(strategy, [np.array(numbers)] * here)
    return [[int(number) for number in row] for row in rows[::here]]


def as_first_worker(strategy: Any, *numbers: int) -> list[int]:
    """What worker 0 gives for these numbers: one with more memory, say, would choose others than the rest."""
    return by_worker(strategy, numbers)[0]


def all_replica_values(strategy: Any, variables: Sequence[Any]) -> list[list[np.ndarray]]:
    """As `replica_values` of each variable, but of the replicas of all workers, who must ask at the same point."""
    here = replica_numbers(strategy)
    found = [replica_values(each) for each in variables]
    if len(here) == strategy.num_replicas_in_sync or not found:
        return found
    flat = [
        np.concatenate([np.ravel(values[k % len(values)]).astype(float) for values in found]) for k in range(len(here))
    ]
    parts = np.split(gathered(strategy, flat), np.cumsum([values[0].size for values in found])[:-1], axis=1)
    return [
        [row.reshape(values[0].shape).astype(values[0].dtype) for row in rows]
        for rows, values in zip(parts, found, strict=True)
    ]


def synchronize(model: Any) -> None:
    """Let batch normalization take its moments over the whole batch, where several replicas have a part of it each.

    Otherwise each replica would normalize by its own examples, and keep moving averages of its own.
    """
    if model.distribute_strategy.num_replicas_in_sync > 1:
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True


def local_index(strategy: Any, context: Any) -> int:
    """The number of a replica among those of its own process."""
    return context.replica_id_in_sync_group - replica_numbers(strategy).start


def replica_values(variable: Any) -> list[np.ndarray]:
    """A Keras variable's value: one array, or one per replica of this process where they differ."""
    value = getattr(variable, "value", variable)
    if not isinstance(value, tf.distribute.DistributedValues):
        return [np.array(value)]
    values = [np.array(each) for each in value.values]  # reading one that is summed over replicas would sum it
    return values if any(not np.array_equal(values[0], each, equal_nan=True) for each in values[1:]) else values[:1]


def assign_replicas(variable: Any, values: Sequence[np.ndarray]) -> None:
    """Assigns what `replica_values` or `all_replica_values` gave: one value to all replicas, or to each its own."""
    value = getattr(variable, "value", variable)
    if not isinstance(value, tf.distribute.DistributedValues):
        variable.assign(values[0])
        return
    for number, each in zip(replica_numbers(value.distribute_strategy), value.values, strict=True):
        each.assign(values[number % len(values)])


@functools.cache
def mirrored(names: tuple[str, ...]) -> Any:
    """The process's one `MirroredStrategy` over these devices.

    A second one would number its collective operations as the first did, and TensorFlow refuses the first of them that
    has another shape ("Shape mismatch in the collective instance").
    """
    return tf.distribute.MirroredStrategy(list(names))


@functools.cache
def multiworker() -> Any:
    """The process's one strategy over the workers of TF_CONFIG; it waits until all have come."""
    return tf.distribute.MultiWorkerMirroredStrategy()


class Undivided(tf.distribute.DistributedDataset):
    """Data that Keras does not distribute again: the engine divides each batch among the replicas where it is run.

    Args:
        iterate: Makes the iterator of an epoch.
    """

    def __init__(self, iterate: Callable[[], Iterator]) -> None:
        self._iterate = iterate

    def __iter__(self) -> Iterator:
        return self._iterate()

    @property
    def element_spec(self) -> Any:
        """Not asked for by Keras."""
        raise NotImplementedError  # abstract in TensorFlow: a spec would describe batches, and these are blocks

    def reduce(self, initial_state: Any, reduce_func: Any) -> Any:
        """Not called by Keras."""
        raise NotImplementedError  # abstract in TensorFlow: only the engine draws from these data


def _parse(devices: str) -> tuple[str, ...]:
    names = []
    for word in devices.split(","):
        match = re.fullmatch(r"\s*(cpu|gpu)(?::(\d+))?\s*", word, re.IGNORECASE)
        if not match:
            raise InvalidOption(f"devices cannot be {devices!r}: write cpu:0, gpu:0 or gpu:0,gpu:1.")
        names.append(f"{match[1].upper()}:{int(match[2] or 0)}")
    if len(set(names)) < len(names):
        raise InvalidOption(f"devices cannot be {devices!r}: a device is named twice.")
    return tuple(names)


def _split_cpu(names: tuple[str, ...]) -> None:
    """Make as many logical CPUs as are named; possible only until TensorFlow starts its devices."""
    wanted = 1 + max((int(name[4:]) for name in names if name.startswith("CPU:")), default=0)
    if wanted > MOST_CPUS:
        raise InvalidOption(
            f"The device cpu:{wanted - 1} cannot be made: of one machine's processors TensorFlow makes {MOST_CPUS}"
            f" logical CPUs at most, cpu:0 to cpu:{MOST_CPUS - 1}."
        )
    physical = tf.config.list_physical_devices("CPU")[0]
    logical = tf.config.get_logical_device_configuration(physical) or [None]
    if wanted <= len(logical):
        return
    try:
        tf.config.set_logical_device_configuration(physical, [tf.config.LogicalDeviceConfiguration()] * wanted)
    except RuntimeError:
        raise InvalidOption(
            f"{wanted} logical CPUs cannot be made: TensorFlow has already started with {len(logical)};"
            " ask for them in a fresh process."
        ) from None
