"""The error surface of a finished run: loss on the line from start to solution, and on a plane (chapter 4).

Goodfellow, Vinyals and Saxe (2015), Qualitatively characterizing neural network optimization problems, draw the line;
Li et al. (2018), Visualizing the loss landscape of neural nets, give the plane's directions a length filter by filter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fdl_zoo import backend
from fdl_zoo.analysis.finished import FinishedRun, open_run
from fdl_zoo.errors import InvalidData, InvalidOption
from fdl_zoo.tracking.folder import ROOT

Progress = Callable[[int, int], None]
MOST_POINTS = 1_000_000


def _silent(done: int, total: int) -> None:
    """Shows no progress."""


@dataclass(frozen=True)
class Plane:
    """The loss on a plane through parameter space.

    Args:
        kind: `random`, `path` or `runs`.
        x: Coordinates along the first direction [columns].
        y: Coordinates along the second [rows].
        train_loss: The loss at each point [rows, columns].
        validation_loss: Likewise.
        path: Where training went, projected onto the plane [snapshots, 2]; the solution is last.
        path_steps: The training step of each of its points.
        path_share: Share of the path's squared length about the solution that lies in the plane.
        labels: Points to name, with their coordinates.
    """

    kind: str
    x: np.ndarray
    y: np.ndarray
    train_loss: np.ndarray
    validation_loss: np.ndarray
    path: np.ndarray
    path_steps: tuple[int | None, ...]
    path_share: float
    labels: dict[str, tuple[float, float]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        from fdl_zoo.plain import plain

        return plain(vars(self))


@dataclass(frozen=True)
class Surface:
    """What `surface` found.

    Args:
        run: The run's name.
        title: What captions say of it.
        alpha: Places on the line; 0 is the initial state, 1 the final one [points].
        train_loss: The loss at each [points].
        validation_loss: Likewise.
        plane: The plane, if one was asked for.
        files: Figures and numbers in the run's folder.
    """

    run: str
    title: str
    alpha: np.ndarray
    train_loss: np.ndarray
    validation_loss: np.ndarray
    plane: Plane | None = None
    files: tuple[Path, ...] = ()

    @property
    def bump(self) -> tuple[float, float]:
        """The largest rise of the training loss between start and solution, and the place where it ends."""
        return largest_bump(self.alpha, self.train_loss)

    @property
    def initial_loss(self) -> float:
        """The training loss before training."""
        return float(self.train_loss[np.argmin(abs(self.alpha))])

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        from fdl_zoo.plain import plain

        rise, where = self.bump
        return {
            "run": self.run,
            **plain({name: getattr(self, name) for name in ("alpha", "train_loss", "validation_loss")}),
            "largest_bump": rise,
            "largest_bump_share": rise / self.initial_loss if self.initial_loss else 0.0,
            "largest_bump_alpha": where,
            "plane": self.plane and self.plane.as_dict(),
            "files": [str(file) for file in self.files],
        }


def surface(
    run: Any,
    *,
    start: float = -0.5,
    stop: float = 1.5,
    points: int = 81,
    plane: Literal["random", "path"] | None = None,
    through: Sequence[Any] = (),
    resolution: int = 25,
    extent: float = 1.0,
    seed: int = 0,
    root: str | Path = ROOT,
    progress: Progress = _silent,
) -> Surface:
    """The loss of a finished run along the line from its initial to its final parameters, and on a plane.

    Both are the mean over all examples with penalties, in inference mode, in float64. Figures and numbers go into the
    run's artifacts and to its tracking store.

    Args:
        run: Its name, id, a unique prefix of either, `last`, each with `@best` for the best checkpoint; or a `Run`.
        start: The line's first alpha; alpha is 0 at the initial and 1 at the final parameters.
        stop: Its last.
        points: How many; 0 and 1 are added where they are between.
        plane: Draw the plane of two `random` filter-normalised directions about the solution, or of the two
            directions along which the training `path` is longest.
        through: Two further runs of the same model: draw the plane through the three solutions instead.
        resolution: Points along each side of the plane.
        extent: Half the side of a random plane; 1 is as long as the parameters themselves.
        seed: Of the random directions.
        root: The folder that holds `runs/`.
        progress: Called with the number of losses done and to do.

    Raises:
        UnknownName: There is no such run.
        InvalidData: It has no model or no initial weights, or another run's weights have other shapes.
        InvalidOption: A number is out of range, or `through` does not name two runs.
    """
    _check(start, stop, points, plane, through, resolution, extent)
    subject = open_run(run, root)
    subject.require_initial_weights()
    others = [open_run(each, root) for each in through]
    subject.require_place("surface")
    backend.load()
    from fdl_zoo.analysis.objective import Objective

    model, data = subject.model, subject.data
    objectives = [Objective(model, data.train), Objective(model, data.validation)]
    alpha = places(start, stop, points)
    count = _Counter(progress, 2 * (len(alpha) + (resolution**2 if plane or others else 0)))
    initial, final = subject.initial_weights(), model.get_weights()
    losses = [count.all(along_line(objective, initial, final, alpha)) for objective in objectives]
    drawn = None
    if others or plane:
        origin, directions, names = _directions(subject, objectives[0], plane, others, seed)
        drawn = _plane(subject, objectives, origin, directions, names, plane or "runs", resolution, extent, count)
    found = Surface(subject.name, subject.title, alpha, *losses, drawn)
    return _recorded(subject, found)


class _Counter:
    """Tells progress how many losses are done."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def all(self, values: Any) -> np.ndarray:
        """The values of an iterator, counted one by one."""
        found = []
        for value in values:
            found.append(value)
            self.done += 1
            self.progress(self.done, self.total)
        return np.array(found)


