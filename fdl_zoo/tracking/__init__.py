"""The record of a run: its folder is the truth, a tracking store such as MLflow its mirror."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from fdl_zoo.errors import TrackingError
from fdl_zoo.tracking import environment
from fdl_zoo.tracking.uri import default_uri

if TYPE_CHECKING:
    from fdl_zoo.tracking.folder import RunFolder

environment.prepare()

__all__ = ["NullTracker", "Point", "RunDeleted", "Tracker", "default_uri"]


class RunDeleted(TrackingError):
    """The store's user deleted this run there."""


class Point(NamedTuple):
    """One value of one metric.

    Args:
        name: The metric's name.
        value: Its value; NaN and infinity are values too.
        time: Seconds since 1970.
        step: Its place on the horizontal axis.
    """

    name: str
    value: float
    time: float
    step: int


class Tracker(Protocol):
    """What a store must offer to be brought up to date with run folders. Every method may raise, and is tried again.

    A method that is called again with what it was given before leaves the store as it was.
    """

    def begin(self, run: "RunFolder") -> str:
        """Creates the run, or reopens it where the store has it already; returns the store's id of it."""

    def log_facts(self, spec: str, facts: dict[str, Any]) -> None:
        """Sets the specification (YAML) as parameters, and the facts as tags and inputs."""

    def missing(self, points: list[Point]) -> list[Point]:
        """Those of the points of which the store has no value at their step."""

    def log_points(self, points: list[Point]) -> None:
        """Adds points in their order."""

    def log_artifact(self, path: Path, folder: str) -> None:
        """Stores a file under the run's artifacts, in `folder` (an empty string is their top)."""

    def log_model(self, path: Path, step: int) -> str:
        """Stores a packaged model, as it was after `step`; returns the store's id of it."""

    def end(self, status: str, reason: str, time: float) -> None:
        """Ends the run as FINISHED, FAILED or KILLED."""


class NullTracker:
    """The store of `--no-tracking`, and the tracker of callbacks that have no run: does nothing."""

    def begin(self, run: "RunFolder") -> str:
        """The run's own name serves as its id."""
        return run.name

    def log_facts(self, spec: str, facts: dict[str, Any]) -> None:
        """Does nothing."""

    def missing(self, points: list[Point]) -> list[Point]:
        """Misses none."""
        return []

    def log_points(self, points: list[Point]) -> None:
        """Does nothing."""

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Does nothing."""

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Does nothing."""

    def log_figure(self, figure: Any, name: str) -> None:
        """Does nothing."""

    def draw_later(self, draw: Callable[[], None]) -> None:
        """Draws nothing."""

    def log_text(self, text: str, name: str) -> None:
        """Does nothing."""

    def log_model(self, path: Path, step: int = 0) -> str:
        """Keeps no model."""
        return ""

    def end(self, status: str, reason: str = "", time: float = 0.0) -> None:
        """Does nothing."""
