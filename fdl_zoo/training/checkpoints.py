"""Checkpoints of a run: all that the rest of it depends on, in one file written whole or not at all (DESIGN section 8).

A file is a NumPy archive without pickle: the variables in their order, and `about`, a JSON text. Its members carry
check sums, so that a damaged file is noticed and the one before it used.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fdl_zoo.errors import InvalidData
from fdl_zoo.tracking.files import link_whole, write_whole
from fdl_zoo.training.seeds import is_seed
from fdl_zoo.training.strategy import all_replica_values, assign_replicas, replica_values

KEPT = 2
BEST = "best.npz"


@dataclass(frozen=True)
class State:
    """Where a training is, and everything in it.

    Args:
        epoch: Epochs that are done.
        step: Steps that are done of the epoch after them.
        iterations: Steps since the beginning, as the optimizer counts them.
        stopped: A callback has ended the training.
        callbacks: Name and state of each callback, in their order.
        variables: Of the model, with seed generators: an array each, or one per replica of all workers.
        optimizer: Of the optimizer, likewise.
        metrics: Of the metrics, likewise; they matter within an epoch only.
    """

    epoch: int
    step: int
    iterations: int
    stopped: bool = False
    callbacks: list[list[Any]] = field(default_factory=list)
    variables: list[list[np.ndarray]] = field(default_factory=list)
    optimizer: list[list[np.ndarray]] = field(default_factory=list)
    metrics: list[list[np.ndarray]] = field(default_factory=list)


PARTS = ("variables", "optimizer", "metrics")


def parts(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """The variables of a compiled model that a checkpoint holds, by part and in their order."""
    metrics = model.metrics_variables
    known = {id(variable) for variable in metrics}
    own = [variable for variable in model.variables if id(variable) not in known]
    return {"variables": own, "optimizer": list(model.optimizer.variables), "metrics": metrics}


def capture(model: keras.Model, **position: Any) -> State:
    """The state of a compiled model in training, copied; of several workers, all must ask for it at the same point.

    Args:
        model: Compiled and built.
        **position: The other fields of `State`.
    """
    found = parts(model)
    seeds = [each for each in found["variables"] if is_seed(each)]
    of_its_own = {id(each) for each in (*seeds, *found["metrics"])}  # the rest is equal on all replicas
    apart = [each for variables in found.values() for each in variables if id(each) in of_its_own]
    values = dict(zip(map(id, apart), all_replica_values(model.distribute_strategy, apart), strict=True))
    return State(
        **position,
        **{
            name: [values.get(id(each)) or replica_values(each) for each in variables]
            for name, variables in found.items()
        },
    )


def restore(model: keras.Model, state: State, names: tuple[str, ...] = ("variables", "optimizer")) -> None:
    """Put a state into a compiled model.

    Raises:
        InvalidData: The state is of another model or optimizer.
    """
    with model.distribute_strategy.scope():
        if not model.optimizer.built:  # a LossScaleOptimizer that is built again makes more variables
            model.optimizer.build(model.trainable_variables)
        for name in names:
            variables, values = parts(model)[name], getattr(state, name)
            shapes = [tuple(each.shape) for each in variables], [each[0].shape for each in values]
            if shapes[0] != shapes[1]:
                raise InvalidData(
                    f"The checkpoint cannot be restored: it has {len(values)} {name} of other shapes or in another"
                    f" number than the {len(variables)} of this run."
                )
            for variable, value in zip(variables, values, strict=True):
                assign_replicas(variable, value)


def digest(model: keras.Model) -> str:
    """SHA-256 of weights and optimizer state: equal where two trainings stand at the same point, bit for bit."""
    found = hashlib.sha256()
    for name in ("variables", "optimizer"):
        for variable in parts(model)[name]:
            for value in replica_values(variable):
                found.update(str((value.dtype, value.shape)).encode())
                found.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8))  # as it lies there: no copy
    return found.hexdigest()


class Checkpoints:
    """The checkpoints in a run's folder: the newest two of the training, and the best.

    Args:
        folder: `checkpoints/` of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, state: State, names: Set[str] = frozenset({"last"})) -> None:
        """Write a state as the newest (`last`), the best so far (`best`), or both in one file; the newest two are kept.

        Raises:
            OSError: The disk is full or gone; the checkpoints before it are there still.
        """
        newest = self.folder / f"state-{state.epoch:06d}-{state.step:09d}.npz"
        path = newest if "last" in names else self.folder / BEST
        write_whole(path, lambda file: _write(file, state))
        if names == {"best", "last"}:
            link_whole(newest, self.folder / BEST)
        # By age: of a run that went on from an older state, damaged ones may have higher numbers.
        for old in sorted(self._states(), key=lambda path: path.stat().st_mtime_ns, reverse=True)[KEPT:]:
            old.unlink(missing_ok=True)

    def newest(self, warn: Callable[[str], None]) -> State | None:
        """The newest state that can be read; None where there is none. What a kill left half written is removed.

        Args:
            warn: Told of each that is damaged.
        """
        for torn in self.folder.glob(".*.npz.*"):
            torn.unlink(missing_ok=True)
        for path in self._states():
            state = self._read(path, warn)
            if state is not None:
                return state
        return None

    def best(self, warn: Callable[[str], None]) -> State | None:
        """The best state, likewise."""
        return self._read(self.folder / BEST, warn) if (self.folder / BEST).exists() else None

    def clear(self) -> None:
        """Remove the states of a training that is over; its models are kept as `.keras` files."""
        for path in [*self._states(), self.folder / BEST]:
            path.unlink(missing_ok=True)

    def _states(self) -> list[Path]:
        return sorted(self.folder.glob("state-*.npz"), reverse=True)

    def _read(self, path: Path, warn: Callable[[str], None]) -> State | None:
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            cause = str(error).partition("\n")[0]
            warn(f"The checkpoint {path.name} is damaged ({cause}), and is left out.")
            return None


def _write(file: Any, state: State) -> None:
    arrays = {
        f"{name}.{index:05d}.{replica}": value
        for name in PARTS
        for index, values in enumerate(getattr(state, name))
        for replica, value in enumerate(values)
    }
    about = {each.name: getattr(state, each.name) for each in fields(state) if each.name not in PARTS}
    np.savez(file, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)


def _read(path: Path) -> State:
    found: dict[str, dict[int, list[np.ndarray]]] = {name: {} for name in PARTS}
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
        about: Mapping[str, Any] = json.loads(archive["about"].tobytes())
        for key in sorted(archive.files, key=lambda key: (len(key), key)):  # replica 10 comes after replica 9
            name, _, rest = key.partition(".")
            if name in found:
                found[name].setdefault(int(rest.partition(".")[0]), []).append(archive[key])
    return State(**about, **{name: list(values.values()) for name, values in found.items()})
