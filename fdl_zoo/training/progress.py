"""What a person sees of a run: a bar on a terminal, a plain line per epoch in a pipe, or nothing."""

import os
import sys
from collections.abc import Mapping
from typing import Any, Protocol, TextIO


class Progress(Protocol):
    """Receives a run's messages. Epochs and steps count from 1."""

    wants_steps: bool

    def say(self, text: str) -> None:
        """A sentence for the user."""

    def begin(self, epochs: int, steps: int) -> None:
        """Training begins: `epochs` of `steps` each."""

    def step(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """A step is done; called only where `wants_steps`."""

    def epoch(self, epoch: int, metrics: Mapping[str, float], seconds: float) -> None:
        """An epoch is done."""

    def end(self) -> None:
        """Training is over, well or not."""


def describe_metrics(metrics: Mapping[str, float]) -> str:
    """Metrics on one line, four significant digits each."""
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())


class Silent:
    """Says nothing."""

    wants_steps = False

    def say(self, text: str) -> None:
        """Nothing."""

    def begin(self, epochs: int, steps: int) -> None:
        """Nothing."""

    def step(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Nothing."""

    def epoch(self, epoch: int, metrics: Mapping[str, float], seconds: float) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class Lines(Silent):
    """A plain line per epoch, for pipes, logs and notebooks.

    Args:
        stream: Where lines go; standard output by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self._epochs = 0

    def say(self, text: str) -> None:
        """Print the sentence at once; where its reader has gone, as `| head` does, training goes on in silence."""
        try:
            print(text, file=self.stream, flush=True)
        except BrokenPipeError:
            # The stream holds what it could not write, and would try again at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def begin(self, epochs: int, steps: int) -> None:
        """Remember how many epochs there are."""
        self._epochs = epochs

    def epoch(self, epoch: int, metrics: Mapping[str, float], seconds: float) -> None:
        """Print the epoch's line."""
        width = len(str(self._epochs))
        self.say(f"epoch {epoch:{width}}/{self._epochs}  {describe_metrics(metrics)}  {seconds:.2f} s")


class Bar(Silent):
    """A progress bar with loss, metrics and the time left, for a terminal.

    Args:
        stream: Where it is drawn; standard output by default.
    """

    wants_steps = True

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self._bar: Any = None
        self._steps = 0

    def say(self, text: str) -> None:
        """Print the sentence above the bar."""
        if self._bar is None:  # plain printing: the first line must not wait for rich
            print(text, file=self.stream, flush=True)
        else:
            self._bar.console.print(text, highlight=False, markup=False)

    def begin(self, epochs: int, steps: int) -> None:
        """Draw the empty bar."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._steps = steps
        columns = (
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[metrics]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(file=self.stream), transient=True, redirect_stdout=False)
        self._task = self._bar.add_task("", total=epochs * steps, epoch=1, epochs=epochs, metrics="")
        self._bar.start()

    def step(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Move on by a step; the bar is redrawn ten times a second, not at each step."""
        self._bar.update(self._task, completed=(epoch - 1) * self._steps + step, epoch=epoch)

    def epoch(self, epoch: int, metrics: Mapping[str, float], seconds: float) -> None:
        """Show the epoch's loss and accuracy, those of validation where there are any."""
        shown = {name: value for name, value in metrics.items() if name.startswith("val_")} or metrics
        short = describe_metrics({"loss": metrics.get("loss", float("nan")), **dict(list(shown.items())[:2])})
        self._bar.update(self._task, completed=epoch * self._steps, epoch=epoch, metrics=short)

    def end(self) -> None:
        """Take the bar away; what is said next stands in its place."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def choose(quiet: bool = False, stream: TextIO | None = None) -> Progress:
    """The progress that suits a stream: a bar on a terminal, lines elsewhere, nothing where quiet is asked for."""
    if quiet:
        return Silent()
    stream = stream or sys.stdout
    return Bar(stream) if stream.isatty() else Lines(stream)
