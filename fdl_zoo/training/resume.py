"""Goes on with a run that was killed, from its newest checkpoint, to the result that it would have had."""

from pathlib import Path

from fdl_zoo import rules
from fdl_zoo.errors import InvalidOption
from fdl_zoo.spec import EntryReference, RunSpec, read_spec
from fdl_zoo.tracking.folder import ROOT, RunFolder, find_folder
from fdl_zoo.tracking.secrets import HIDDEN
from fdl_zoo.training.cluster import read, workers
from fdl_zoo.training.follower import follow
from fdl_zoo.training.initial import locate
from fdl_zoo.training.meeting import meet
from fdl_zoo.training.progress import Lines, Progress
from fdl_zoo.training.run import Run


def resume(reference: str, *, root: str | Path = ROOT, progress: Progress | None = None, verbose: bool = False) -> Run:
    """Train on from a run's newest checkpoint, or from its beginning where it has none.

    Weights, optimizer, order of examples, masks, callbacks and history end as if the run had not been interrupted: bit
    for bit on the same machine with the same versions.

    Args:
        reference: The run: its name, its id, a unique prefix of either, or `last`.
        root: The folder that holds `runs/`.
        progress: What shows the progress.
        verbose: Let TensorFlow's messages through.

    Raises:
        UnknownName: There is no such run.
        InvalidOption: The run has finished.
        TrackingError: A process that is alive trains it.
        InvalidData: Its data are no longer those that it began with.
    """
    progress = progress or Lines()
    cluster = read()
    if cluster and not cluster.is_chief:  # the run's folder lies with worker 0
        return follow(cluster, None, progress)
    folder, _ = find_folder(reference, Path(root))
    if folder.status == "FINISHED":
        raise InvalidOption(
            f"The run {folder.name} cannot be resumed: it has finished; `fdl rerun {folder.name}` repeats it, and"
            f" `fdl train MODEL --init-from {folder.name}` starts from its weights."
        )
    spec = to_train_again(folder)
    rules.check(spec, {})
    with workers(spec) as cluster:
        folder.acquire()
        anew = bool(cluster and spec.init_from and not folder.has_state)
        initial = locate(spec.model.name, spec.init_from, root) if anew else None
        progress.say(f"{spec.model.name} on {spec.data.name} with {spec.optimizer.name}: resuming run {folder.name}")
        readiness = meet(cluster, spec, folder, progress, initial, resumed=True) if cluster else None
        from fdl_zoo.training.session import Session

        return Session(spec, folder, progress, verbose, resumed=True, initial=initial, readiness=readiness).run()


def to_train_again(folder: RunFolder) -> RunSpec:
    """A run's specification as `as_chosen` gives it, where it is whole: what is secret was not stored.

    Raises:
        InvalidOption: It is not.
    """
    spec = as_chosen(folder)
    # The address of the tracking store gets its password back from the environment, or fails as a store that is away.
    needed = (path for path, value in spec.flat().items() if HIDDEN in str(value) and path != "tracking.uri")
    if secret := next(needed, None):
        raise InvalidOption(
            f"The run {folder.name} cannot be trained again by itself: its {secret} is secret, so it was not stored;"
            f" give it anew: fdl train --config {folder.path / 'spec.yaml'} --set {secret}=VALUE."
        )
    return spec


def as_chosen(folder: RunFolder) -> RunSpec:
    """A run's specification with what was chosen automatically: jit, blocks, micro-batches and devices."""
    if folder.is_sweep:
        raise InvalidOption(
            f"{folder.name} is a sweep and no single run: give its command again, which trains only what is missing"
            f" ({folder.continuation})."
        )
    spec = read_spec(folder.path)
    chosen = folder.facts.get("chosen", {})
    known: dict[str, object] = {name: chosen[name] for name in ("jit", "block") if name in chosen}
    if chosen.get("micro_batches", 1) > 1:
        options = spec.optimizer.options | {"gradient_accumulation_steps": chosen["micro_batches"]}
        known["optimizer"] = EntryReference(name=spec.optimizer.name, **options)
    if "devices" in chosen and spec.strategy != "multiworker":
        known["devices"] = ",".join(chosen["devices"]).lower()
    given = {name for name in ("jit", "block", "devices") if getattr(spec, name) is not None}
    return spec.model_copy(update={name: value for name, value in known.items() if name not in given})
