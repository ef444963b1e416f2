"""The figures and the table that say how well a model does on a split, as a run and `fdl evaluate` keep them."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fdl_zoo.analysis.agreement import agreement_figure
from fdl_zoo.analysis.confusion import confusion_figure
from fdl_zoo.analysis.mistakes import MOST, are_images, caption, mistakes_figure
from fdl_zoo.analysis.outcome import Outcome

_COLUMNS = ("class", "precision", "recall", "f1", "support")


def figures(outcome: Outcome, title: str, inputs: Callable[[np.ndarray], np.ndarray]) -> Iterator[tuple[str, Any]]:
    """The figures of a split, each with the name of its file; one is drawn when it is asked for.

    Args:
        outcome: The model's answers.
        title: Model, data and split.
        inputs: Gives the examples at some indices, of which images are shown.

    Yields:
        A name such as `confusion_matrix.png` and a `matplotlib.figure.Figure`.
    """
    if not outcome.is_of_classes:
        yield "predicted_and_true.png", agreement_figure(outcome.truth, outcome.answers, title)
        return
    yield "confusion_matrix.png", confusion_figure(outcome.confusion(), outcome.labels, title)
    if outcome.targets.size == len(outcome.targets) and are_images(inputs(np.arange(1)).shape[1:]):
        yield "worst_mistakes.png", _mistakes(outcome, title, inputs)


def per_class_csv(outcome: Outcome) -> str:
    """The table of classes as CSV, four decimals each."""
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    table.writeheader()
    for row in outcome.per_class():
        table.writerow({name: f"{value:.4f}" if isinstance(value, float) else value for name, value in row.items()})
    return text.getvalue()


def _mistakes(outcome: Outcome, title: str, inputs: Callable[[np.ndarray], np.ndarray]) -> Any:
    worst, labels = outcome.worst(MOST), outcome.labels
    wrong = int((outcome.answers != outcome.truth).sum())
    captions = [
        caption(labels[outcome.truth[i]], labels[outcome.answers[i]], outcome.probabilities[i, outcome.answers[i]])
        for i in worst
    ]
    shown = "" if len(worst) == wrong else f", the {len(worst)} worst"
    images = inputs(worst) if len(worst) else np.zeros((0, 1, 1, 1))
    return mistakes_figure(images, captions, f"{title}: {wrong} of {len(outcome.truth)} wrong{shown}")
