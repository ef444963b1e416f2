"""The parent of a sweep: a run whose children are runs; it is taken up again where it was interrupted."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from fdl_zoo.comparison import child as children
from fdl_zoo.comparison.child import Child, Known, read_child, spec_digest
from fdl_zoo.comparison.pool import Judge, Pool
from fdl_zoo.comparison.publisher import Publisher
from fdl_zoo.errors import RunInUse
from fdl_zoo.resolution import Resolved
from fdl_zoo.tracking import default_uri
from fdl_zoo.tracking.folder import RunFolder, new_name
from fdl_zoo.training import provenance
from fdl_zoo.training.interruption import Signals, Terminated

SUFFICIENT_MEMORY = 1.2e9  # of a worker: Keras, TensorFlow, a small model and its data


class Sweep:
    """A context in which children are trained; leaving it records how the sweep ended.

    Args:
        kind: `compare` or `tune`.
        base: A run that stands for all in what they share.
        digest: A fingerprint of the sweep's plan: the same plan takes up the same parent.
        facts: What is varied.
        jobs: Children at once.
        root: The folder that holds `runs/`.
        say: Receives sentences for the user.
    """

    def __init__(
        self,
        kind: str,
        base: Resolved,
        digest: str,
        facts: Mapping[str, Any],
        *,
        jobs: int,
        root: Path,
        say: Callable[[str], None],
    ) -> None:
        self.kind, self.base, self.digest, self.say = kind, base, digest, say
        self.facts = dict(facts)
        self.jobs, self.root = jobs, Path(root)
        self.metrics: dict[str, float] = {}
        self.names: list[str] = []

    def __enter__(self) -> "Sweep":
        with ExitStack() as entered:  # who is refused has the signals as before
            entered.enter_context(Signals().caught())
            self._begin()
            self._entered = entered.pop_all()
        return self

    def _begin(self) -> None:
        spec = self.base.spec
        self.folder = self._take_up() or self._create()
        self._known = Known(self.root, self.folder.uid)
        self.say(f"{self.kind} of {spec.model.name} on {spec.data.name}: {self.folder.name}, recorded in {self.where}")
        self._publisher = Publisher(spec.tracking.uri or default_uri(self.root)) if spec.tracking.enabled else None
        if self._publisher:
            self._publisher.add(self.folder)
        self._pool = Pool(self.jobs, self.folder.path / "workers.log")

    @property
    def where(self) -> Path:
        """Its folder, as the user may type it."""
        return self.root / "runs" / self.folder.name

    def _create(self) -> RunFolder:
        spec = self.base.spec
        name = new_name(f"{self.kind}-{spec.model.name}", spec.data.name)
        facts = {**provenance.starting_facts(), "experiment": spec.experiment, "git_commit": provenance.git_commit()}
        facts["sweep"] = {"role": "parent", "kind": self.kind, "digest": self.digest, **self.facts}
        return RunFolder.create(name, spec=spec.to_yaml(), facts=facts, root=self.root)

    def _take_up(self) -> RunFolder | None:
        """The parent of an earlier command with the same plan."""
        for folder in children.parents(self.root, self.kind, self.digest):
            if folder.is_owned:
                raise RunInUse(
                    f"{folder.name} cannot be run twice at once: another process is at it; wait for it, or stop it."
                )
            folder.acquire()
            return folder
        return None

    def train(self, resolved: Resolved, setting: str, *, judge: Judge | None = None) -> Child:
        """Train a child, or take it from an earlier command; a child that fails is returned as such, never raised."""
        spec = resolved.spec
        folder = self._known.find(spec)
        if folder is not None and _stands(folder, judge):
            return self._keep(read_child(folder, setting, spec.monitor, reused=True))
        job = {
            "spec": spec.as_dict(),
            "origins": dict(resolved.origins),
            "name": new_name(spec.model.name, spec.data.name),
            "root": str(self.root),
            "uri": spec.tracking.uri or default_uri(self.root),
            "command": f"fdl {self.kind}",
            "sweep": {
                "role": "child",
                "digest": spec_digest(spec),
                "parent": self.folder.uid,
                "parent_name": self.folder.name,
            },
        }
        outcome = self._pool.run(job, started=self._started, judge=judge)
        if outcome["name"] is None:
            rate = spec.optimizer.options.get("learning_rate")
            return Child(setting, rate, spec.seed, status=outcome["status"], reason=outcome["reason"])
        folder = RunFolder.open(self.root / "runs" / outcome["name"])
        self._known.add(folder)
        found = read_child(folder, setting, spec.monitor)
        if not found.finished:
            found = replace(found, reason=outcome["reason"])
        return self._keep(found)

    def interrupt(self) -> None:
        """End what is being trained, so that nobody waits for it."""
        self._pool.stop()

    def _keep(self, found: Child) -> Child:
        self.names.append(found.name)
        return found

    def _started(self, name: str) -> None:
        if self._publisher:
            self._publisher.add(RunFolder.open(self.root / "runs" / name))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        try:
            if kind is None:
                self._pool.close()
                self.folder.finish("FINISHED", metrics=self.metrics)
            else:
                self._pool.stop()
                killed = issubclass(kind, KeyboardInterrupt | Terminated)
                reason = "interrupted" if killed else str(error) or kind.__name__
                self.folder.finish("KILLED" if killed else "FAILED", reason, self.metrics)
            if self._publisher:
                message = self._publisher.close(5.0 if kind else 60.0)
                if message:
                    self.say(message)
        finally:
            self._entered.__exit__(kind, error, trace)


def _stands(folder: RunFolder, judge: Judge | None) -> bool:
    """Whether a known child need not be trained again: it is whole, or the judge gives it up as it did before.

    The judge is told what it was told when this child was trained, so that a repeated search goes the same way.
    """
    epochs = (line for line in folder.history() if "epoch" in line)
    stopped = judge is not None and not all(judge(line["epoch"], line["metrics"]) for line in epochs)
    return stopped or not children.was_pruned(folder)


def sensible_jobs() -> int:
    """How many children to train at once: one per two processors, as far as memory lets them."""
    import psutil

    by_memory = int(psutil.virtual_memory().available // SUFFICIENT_MEMORY)
    return max(1, min((os.cpu_count() or 1) // 2, by_memory))