def _check(
    start: float, stop: float, points: int, plane: Any, through: Sequence, resolution: int, extent: float
) -> None:
    if not np.isfinite([start, stop]).all() or start >= stop:
        raise InvalidOption(
            f"alpha cannot go from {start:g} to {stop:g}: the first must be less, for example -0.5..1.5."
        )
    if points < 2 or resolution < 2:
        raise InvalidOption(f"A line of {points} points or a plane of {resolution} cannot be drawn: give at least 2.")
    if points > MOST_POINTS or resolution**2 > MOST_POINTS:
        raise InvalidOption(
            f"A line of {points} points or a plane of {resolution} by {resolution} cannot be drawn: at most"
            f" {MOST_POINTS:,} losses are computed for either."
        )
    if not 0 < extent < np.inf:
        raise InvalidOption(f"extent cannot be {extent:g}: it is a number greater than 0, for example 1.")
    if plane not in (None, "random", "path"):
        raise InvalidOption(f"plane cannot be {plane!r}: it is random or path.")
    if through and (len(through) != 2 or plane):
        raise InvalidOption("A plane through runs takes two further runs, and no other plane: give --through twice.")


def places(start: float, stop: float, points: int) -> np.ndarray:
    """Evenly spaced alphas; 0 and 1 are among them where they lie between."""
    alpha = np.linspace(start, stop, points)
    for exact in (0.0, 1.0):
        if start <= exact <= stop:
            alpha = np.append(alpha[abs(alpha - exact) > 1e-9 * (stop - start)], exact)
    return np.sort(alpha)


def along_line(objective: Any, initial: Sequence[np.ndarray], final: Sequence[np.ndarray], alpha: np.ndarray) -> Any:
    """The loss at (1 - alpha) initial + alpha final, one by one.

    Statistics of batch normalization go along between 0 and 1, and stay at either end beyond: a variance must not
    become negative.

    Args:
        objective: The loss as a function of parameters.
        initial: All weights of the model.
        final: Likewise.
        alpha: Places [points].
    """
    from fdl_zoo.analysis.objective import flat

    first, last = (flat(weights, objective.model) for weights in (initial, final))
    for each in alpha:
        between = float(np.clip(each, 0, 1))
        objective.set_state([(1 - between) * a + between * b for a, b in zip(initial, final, strict=True)])
        yield objective.value((1 - each) * first + each * last)
    objective.set_state(final)


def largest_bump(alpha: np.ndarray, loss: np.ndarray) -> tuple[float, float]:
    """How far the loss rises above its least value so far, on the way from alpha 0 to 1, and where; 0 if it only falls.

    Args:
        alpha: In rising order [points].
        loss: The loss at each [points].
    """
    inside = (alpha >= 0) & (alpha <= 1)
    if not inside.any():
        return 0.0, float("nan")
    rise = loss[inside] - np.minimum.accumulate(loss[inside])
    where = int(np.argmax(rise))
    return float(rise[where]), float(alpha[inside][where])


def filter_normalised(random: np.random.Generator, weights: Sequence[np.ndarray]) -> np.ndarray:
    """A random direction in which each filter is as long as that of the weights, as one vector.

    A filter is what leads to one output of a kernel: its last axis counts them. What has one axis only (biases, batch
    normalization) is left as it is, as Li et al. do, since its scale says nothing about the function.

    Args:
        random: Where the numbers come from.
        weights: The trainable weights.
    """
    parts = []
    for weight in weights:
        if weight.ndim < 2:
            parts.append(np.zeros(weight.size))
            continue
        drawn = random.standard_normal(weight.shape)
        axes = tuple(range(weight.ndim - 1))
        own = np.sqrt((np.asarray(weight, np.float64) ** 2).sum(axes, keepdims=True))
        parts.append((drawn * own / np.sqrt((drawn**2).sum(axes, keepdims=True))).ravel())
    return np.concatenate(parts)


