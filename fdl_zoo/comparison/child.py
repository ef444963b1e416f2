"""A child of a sweep: which specification it is, whether it has been trained already, and what came out of it."""

import hashlib
import itertools
import json
import math
import statistics
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fdl_zoo import catalogue
from fdl_zoo.errors import InvalidSpec, ZooError
from fdl_zoo.spec import EntryReference, RunSpec
from fdl_zoo.tracking.folder import RunFolder, list_folders
from fdl_zoo.training import initial, provenance
from fdl_zoo.training.run import Run

# What says where and how often a run is recorded, and how long a compiled block is, changes none of its results.
WITHOUT_EFFECT = ("experiment", "tracking", "checkpoint", "block")
_PACKAGES = ("fdl-zoo", "keras", "tensorflow")


def spec_digest(spec: RunSpec) -> str:
    """What identifies a child: a fingerprint of everything in its specification that decides its results."""
    deciding = {key: value for key, value in spec.as_dict().items() if key not in WITHOUT_EFFECT}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()


def require_one_process(command: str, spec: RunSpec) -> None:
    """Refuse several workers: what trains a child meets nobody, and TensorFlow can connect a process only once.

    Raises:
        InvalidSpec: The specification asks for them.
    """
    if spec.strategy == "multiworker":
        raise InvalidSpec(
            f"{command} cannot use strategy multiworker: it trains each run in one process; leave strategy out."
        )


@dataclass(frozen=True)
class Child:
    """One run of a sweep, as its statistics need it.

    Args:
        setting: What this run's setting is called, for example `momentum`.
        learning_rate: Its learning rate; None where its optimizer has none.
        seed: Its seed.
        name: The run's name; empty where it was refused before it began.
        status: FINISHED, FAILED, KILLED or INTERRUPTED.
        reason: Why it did not finish.
        epochs: The numbers of its epochs.
        values: The monitored metric at each epoch's end.
        steps: Training steps done by then; of a full-batch optimizer, evaluations of the whole training split.
        seconds: Seconds of training by then, validation included and start-up left out.
        startup: Seconds that the first epoch took longer than the others: tracing and compiling, which an optimizer
            needs once whatever it has to do.
        metrics: Its final metrics.
        reused: It had been trained by an earlier command.
    """

    setting: str
    learning_rate: float | None
    seed: int
    name: str = ""
    status: str = "FAILED"
    reason: str = ""
    epochs: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    steps: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()
    startup: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    reused: bool = False

    @property
    def finished(self) -> bool:
        """Whether it was trained to its end."""
        return self.status == "FINISHED"

    @property
    def final(self) -> float:
        """The monitored metric after the last epoch; NaN where there is none."""
        return self.values[-1] if self.finished and self.values else math.nan

    def as_dict(self) -> dict[str, Any]:
        """Plain facts for `--json`."""
        return {
            "name": self.name,
            "setting": self.setting,
            "learning_rate": self.learning_rate,
            "seed": self.seed,
            "status": self.status,
            "reason": self.reason or None,
            "value": self.final,
            "seconds": self.seconds[-1] if self.seconds else None,
            "startup_seconds": self.startup,
            "metrics": dict(self.metrics),
            "reused": self.reused,
        }


def read_child(folder: RunFolder, setting: str, monitor: str, *, reused: bool = False) -> Child:
    """A child from its run's folder."""
    run = Run(folder)
    spec, history = run.spec, run.history
    lines = [line for line in folder.history() if "epoch" in line and monitor in line["metrics"]]
    durations = history.get("epoch_seconds", [])
    startup = max(0.0, durations[0] - statistics.median(durations[1:])) if len(durations) > 1 else 0.0
    seconds = [total - startup for total in itertools.accumulate(durations)]
    return Child(
        setting=setting,
        learning_rate=spec.optimizer.options.get("learning_rate"),
        seed=spec.seed,
        name=run.name,
        status=run.status,
        reason=folder.reason,
        epochs=tuple(line["epoch"] for line in lines),
        values=tuple(line["metrics"][monitor] for line in lines),
        steps=tuple(line["step"] for line in lines),
        seconds=tuple(seconds[: len(lines)]),
        startup=startup,
        metrics=dict(run.metrics),
        reused=reused,
    )


