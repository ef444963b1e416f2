"""Compares two runs: what differs in specification, data and versions, and the first epoch at which they part."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdl_zoo.spec import flatten
from fdl_zoo.tracking.folder import ROOT
from fdl_zoo.training.resume import as_chosen
from fdl_zoo.training.run import Run
from fdl_zoo.training.runs import find_run

_FACTS = ("versions", "dataset", "init_from", "git_commit", "machine")


@dataclass(frozen=True)
class Difference:
    """What two runs differ in.

    Args:
        runs: Their names.
        values: Of each value that differs, by its dotted path, that of either run.
        epochs: How many epochs both have.
        first_epoch: The first of these after which weights or optimizer differ by a bit, from 1; None where none do.
        metrics: The values of either run after that epoch, or after the last one.
    """

    runs: tuple[str, str]
    values: dict[str, tuple[Any, Any]]
    epochs: int
    first_epoch: int | None
    metrics: dict[str, tuple[float, float]]

    @property
    def equal(self) -> bool:
        """Whether the runs are bit-equal as far as both have come; false where they have no epoch in common."""
        return self.epochs > 0 and self.first_epoch is None

    def as_dict(self) -> dict[str, Any]:
        """Plain facts for `--json`."""
        return {
            "runs": list(self.runs),
            "equal": self.equal,
            "epochs": self.epochs,
            "first_epoch": self.first_epoch,
            "values": {name: list(pair) for name, pair in self.values.items()},
            "metrics": {name: list(pair) for name, pair in self.metrics.items()},
        }


def diff(one: str | Run, other: str | Run, *, root: str | Path = ROOT) -> Difference:
    """What differs between two runs, and from which epoch on.

    Args:
        one: A run, by its name, its id, a prefix, or `last`.
        other: Another.
        root: The folder that holds `runs/`.

    Raises:
        UnknownName: There is no such run.
    """
    first, second = (each if isinstance(each, Run) else find_run(each, root) for each in (one, other))
    lines = [{line["epoch"]: line for line in run.folder.history() if "epoch" in line} for run in (first, second)]
    common = sorted(lines[0].keys() & lines[1].keys())
    parted = next((each for each in common if lines[0][each].get("sha256") != lines[1][each].get("sha256")), None)
    shown = parted or (common[-1] if common else None)
    metrics = [{} if shown is None else each[shown]["metrics"] for each in lines]
    return Difference(
        (first.name, second.name),
        _pairs(_values(first), _values(second)),
        len(common),
        parted,
        {
            name: (value, metrics[1][name])
            for name, value in metrics[0].items()
            if _compared(name) and name in metrics[1]
        },
    )


def _values(run: Run) -> dict[str, Any]:
    facts = {name: run.folder.facts[name] for name in _FACTS if run.folder.facts.get(name) is not None}
    return as_chosen(run.folder).flat() | dict(flatten(facts))


def _pairs(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = [*one, *(name for name in other if name not in one)]
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}


def _compared(name: str) -> bool:
    return not name.startswith("system/") and not name.endswith("seconds")
