"""The runs of a working directory, found by name, filtered, sorted and compared; read from their folders alone."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fdl_zoo import catalogue
from fdl_zoo.entry import normalise
from fdl_zoo.errors import UnknownName, ZooError
from fdl_zoo.spec import EntryReference, RunSpec
from fdl_zoo.tasks import higher_is_better
from fdl_zoo.tracking.folder import ROOT, find_folder, list_folders
from fdl_zoo.training.run import Run


def runs(
    *,
    status: str | None = None,
    model: str | None = None,
    data: str | None = None,
    optimizer: str | None = None,
    experiment: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    root: str | Path = ROOT,
) -> list[Run]:
    """The runs below `root`, latest start first.

    Args:
        status: Only those with this status.
        model: Only those of this model.
        data: Only those on this dataset.
        optimizer: Only those with this optimizer.
        experiment: Only those of this experiment.
        sort: A final metric such as `test_accuracy`: best first, and those that lack it last.
        limit: At most so many.
        root: The folder that holds `runs/`.

    Raises:
        UnknownName: No run has the metric.
    """
    found = [Run(folder) for folder in list_folders(Path(root))]
    given = {"model": model, "data": data, "optimizer": optimizer}
    wanted = {key: _meant(key, value) for key, value in given.items() if value is not None}
    if status is not None:
        found = [run for run in found if run.status == status.upper()]
    if wanted or experiment is not None:
        specs = [(run, spec) for run in found if (spec := _spec(run)) is not None]
        found = [
            run
            for run, spec in specs
            if all(_is(getattr(spec, key), *meant) for key, meant in wanted.items())
            and experiment in (None, spec.experiment)
        ]
    return (_sorted(found, sort) if sort else found)[:limit]


def _meant(key: str, given: str) -> tuple[str, dict[str, str]]:
    """The entry that `fdl train` would take a name or a path for, and the options that follow from it."""
    registry = catalogue.registry("datasets" if key == "data" else key)
    if member := registry.member(given):
        return member[0].name, member[1]
    if key == "data" and Path(given).suffix in (".csv", ".npz"):
        return Path(given).suffix.lstrip("."), {"path": given}
    try:
        return registry.find(given).name, {}
    except ZooError:  # of a plugin that is not installed any more
        return given, {}


def _is(reference: EntryReference, name: str, options: Mapping[str, str]) -> bool:
    """Whether a specification names this entry with these options; a dataset's version may be left out."""
    known = {key: str(value) for key, value in reference.options.items()}
    chosen = (value in (known.get(key, ""), known.get(key, "").partition(":")[0]) for key, value in options.items())
    return normalise(reference.name) == normalise(name) and all(chosen)


def _spec(run: Run) -> RunSpec | None:
    """The run's specification; None where it is damaged, which must not hide the other runs."""
    try:
        return run.spec
    except ZooError:
        return None


def _sorted(found: list[Run], metric: str) -> list[Run]:
    values = {run: run.metrics.get(metric, math.nan) for run in found}
    known = sorted({name for run in found for name in run.metrics})
    if found and metric not in known:
        raise UnknownName(f"Runs cannot be sorted by {metric!r}: their metrics are {', '.join(known) or 'none'}.")
    sign = -1 if higher_is_better(metric) else 1
    return sorted(found, key=lambda run: (math.isnan(values[run]), sign * values[run]))


def differences(found: Sequence[Run]) -> dict[str, list[Any]]:
    """The values of the specification in which runs differ, by dotted path: a value per run, None where it has none."""
    flat = [spec.flat() if (spec := _spec(run)) else {} for run in found]
    paths = dict.fromkeys(path for each in flat for path in each)
    columns = {path: [each.get(path) for each in flat] for path in paths}
    return {path: values for path, values in columns.items() if any(value != values[0] for value in values)}


def find_run(reference: str, root: str | Path = ROOT) -> Run:
    """The run that a name, an id, a unique prefix of either, or `last` means.

    Raises:
        UnknownName: No run, or more than one, goes by it.
    """
    return Run(find_folder(reference, Path(root))[0])
