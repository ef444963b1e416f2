"""How many critical points are saddles: random Gaussian fields by dimension (chapter 4).

At a critical point of a stationary isotropic Gaussian field the Hessian is independent of the gradient, and by the
formula of Kac and Rice a Hessian H occurs there with its Gaussian density times |det H|. With the field's scale set
to one, E[H_ij H_kl] = d_ij d_kl + d_ik d_jl + d_il d_jk, that is H = G + z I with a symmetric G of variance 1 off and 2
on the diagonal, and z of variance 1. Bray and Dean (2007), doi:10.1103/PhysRevLett.98.150201; Dauphin et al. (2014),
arXiv:1406.2572. In two dimensions half of the critical points are saddles (a torus has as many of them as extrema), in
three (29 + 6 sqrt 6)/58 (Bardeen, Bond, Kaiser and Szalay 1986).
"""

from pathlib import Path
from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import BLUE, GREEN, ORANGE, drawing, series_style
from fdl_zoo.analysis.landscapes.demonstration import Demonstration, written

SAMPLES = 100_000


def share_of_saddles(dimension: int, *, samples: int = SAMPLES, seed: int = 0) -> dict[str, float]:
    """The shares of saddles and of minima among the critical points, with the standard error of the first.

    Args:
        dimension: Of the field's domain.
        samples: How many Hessians are drawn.
        seed: Of the draws.
    """
    random = np.random.default_rng((seed, dimension))
    half = random.normal(size=(samples, dimension, dimension))
    matrices = (half + half.transpose(0, 2, 1)) / np.sqrt(2)  # variance 1 off the diagonal, 2 on it
    matrices += random.normal(size=(samples, 1, 1)) * np.eye(dimension)
    eigenvalues = np.linalg.eigvalsh(matrices)  # [samples, dimension], ascending
    weights = np.abs(eigenvalues.prod(axis=1))
    weights /= weights.sum()
    is_minimum = eigenvalues[:, 0] > 0
    is_saddle = ~is_minimum & (eigenvalues[:, -1] > 0)
    saddles = float(weights @ is_saddle)
    spread = float(np.sqrt(((weights * (is_saddle - saddles)) ** 2).sum()))
    return {"saddles": saddles, "minima": float(weights @ is_minimum), "standard_error": spread}


def random_field(seed: int = 0, *, size: int = 192, waves: int = 4) -> np.ndarray:
    """A Gaussian field on a torus [size, size]: plane waves with whole numbers of periods, up to `waves` of them."""
    random = np.random.default_rng(seed)
    frequency = np.fft.fftfreq(size, 1 / size)
    squared = frequency[:, None] ** 2 + frequency[None, :] ** 2
    spectrum = np.where((squared > 0) & (squared <= waves**2), 1.0, 0.0)
    noise = np.fft.fft2(random.normal(size=(size, size)))
    field = np.fft.ifft2(noise * spectrum).real
    return field / field.std()


def critical_points_of(field: np.ndarray) -> dict[str, np.ndarray]:
    """Minima, maxima and saddles of a field on a torus, each [points, 2] as rows and columns.

    A grid point is classified by how often the field changes its side of it on the way around its six neighbours in a
    triangulated torus: never at an extremum, four times at a saddle. So minima - saddles + maxima is Euler's number, 0.
    """
    around = [(-1, 0), (-1, 1), (0, 1), (1, 0), (1, -1), (0, -1)]
    higher = np.stack([np.roll(field, (-row, -column), (0, 1)) > field for row, column in around])
    changes = (higher != np.roll(higher, 1, axis=0)).sum(axis=0)
    return {
        "minima": np.argwhere((changes == 0) & higher[0]),
        "maxima": np.argwhere((changes == 0) & ~higher[0]),
        "saddles": np.argwhere(changes >= 4),
    }


def critical_points(
    folder: str | Path, *, dimensions: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8), samples: int = SAMPLES, seed: int = 1
) -> Demonstration:
    """Draw a random field with its critical points, and the share of saddles among them by dimension.

    Args:
        folder: Where `critical_points.png` and `critical_points.csv` are written.
        dimensions: Of the fields.
        samples: Hessians per dimension.
        seed: Of fields and draws.

    Returns:
        The columns dimension, saddles, minima and standard_error.
    """
    shares = [share_of_saddles(dimension, samples=samples, seed=seed) for dimension in dimensions]
    columns = {"dimension": list(dimensions)} | {name: [each[name] for each in shares] for name in shares[0]}
    field = random_field(seed)
    caption = (
        "Critical points of random Gaussian fields. Left: a field in two dimensions, half of whose critical points are"
        f" saddles. Right: shares by dimension, from {samples:,} Hessians each, weighted by Kac and Rice's formula."
    )
    with drawing(caption, width=8.0, height=3.7) as figure:
        left, right = figure.subplots(1, 2)
        _draw_field(left, field)
        for index, (name, marker) in enumerate((("minima", "v"), ("saddles", "s"))):
            seen = [(place, share) for place, share in zip(dimensions, columns[name], strict=True) if share > 0]
            right.plot(*zip(*seen, strict=True), marker=marker, label=name, **series_style(index))
        right.set_yscale("log")
        right.set_xlabel("dimension")
        right.set_ylabel("share of the critical points")
        right.set_xticks(dimensions)
        right.legend()
    return written(folder, "critical_points", figure, columns)


def _draw_field(axes: Any, field: np.ndarray) -> None:
    axes.contourf(field, levels=12, cmap="Greys", alpha=0.5)
    axes.contour(field, levels=12, colors="0.5", linewidths=0.4)
    looks = {"minima": ("v", BLUE), "maxima": ("^", GREEN), "saddles": ("x", ORANGE)}
    for name, points in critical_points_of(field).items():
        marker, colour = looks[name]
        axes.plot(points[:, 1], points[:, 0], marker, color=colour, markersize=6, label=f"{len(points)} {name}")
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=3, fontsize=9)
