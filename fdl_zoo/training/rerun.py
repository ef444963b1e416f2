"""Repeats a run from its stored specification and says whether it came out the same, bit for bit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdl_zoo import rules
from fdl_zoo.errors import InvalidOption
from fdl_zoo.resolution import Resolved
from fdl_zoo.tracking.folder import ROOT
from fdl_zoo.training.diff import Difference, diff
from fdl_zoo.training.progress import Lines, Progress
from fdl_zoo.training.resume import to_train_again
from fdl_zoo.training.run import Run
from fdl_zoo.training.runs import find_run
from fdl_zoo.training.trainer import execute

# What decides the result beyond the specification: where two runs part, these are looked at first.
_CAUSES = ("versions.", "dataset.", "init_from.", "machine.", "git_commit", "devices", "jit")


@dataclass(frozen=True)
class Rerun:
    """A run and its repetition.

    Args:
        run: The new run.
        difference: Between the old one and the new one.
    """

    run: Run
    difference: Difference

    @property
    def causes(self) -> list[str]:
        """What differs that may explain why the two part: versions, data, devices."""
        found = self.difference.values.items()
        return [f"{name}: {old} then, {new} now" for name, (old, new) in found if name.startswith(_CAUSES)]

    def as_dict(self) -> dict[str, Any]:
        """Plain facts for `--json`."""
        return {"run": self.run.name, "causes": self.causes, **self.difference.as_dict()}


def rerun(reference: str, *, root: str | Path = ROOT, progress: Progress | None = None, verbose: bool = False) -> Rerun:
    """Train again from a run's specification, with what was chosen for it, and compare epoch by epoch.

    Args:
        reference: The run: its name, its id, a unique prefix of either, or `last`.
        root: The folder that holds `runs/`.
        progress: What shows the progress.
        verbose: Let TensorFlow's messages through.

    Raises:
        UnknownName: There is no such run.
        InvalidOption: It is a sweep, holds what was not stored, or has no epoch to compare with.
    """
    old = find_run(reference, root)
    spec = to_train_again(old.folder)
    if not any("epoch" in line for line in old.folder.history()):
        raise InvalidOption(
            f"The run {old.name} cannot be compared with a repetition: it recorded no epoch; `fdl resume {old.name}`"
            " trains it to its end."
        )
    rules.check(spec, {})
    resolved = Resolved(spec, dict.fromkeys(spec.flat(), f"run {old.name}"), ())
    new = execute(resolved, root=root, progress=progress or Lines(), verbose=verbose)
    return Rerun(new, diff(old, new))
