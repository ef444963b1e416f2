"""Draws a run's figures beside its training thread: learning curves, what callbacks saw, answers on the test split."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from fdl_zoo.analysis.outcome import Outcome
from fdl_zoo.data import Dataset
from fdl_zoo.tracking.recorder import Recorder

FOLDER = "figures"


@contextmanager
def illustrated(
    recorder: Recorder,
    history: Mapping[str, Sequence[float]],
    title: str,
    outcome: Outcome | None,
    data: Dataset,
    drawings: Iterable[Callable[[], None]],
    say: Callable[[str], None],
) -> Iterator[None]:
    """Draws while the body runs (which packages the model, say), and is done when it ends.

    A figure that cannot be drawn does not take a finished training down: it is told.

    Args:
        recorder: Keeps the figures among the run's artifacts.
        history: A list per metric.
        title: The run's name.
        outcome: Answers on the test split; None where there is nothing to show, as of an objective.
        data: The dataset, for images.
        drawings: Draw what callbacks have seen.
        say: Tells what went wrong.
    """
    problems: list[str] = []

    def draw() -> None:
        try:
            draw_curves(recorder, history, title)
            if outcome is not None:
                draw_outcome(recorder, outcome, f"{title}, test", data, "test", FOLDER)
            for each in drawings:
                each()
        except Exception as error:
            problems.append(f"The figures of {title} could not all be drawn: {type(error).__name__}: {error}")

    thread = threading.Thread(target=draw, name="fdl-figures", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    for problem in problems:
        say(problem)


def draw_curves(recorder: Recorder, history: Mapping[str, Sequence[float]], title: str) -> None:
    """Keeps the learning curves as `figures/learning_curves.png`."""
    from fdl_zoo.analysis.curves import learning_curves

    recorder.log_figure(learning_curves(history, title), f"{FOLDER}/learning_curves.png")


def draw_outcome(recorder: Recorder, outcome: Outcome, title: str, data: Dataset, split: str, folder: str) -> list[str]:
    """Keeps the figures of a split, and for classes the table `per_class.csv`.

    Returns:
        The names of the files, below the run's artifacts.
    """
    from fdl_zoo.analysis.report import figures, per_class_csv

    part, names = data.splits[split], []
    folder = f"{folder}/" if folder else ""
    for name, figure in figures(outcome, title, lambda rows: part.take(rows)[0]):
        recorder.log_figure(figure, f"{folder}{name}")
        names.append(f"{folder}{name}")
    if outcome.is_of_classes:
        recorder.log_text(per_class_csv(outcome), f"{folder}per_class.csv")
        names.append(f"{folder}per_class.csv")
    return names
