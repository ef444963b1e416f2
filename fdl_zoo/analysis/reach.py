"""The vanishing gradient: how far the gradient reaches back in time, before training and after it (chapter 7).

Hochreiter (1991); Bengio, Simard and Frasconi (1994), Learning long-term dependencies with gradient descent is
difficult.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fdl_zoo import backend
from fdl_zoo.analysis.finished import FinishedRun, open_run
from fdl_zoo.errors import InvalidData, InvalidOption
from fdl_zoo.tracking.folder import ROOT

SHARE = 0.01


@dataclass(frozen=True)
class GradientReach:
    """What `gradient_reach` found.

    Args:
        gradients: By the run's name: `initial` and `final`, the length of the gradient of an example's loss by the
            recurrent layer's state after each step [time], mean over examples.
        reach: By the run's name, likewise: the furthest distance in time at which it is still 1 % of its largest
            length, in steps.
        files: Figures and numbers, in the folder of each run.
    """

    gradients: dict[str, dict[str, np.ndarray]]
    reach: dict[str, dict[str, int]]
    files: tuple[Path, ...] = ()


def gradient_reach(*runs: Any, examples: int = 256, root: str | Path = ROOT) -> GradientReach:
    """How far the gradient of the loss reaches back in time in runs of recurrent models, before training and after.

    The state is all that the recurrent layer hands on: for an LSTM its output and its memory. Figure and numbers go
    into the artifacts of every run.

    Args:
        *runs: Of models with a recurrent layer: names, ids, prefixes, `last`, or `Run`s.
        examples: Validation examples over which the length is averaged.
        root: The folder that holds `runs/`.

    Raises:
        UnknownName: There is no such run.
        InvalidData: A model has no recurrent layer, or a run has no model or no initial weights.
        InvalidOption: No run is given, or no example.
    """
    if not runs or examples < 1:
        raise InvalidOption("The reach of gradients needs at least one run and one example.")
    subjects = [open_run(run, root) for run in runs]
    for subject in subjects:
        subject.require_initial_weights()
    backend.load()
    from fdl_zoo.analysis.gradients import reach

    gradients = {subject.name: _measured(subject, examples) for subject in subjects}
    reaches = {
        name: {when: reach(by_time, SHARE) for when, by_time in each.items()} for name, each in gradients.items()
    }
    return _recorded(subjects, GradientReach(gradients, reaches))


def _measured(subject: FinishedRun, examples: int) -> dict[str, np.ndarray]:
    from fdl_zoo.analysis.gradients import GradientProbe

    split = subject.data.validation
    probe = GradientProbe(subject.model, *split.take(np.arange(min(examples, len(split)))))
    if probe.recurrent is None:
        raise InvalidData(
            f"{subject.spec.model.name} has no recurrent layer that the gradient passes in time: take a run of rnn,"
            " lstm or gru."
        )
    final = subject.model.get_weights()
    after = probe.by_time()
    subject.model.set_weights(subject.initial_weights())
    before = probe.by_time()
    subject.model.set_weights(final)
    return {"initial": before, "final": after}


def _recorded(subjects: list[FinishedRun], found: GradientReach) -> GradientReach:
    from dataclasses import replace

    from fdl_zoo.analysis.gradient_figures import reach_figure

    labels = {subject.name: f"{subject.spec.model.name}" for subject in subjects}
    if len(set(labels.values())) < len(labels):
        labels = {name: name for name in labels}
    titles = " ".join(subject.title for subject in subjects)
    reaches = "; ".join(f"{labels[name]} {each['initial']} and {each['final']}" for name, each in found.reach.items())
    caption = (
        f"{titles} Length of the gradient of an example's loss by the state of the recurrent layer, by distance in time"
        f" from the last step; mean over validation examples. It stays above 1 % of its largest for so many steps"
        f" before and after training: {reaches}."
    )
    figure = reach_figure({labels[name]: each for name, each in found.gradients.items()}, caption)
    steps = max(len(each["final"]) for each in found.gradients.values())
    columns: dict[str, Any] = {"distance": np.arange(steps)}
    for name, each in found.gradients.items():
        for when, by_time in each.items():
            padded = np.full(steps, np.nan)
            padded[: len(by_time)] = by_time[::-1]
            columns[f"{labels[name]}_{when}"] = padded
    files = [file for subject in subjects for file in subject.record("gradient_reach/by_time", figure, columns)]
    subjects[0].send()
    return replace(found, files=tuple(files))
