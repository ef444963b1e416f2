"""Trains a run by name: resolves it, says what it will be at once, makes its folder, and hands it to a session."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import Resolved, resolve
from fdl_zoo.spec import RunSpec
from fdl_zoo.tracking.folder import ROOT, RunFolder, new_name
from fdl_zoo.training import provenance
from fdl_zoo.training.cluster import workers
from fdl_zoo.training.follower import follow
from fdl_zoo.training.initial import settle
from fdl_zoo.training.meeting import meet
from fdl_zoo.training.progress import Lines, Progress
from fdl_zoo.training.run import Run


def train(
    model: str | Mapping[str, Any] | None = None,
    *,
    data: str | Mapping[str, Any] | None = None,
    optimizer: str | Mapping[str, Any] | None = None,
    learning_rate: float | None = None,
    callbacks: Iterable[str | Mapping[str, Any]] | None = None,
    config: str | Path | None = None,
    settings: Iterable[str] = (),
    data_dir: str | None = None,
    root: str | Path = ROOT,
    progress: Progress | None = None,
    **values: Any,
) -> Run:
    """Train a model by name and return the finished run.

    Args:
        model: A model's name, or a mapping of `name` and options.
        data: A dataset's, likewise, or the path of the user's own data; by default that of the model's recipe.
        optimizer: An optimizer's, likewise.
        learning_rate: Short for the optimizer's option.
        callbacks: Callbacks to add to those of the recipe.
        config: A YAML file; what is given here is laid over it.
        settings: Texts `PATH=VALUE`, laid over all else.
        data_dir: Where prepared sets lie.
        root: The folder that the run is recorded in, `mlruns` of the working directory by default.
        progress: What shows the progress; a line per epoch by default.
        **values: Any other key of `RunSpec`: `epochs`, `batch_size`, `seed`, `init_from`, `freeze`, ...

    Raises:
        ZooError: A name, option or value is wrong, or parts do not go together; nothing has been written then.
        TrainingFailed: The loss became NaN or infinite; the run is recorded as FAILED.
    """
    layers = make_layers(model, data, optimizer, learning_rate, callbacks, config, settings, values)
    return execute(resolve(layers, data_dir), root=root, progress=progress or Lines())


def first_line(spec: RunSpec, name: str, root: str | Path) -> str:
    """What is printed at once: model, data, optimizer, the run's name and where to look."""
    look = Path(root) / "runs" / name
    return f"{spec.model.name} on {spec.data.name} with {spec.optimizer.name}: run {name}, recorded in {look}"


def execute(
    resolved: Resolved, *, root: str | Path = ROOT, progress: Progress | None = None, verbose: bool = False
) -> Run:
    """Train a resolved specification: the second phase, in which things are built.

    Args:
        resolved: The specification and where its values come from.
        root: The folder that holds `runs/`.
        progress: What shows the progress.
        verbose: Let TensorFlow's messages through.
    """
    progress = progress or Lines()
    with workers(resolved.spec) as cluster:
        if cluster and not cluster.is_chief:
            return follow(cluster, resolved.spec, progress)
        resolved, initial = settle(resolved, root)
        spec = resolved.spec
        name = new_name(spec.model.name, spec.data.name)
        progress.say(first_line(spec, name, root))
        for note in resolved.notes:
            progress.say(note)
        facts = {**provenance.starting_facts(), "experiment": spec.experiment, "origins": dict(resolved.origins)}
        folder = RunFolder.create(name, spec=spec.to_yaml(), facts=facts, root=Path(root))
        readiness = meet(cluster, spec, folder, progress, initial) if cluster else None
        # Only now: what a session imports (NumPy first of all) must not delay the first line.
        from fdl_zoo.training.session import Session

        return Session(spec, folder, progress, verbose, initial=initial, readiness=readiness).run()