class Known:
    """The children that need not be trained again, as far as what decides their results is what it was.

    Those that were trained to their end and those whose loss diverged (it would again); where there is none, those that
    this parent pruned, which only its own judge may take. What was trained by other versions of the package, of what it
    stands on or of a plugin, or on files of the user's own that hold other data now, is left out.

    Args:
        root: The folder that holds `runs/`.
        parent: The id of the sweep that asks.
    """

    def __init__(self, root: Path, parent: str) -> None:
        self._folders: dict[str, list[RunFolder]] = {}
        self._digests: dict[str, str] = {}
        self._root = root
        self._loading = threading.Lock()
        pruned = []
        for folder in list_folders(root):
            sweep = folder.facts.get("sweep") or {}
            if sweep.get("role") != "child" or not _ended(folder):
                continue
            if not was_pruned(folder):
                self._folders.setdefault(sweep["digest"], []).append(folder)
            elif sweep["parent"] == parent:
                pruned.append(folder)
        for folder in pruned:
            self._folders.setdefault(folder.facts["sweep"]["digest"], []).append(folder)

    def find(self, spec: RunSpec) -> RunFolder | None:
        """The child that was trained as this one would be now; None where there is none."""
        folders = self._folders.get(spec_digest(spec), ())
        return next((folder for folder in folders if self._same_causes(folder.facts, spec)), None)

    def add(self, folder: RunFolder) -> None:
        """Know a child that has just been trained, if it ended so that it need not be trained again."""
        if _ended(folder):
            self._folders.setdefault(folder.facts["sweep"]["digest"], []).insert(0, folder)

    def _same_causes(self, facts: Mapping[str, Any], spec: RunSpec) -> bool:
        then, now = facts.get("versions") or {}, provenance.versions(spec)
        if any(then.get(name) != now[name] for name in (*_PACKAGES, *provenance.plugins(spec))):
            return False
        if spec.init_from is not None and (facts.get("init_from") or {}).get("sha256") != self._weights(spec):
            return False
        if not isinstance(spec.data.options.get("path"), str):
            return True  # a dataset of a package is as fixed as the package's version
        return (facts.get("dataset") or {}).get("digest") == self._digest(spec.data)

    def _weights(self, spec: RunSpec) -> str:
        """The digest of the weights that a run would start from, read once per sweep; empty where there are none."""
        key = json.dumps([spec.model.name, spec.init_from])
        with self._loading:
            if key not in self._digests:
                try:
                    self._digests[key] = initial.digest(spec.model.name, str(spec.init_from), self._root)
                except (ZooError, OSError):  # the child that is then trained says why
                    self._digests[key] = ""
            return self._digests[key]

    def _digest(self, data: EntryReference) -> str:
        """The digest of the user's own data, loaded once per sweep; empty where they cannot be loaded."""
        key = json.dumps([data.name, data.options], sort_keys=True)
        with self._loading:
            if key not in self._digests:
                try:
                    self._digests[key] = catalogue.load_dataset(data.name, **data.options).digest()
                except ZooError:  # the child that is then trained says why
                    self._digests[key] = ""
            return self._digests[key]


def _ended(folder: RunFolder) -> bool:
    return folder.status == "FINISHED" or bool(folder.facts["sweep"].get("diverged"))


def was_pruned(folder: RunFolder) -> bool:
    """Whether a search gave this child up before its last epoch; its status is FINISHED all the same."""
    return "pruned" in folder.facts["sweep"]


def parents(root: Path, kind: str, digest: str) -> Iterable[RunFolder]:
    """The sweeps of this kind and plan below `root`, latest first."""
    for folder in list_folders(root):
        sweep = folder.facts.get("sweep") or {}
        if sweep.get("role") == "parent" and (sweep.get("kind"), sweep.get("digest")) == (kind, digest):
            yield folder