def _forms(model: Any) -> list[tuple[tuple[int, ...], bool]]:
    """Shape of each weight, and whether it is trained."""
    return [(tuple(weight.shape), weight.trainable) for weight in model.weights]


def _directions(subject: FinishedRun, objective: Any, plane: str | None, others: list[FinishedRun], seed: int) -> Any:
    """The plane's origin, its two directions, and the points to name."""
    from fdl_zoo.analysis.objective import flat

    origin = objective.start
    if others:
        ends = []
        for other in others:
            if _forms(other.model) != _forms(subject.model):
                raise InvalidData(
                    f"No plane goes through {subject.name} and {other.name}: their weights have other shapes, or"
                    " others are frozen; take runs of one model on one dataset."
                )
            ends.append(flat(other.model.get_weights(), other.model) - origin)
        return origin, _independent(ends, "the three runs"), [subject.name, *(each.name for each in others)]
    if plane == "path":
        states = _path(subject, objective)[1] - origin
        if len(states) < 3:
            raise InvalidData(f"The run {subject.name} keeps too short a path for a plane: take plane random.")
        _, _, principal = np.linalg.svd(states, full_matrices=False)
        return origin, [principal[0], principal[1]], []
    random = np.random.default_rng(seed)
    weights = [variable.numpy() for variable in subject.model.trainable_variables]
    if not any(weight.ndim > 1 for weight in weights):
        raise InvalidData(f"{subject.spec.model.name} has no filters to normalise directions by: take plane path.")
    return origin, [filter_normalised(random, weights) for _ in range(2)], []


def _independent(ends: list[np.ndarray], what: str) -> list[np.ndarray]:
    """Two directions, refused if they are one."""
    first, second = ends
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    if lengths == 0 or abs(first @ second) > (1 - 1e-12) * lengths:
        raise InvalidData(f"No plane goes through {what}: they lie on one line; take runs with other seeds.")
    return ends


def _path(subject: FinishedRun, objective: Any) -> tuple[list[int | None], np.ndarray]:
    """The steps of the kept path and the parameters at each [snapshots, size]; the solution is last."""
    from fdl_zoo.analysis.objective import flat

    steps: list[int | None] = list(subject.steps)
    states = [flat(subject.weights(step), objective.model) for step in subject.steps]
    if np.array_equal(states[-1], objective.start):
        return steps, np.array(states)
    return [*steps, None], np.array([*states, objective.start])


def projected(states: np.ndarray, origin: np.ndarray, directions: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
    """The points of the plane that are nearest to states, and how much of the states the plane holds.

    Args:
        states: Parameters [snapshots, size].
        origin: Of the plane [size].
        directions: Its two directions [size].

    Returns:
        Coordinates [snapshots, 2], and the share of the squared distances from the origin that lies in the plane.
    """
    basis = np.stack(directions, axis=1)  # [size, 2]
    offsets = states - origin
    coordinates = np.linalg.lstsq(basis, offsets.T, rcond=None)[0].T
    total = float((offsets**2).sum())
    return coordinates, float(((coordinates @ basis.T) ** 2).sum()) / total if total else 1.0


def _plane(
    subject: FinishedRun,
    objectives: list[Any],
    origin: np.ndarray,
    directions: list[np.ndarray],
    names: list[str],
    kind: str,
    resolution: int,
    extent: float,
    count: _Counter,
) -> Plane:
    steps, states = _path(subject, objectives[0])
    path, share = projected(states, origin, directions)
    corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)] if kind == "runs" else []
    if kind == "random":
        x = y = np.linspace(-extent, extent, resolution)
    else:
        seen = np.array([*path, *corners])
        margin = 0.25 * np.maximum(np.ptp(seen, axis=0), 1e-3)
        limits = seen.min(0) - margin, seen.max(0) + margin
        x, y = (np.linspace(low, high, resolution) for low, high in zip(*limits, strict=True))

    def losses(objective: Any) -> np.ndarray:
        values = (objective.value(origin + a * directions[0] + b * directions[1]) for b in y for a in x)
        return count.all(values).reshape(resolution, resolution)

    labels = dict(zip(names, corners, strict=True)) if names else {}
    return Plane(kind, x, y, losses(objectives[0]), losses(objectives[1]), path, tuple(steps), share, labels)


def _recorded(subject: FinishedRun, found: Surface) -> Surface:
    from fdl_zoo.analysis.surface_figures import line_figure, plane_figure

    columns = {"alpha": found.alpha, "train_loss": found.train_loss, "validation_loss": found.validation_loss}
    files = subject.record("surface/line", line_figure(found), columns)
    if found.plane:
        files += subject.record(f"surface/plane_{found.plane.kind}", plane_figure(found), found.plane.as_dict())
    subject.send()
    return replace(found, files=tuple(files))
