"""A process that trains one child after another: jobs come as lines of JSON on standard input, outcomes go back.

It is started by `Pool` as `python -m fdl_zoo.comparison.worker`. Keras and TensorFlow are imported once for all its
children. What goes wrong in a child is its outcome; a process that dies is replaced by the pool.
"""

import gc
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from fdl_zoo.errors import Diverged
from fdl_zoo.spec import RunSpec, TrackingSpec
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.sender import mark_unsent
from fdl_zoo.training import provenance
from fdl_zoo.training.interruption import Terminated
from fdl_zoo.training.progress import Silent
from fdl_zoo.training.session import Session


class Watcher(Silent):
    """Tells each epoch's metrics to the parent and, where it wants to judge them, ends training at its word.

    Args:
        tell: Sends a message to the parent.
        hear: Waits for the parent's word; None where the parent only listens.
    """

    def __init__(self, tell: Callable[[Mapping[str, Any]], None], hear: Callable[[], str] | None) -> None:
        self.tell, self.hear = tell, hear
        self.session: Session | None = None
        self.stopped_at: int | None = None

    def epoch(self, epoch: int, metrics: Mapping[str, float], seconds: float) -> None:
        """Tell, and stop after this epoch where that is the answer."""
        self.tell({"event": "epoch", "epoch": epoch, "metrics": dict(metrics)})
        if self.hear and self.hear() == "stop" and self.session is not None:
            self.session.model.stop_training = True
            self.stopped_at = epoch


def train_child(job: Mapping[str, Any], tell: Callable[[Mapping[str, Any]], None], hear: Callable[[], str]) -> dict:
    """Train one child and return its outcome: `status`, `reason` and the run's `name`, None where none was left."""
    spec = RunSpec.model_validate(job["spec"])
    sweep = job["sweep"]
    facts = {**provenance.starting_facts(), "experiment": spec.experiment, "origins": job["origins"], "sweep": sweep}
    facts["command"] = job["command"]
    folder = RunFolder.create(job["name"], spec=spec.to_yaml(), facts=facts, root=Path(job["root"]))
    if spec.tracking.enabled:  # the parent sends it; should the parent die, the next command does
        mark_unsent(folder, job["uri"])
    tell({"event": "started", "name": folder.name})
    watcher = Watcher(tell, hear if job["judged"] else None)
    untracked = spec.model_copy(update={"tracking": TrackingSpec(enabled=False)})
    watcher.session = Session(untracked, folder, watcher)
    outcome = {"status": "FINISHED", "reason": "", "name": folder.name}
    try:
        watcher.session.run()
        if watcher.stopped_at is not None:
            folder.update_facts(sweep={**sweep, "pruned": watcher.stopped_at})
    except Exception as error:
        outcome |= {"status": "FAILED", "reason": str(error) or type(error).__name__}
        if not (folder.path / "run.json").exists():  # it never began, and left nothing behind
            outcome["name"] = None
        elif isinstance(error, Diverged):
            folder.update_facts(sweep={**sweep, "diverged": True})
    finally:
        _forget()
    return outcome


def _forget() -> None:
    """Give back the memory of the last child, and let the next one's layers be numbered as in a process of its own."""
    import keras

    keras.utils.clear_session()
    gc.collect()


def main() -> int:
    """Serve until standard input ends."""
    channel: TextIO = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not meet the messages

    def tell(message: Mapping[str, Any]) -> None:
        print(json.dumps(message, default=float), file=channel, flush=True)

    def hear() -> str:
        line = sys.stdin.readline()
        if not line:
            raise Terminated
        return json.loads(line)["answer"]

    while line := sys.stdin.readline():
        try:
            tell({"event": "done", **train_child(json.loads(line), tell, hear)})
        except KeyboardInterrupt:
            return 130
        except Terminated:
            return 143
    return 0


if __name__ == "__main__":
    sys.exit(main())
