"""The curvature of a finished run: eigenvalues of the Hessian, and what they say about steps downhill (chapter 4).

The loss is the mean over the training split with penalties, in inference mode, recomputed in float64. Its Hessian is
never formed, except for small models: Lanczos needs products with vectors only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fdl_zoo import backend
from fdl_zoo.analysis.finished import FinishedRun, open_run
from fdl_zoo.data import Split
from fdl_zoo.errors import InvalidOption
from fdl_zoo.tracking.folder import ROOT

TOLERANCE = 1e-7  # of the extreme eigenvalues, relative to the larger of their absolute values
FLAT = 1e-6  # an eigenvalue below this share of the largest absolute one does not tell a saddle from a minimum
COUNTED = 1e-9  # the condition number leaves out what is below this share
TRACE_PROBES = 10  # for each probe of the density: one product each
BASIS_BYTES = 2**30  # of memory for the vectors of Lanczos
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Curvature:
    """What `curvature` found.

    Args:
        run: The run's name.
        title: What captions say of it.
        at: `final` or `initial` parameters.
        parameters: Their number.
        loss: The training loss there.
        gradient_norm: The length of its gradient.
        largest_eigenvalue: Of the Hessian.
        smallest_eigenvalue: Likewise; negative at a saddle.
        eigenvalue_error: Both are right within this.
        exact: Whether all eigenvalues were computed; else trace and share are estimates.
        trace: The sum of the eigenvalues.
        trace_standard_error: Of its estimate; 0 where it is exact.
        negative_share: The share of eigenvalues below `negative_below`.
        negative_below: -1e-6 times the largest absolute eigenvalue; -1e-3 where they are estimated.
        condition_number: Largest over smallest absolute eigenvalue, of those above 1e-9 times the largest; where not
            all were computed it is at least this.
        eigenvalues_below: How many are not above that, and were left out; None where not all were computed.
        point: `minimum`, `saddle`, `maximum` or `flat`, by the signs of the eigenvalues.
        stable_learning_rate: 2 over the largest eigenvalue: beyond it plain gradient descent diverges; None where
            nothing bends upwards.
        learning_rate: The run's own, as training ended.
        spectrum: Places on the axis of eigenvalues, and the density at each.
        taylor: Steps along the negative gradient, the loss that the second-order Taylor expansion predicts, the loss.
        angles: Training steps, and the angle at each between negative gradient and direction to the final parameters.
        files: Figures and numbers in the run's folder.
    """

    run: str
    title: str
    at: str
    parameters: int
    loss: float
    gradient_norm: float
    largest_eigenvalue: float
    smallest_eigenvalue: float
    eigenvalue_error: float
    exact: bool
    trace: float
    trace_standard_error: float
    negative_share: float
    negative_below: float
    condition_number: float
    eigenvalues_below: int | None
    point: str
    stable_learning_rate: float | None
    learning_rate: float | None
    spectrum: dict[str, np.ndarray]
    taylor: dict[str, np.ndarray]
    angles: dict[str, np.ndarray]
    files: tuple[Path, ...] = ()

    @property
    def gradient_angle_degrees(self) -> float | None:
        """The angle before training between the negative gradient and the direction to the final parameters."""
        angles = self.angles["degrees"]
        return float(angles[0]) if len(angles) else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        from fdl_zoo.plain import plain

        facts = {name: value for name, value in vars(self).items() if name not in ("files", "title")}
        return plain(
            {
                **facts,
                "gradient_angle_degrees": self.gradient_angle_degrees,
                "files": [str(file) for file in self.files],
            }
        )


def curvature(
    run: Any,
    *,
    at: Literal["final", "initial"] = "final",
    examples: int | None = None,
    steps: int = 200,
    probes: int = 5,
    exact: int = 2000,
    seed: int = 0,
    root: str | Path = ROOT,
    progress: Progress = lambda done, total: None,
) -> Curvature:
    """The curvature of the training loss at the end of a run, or at its start.

    Figures and numbers go into the run's artifacts and to its tracking store.

    Args:
        run: Its name, id, a unique prefix of either, `last`, each with `@best` for the best checkpoint; or a `Run`.
        at: Which parameters.
        examples: Only the first so many of the training split: another loss, and faster.
        steps: Of Lanczos, at most, for the extreme eigenvalues; a quarter of them for the density.
        probes: Random vectors for trace and density.
        exact: Up to so many parameters all eigenvalues are computed.
        seed: Of start and probes.
        root: The folder that holds `runs/`.
        progress: Called with the number of products done and to do at most.

    Raises:
        UnknownName: There is no such run.
        InvalidData: It has no model, or no initial weights.
        InvalidOption: A number is out of range.
    """
    for name, value, least in (("steps", steps, 2), ("probes", probes, 1), ("exact", exact, 0), ("seed", seed, 0)):
        if value < least:
            raise InvalidOption(f"{name} cannot be {value}: it is at least {least}.")
    if examples is not None and examples < 1:
        raise InvalidOption(f"examples cannot be {examples}: it is at least 1.")
    if at not in ("final", "initial"):
        raise InvalidOption(f"at cannot be {at!r}: it is final or initial.")
    subject = open_run(run, root)
    subject.require_initial_weights()
    subject.require_place("curvature")
    backend.load()
    from fdl_zoo.analysis.objective import Objective, flat

    split = subject.data.train
    if examples is not None:
        split = Split(*split.take(np.arange(min(examples, len(split)))))
    objective = Objective(subject.model, split)
    final = objective.start
    if at == "initial":
        objective.set_state(subject.initial_weights())
    point = final if at == "final" else flat(subject.initial_weights(), objective.model)
    settings = _Settings(steps, probes, exact, seed)
    found = {"run": subject.name, "title": subject.title, "at": at} | examined(objective, point, settings, progress)
    found["learning_rate"] = _learning_rate(subject.model.optimizer)
    found["angles"] = _angles(subject, objective, final)
    return _recorded(subject, Curvature(**found))


@dataclass(frozen=True)
class _Settings:
    """How thoroughly eigenvalues are looked for."""

    steps: int = 200
    probes: int = 5
    exact: int = 2000
    seed: int = 0


def examined(
    objective: Any, point: np.ndarray, settings: Any = None, progress: Any = lambda *_: None
) -> dict[str, Any]:
    """The facts about a loss at one point.

    Args:
        objective: The loss as a function of parameters, as `Objective`.
        point: Parameters [size].
        settings: How thoroughly.
        progress: Called with the number of products done and to do at most.

    Returns:
        The fields of `Curvature` that are not about the run.
    """
    from fdl_zoo.analysis.lanczos import dense, hutchinson, lanczos, quadrature

    settings = settings or _Settings()
    size, random = objective.size, np.random.default_rng(settings.seed)
    exact = size <= settings.exact
    steps = min(max(settings.steps, size if exact else 0), max(2, BASIS_BYTES // (8 * size)))
    quarter = max(2, steps // 4)
    further = size if exact else settings.probes * (quarter + TRACE_PROBES)
    product = _counted(objective, point, steps + further, progress)
    ends = lanczos(product, random.standard_normal(size), steps, TOLERANCE)
    smallest, largest = float(ends.values[0]), float(ends.values[-1])
    scale = max(abs(smallest), abs(largest))
    if exact:
        spectrum = dense(product, size)
        trace, error = float(spectrum.values.sum()), 0.0
        condition, below = condition_number(spectrum.values)
    else:
        spectrum = quadrature(product, size, settings.probes, quarter, random)
        trace, error = hutchinson(product, size, TRACE_PROBES * settings.probes, random)
        condition, below = least_condition_number(ends), None
    limit = -spectrum.resolution * scale
    value, gradient = objective.gradient(point)
    return {
        "parameters": size,
        "loss": value,
        "gradient_norm": float(np.linalg.norm(gradient)),
        "largest_eigenvalue": largest,
        "smallest_eigenvalue": smallest,
        "eigenvalue_error": float(max(ends.errors[0], ends.errors[-1])),
        "exact": exact,
        "trace": trace,
        "trace_standard_error": error,
        "negative_share": spectrum.share(limit),
        "negative_below": limit,
        "condition_number": condition,
        "eigenvalues_below": below,
        "point": kind(smallest, largest),
        "stable_learning_rate": 2 / largest if largest > 0 else None,
        "spectrum": _density(spectrum, smallest, largest),
        "taylor": taylor(objective, point, value, gradient),
    }


def _counted(objective: Any, point: np.ndarray, total: int, progress: Progress) -> Callable[[np.ndarray], np.ndarray]:
    done = 0

    def product(direction: np.ndarray) -> np.ndarray:
        nonlocal done
        done += 1
        progress(done, total)
        return objective.hessian_product(point, direction)

    return product


def condition_number(eigenvalues: np.ndarray) -> tuple[float, int]:
    """The largest absolute eigenvalue over the smallest, of those above 1e-9 of it; and how many are not above."""
    sizes = abs(eigenvalues)
    counted = sizes[sizes > COUNTED * sizes.max()] if sizes.max() else sizes[:0]
    condition = float(counted.max() / counted.min()) if len(counted) else float("nan")
    return condition, int(len(sizes) - len(counted))


def least_condition_number(ritz: Any) -> float:
    """What the condition number is at least, from some steps of Lanczos; a billion at most.

    No vector is shortened by the matrix more than by its smallest absolute eigenvalue, and a Ritz vector of value v and
    error e becomes as long as the root of v^2 + e^2.

    Args:
        ritz: As `lanczos` gives it.
    """
    largest = abs(ritz.values).max()
    least = np.sqrt(ritz.values**2 + ritz.errors**2).min()
    return float(largest / max(least, COUNTED * largest)) if largest else float("nan")


def kind(smallest: float, largest: float) -> str:
    """What a critical point with these extreme eigenvalues is; what bends by less than 1e-6 of the rest is flat."""
    limit = FLAT * max(abs(smallest), abs(largest))
    if limit == 0:
        return "flat"
    if smallest < -limit:
        return "saddle" if largest > limit else "maximum"
    return "minimum"


def taylor(objective: Any, point: np.ndarray, value: float, gradient: np.ndarray, points: int = 41) -> dict[str, Any]:
    """The second-order Taylor expansion along the negative gradient beside the loss itself.

    L(theta - e g) is about L - e g.g + e^2/2 g.Hg: the step gains nothing any more where e = 2 g.g / g.Hg. The steps
    go half as far again.

    Args:
        objective: The loss as a function of parameters.
        point: Parameters theta [size].
        value: The loss L there.
        gradient: Its gradient g [size].
        points: Number of steps.

    Returns:
        Columns `step`, `predicted_loss`, `first_order_loss` and `loss`; empty where the gradient is zero.
    """
    slope = float(gradient @ gradient)
    bend = float(gradient @ objective.hessian_product(point, gradient)) if slope else 0.0
    furthest = 3 * slope / abs(bend) if bend else 1.0
    step = np.linspace(0, furthest, points) if slope else np.zeros(0)
    return {
        "step": step,
        "predicted_loss": value - step * slope + step**2 / 2 * bend,
        "first_order_loss": value - step * slope,
        "loss": np.array([objective.value(point - each * gradient) for each in step]),
    }


def _density(spectrum: Any, smallest: float, largest: float, places: int = 400) -> dict[str, np.ndarray]:
    reach = max(largest - smallest, 1e-12)
    at = np.linspace(smallest - 0.05 * reach, largest + 0.05 * reach, places)
    return {"eigenvalue": at, "density": spectrum.density(at, 0.01 * reach)}


def angle(first: np.ndarray, second: np.ndarray) -> float:
    """The angle between two vectors in degrees; NaN where one is zero."""
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return float(np.degrees(np.arccos(np.clip(first @ second / lengths, -1, 1)))) if lengths else float("nan")


def _angles(subject: FinishedRun, objective: Any, final: np.ndarray) -> dict[str, np.ndarray]:
    """Along the kept path: how far the direction of steepest descent points past the final parameters."""
    from fdl_zoo.analysis.objective import flat

    steps, degrees = [], []
    for step in subject.steps:
        weights = subject.weights(step)
        here = flat(weights, objective.model)
        if not np.array_equal(here, final):
            objective.set_state(weights)
            steps.append(step)
            degrees.append(angle(-objective.gradient(here)[1], final - here))
    return {"step": np.array(steps, int), "degrees": np.array(degrees, float)}


def _learning_rate(optimizer: Any) -> float | None:
    rate = getattr(optimizer, "learning_rate", None)
    return None if rate is None else float(np.asarray(rate))


def _recorded(subject: FinishedRun, found: Curvature) -> Curvature:
    from fdl_zoo.analysis.curvature_figures import angle_figure, spectrum_figure, taylor_figure

    files = subject.record(f"curvature/spectrum_{found.at}", spectrum_figure(found), found.as_dict())
    if len(found.taylor["step"]):
        files += subject.record(f"curvature/taylor_{found.at}", taylor_figure(found), found.taylor)
    if len(found.angles["step"]) > 1:
        files += subject.record("curvature/angle", angle_figure(found), found.angles)
    subject.send()
    return replace(found, files=tuple(files))
