"""Lanczos: eigenvalues of a symmetric matrix that can only be multiplied with vectors (chapter 4's Hessian).

Golub and Van Loan (2013), Matrix Computations, section 10.1; the density of the spectrum by stochastic Lanczos
quadrature is that of Ghorbani, Krishnan and Xiao (2019), An investigation into neural net optimization via Hessian
eigenvalue density; the trace that of Hutchinson (1990).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh_tridiagonal

Product = Callable[[np.ndarray], np.ndarray]
CHECK_EVERY = 5  # steps between two looks at whether the ends have converged


@dataclass(frozen=True)
class Ritz:
    """What some steps of Lanczos know of a spectrum.

    Args:
        values: Approximate eigenvalues, rising [steps].
        weights: Squared first components of their vectors, which sum to one [steps]: Gaussian quadrature.
        errors: For each, an eigenvalue is at most so far away [steps].
    """

    values: np.ndarray
    weights: np.ndarray
    errors: np.ndarray

    def converged(self, tolerance: float) -> bool:
        """Whether both ends are within `tolerance` times the largest absolute eigenvalue."""
        return max(self.errors[0], self.errors[-1]) <= tolerance * abs(self.values[[0, -1]]).max()


def lanczos(product: Product, start: np.ndarray, steps: int, tolerance: float | None = None) -> Ritz:
    """Runs Lanczos, each new vector made orthogonal to all before it, twice.

    Args:
        product: A vector [size] to the matrix times it.
        start: Any vector [size]; eigenvectors that it has no part of are not found.
        steps: At most so many products; where they span the whole space the eigenvalues are exact.
        tolerance: Stop once both ends of the spectrum are known so well, relative to the larger.
    """
    steps = min(steps, start.size)
    basis = np.zeros((steps, start.size))
    diagonal, off_diagonal = np.zeros(steps), np.zeros(steps)
    vector = start / np.linalg.norm(start)
    for step in range(steps):
        basis[step] = vector
        image = product(vector)
        diagonal[step] = vector @ image
        for _ in range(2):  # once leaves what rounding has put back
            image = image - basis[: step + 1].T @ (basis[: step + 1] @ image)
        off_diagonal[step] = np.linalg.norm(image)
        done = step + 1
        scale = abs(diagonal[:done]).max() + off_diagonal[:done].max()
        if off_diagonal[step] <= 1e-14 * scale or done == steps:  # the vectors span all that the start has parts of
            break
        if tolerance and done % CHECK_EVERY == 0 and _ritz(diagonal, off_diagonal, done).converged(tolerance):
            break
        vector = image / off_diagonal[step]
    return _ritz(diagonal, off_diagonal, done)


def _ritz(diagonal: np.ndarray, off_diagonal: np.ndarray, steps: int) -> Ritz:
    values, vectors = eigh_tridiagonal(diagonal[:steps], off_diagonal[: steps - 1])
    return Ritz(values, vectors[0] ** 2, off_diagonal[steps - 1] * abs(vectors[-1]))


@dataclass(frozen=True)
class Spectrum:
    """The eigenvalues of a matrix as random probes show them: weighted points whose weights sum to one.

    Args:
        values: Where [points].
        weights: Which share of all eigenvalues [points].
        resolution: Values closer together than this share of the largest absolute one are not told apart.
    """

    values: np.ndarray
    weights: np.ndarray
    resolution: float

    def share(self, below: float) -> float:
        """Which share of the eigenvalues is less than a number."""
        return float(self.weights[self.values < below].sum())

    def density(self, at: np.ndarray, width: float) -> np.ndarray:
        """The density of eigenvalues, each drawn as a Gaussian [places].

        Args:
            at: Places [places].
            width: Standard deviation of the Gaussians.
        """
        distance = (at[:, None] - self.values[None, :]) / width  # [places, points]
        return np.exp(-0.5 * distance**2) @ self.weights / (width * np.sqrt(2 * np.pi))


def quadrature(product: Product, size: int, probes: int, steps: int, random: np.random.Generator) -> Spectrum:
    """The spectrum by stochastic Lanczos quadrature: the mean over probes of +-1.

    With 50 steps the shares of what bends by more than a thousandth of the largest eigenvalue are right within some
    hundredths; closer to zero, where most eigenvalues of a network lie, the points say nothing about signs.

    Args:
        product: A vector [size] to the matrix times it.
        size: Of the matrix.
        probes: How many random vectors; the errors fall as one over their square root.
        steps: Of Lanczos from each.
        random: Where the probes come from.
    """
    found = [lanczos(product, random.choice([-1.0, 1.0], size), steps) for _ in range(probes)]
    values, weights = (np.concatenate([getattr(ritz, name) for ritz in found]) for name in ("values", "weights"))
    return Spectrum(values, weights / probes, 1e-3)


def dense(product: Product, size: int) -> Spectrum:
    """The exact spectrum, from the matrix column by column."""
    matrix = np.stack([product(column) for column in np.eye(size)])
    return Spectrum(np.linalg.eigvalsh((matrix + matrix.T) / 2), np.full(size, 1 / size), 1e-6)


def hutchinson(product: Product, size: int, probes: int, random: np.random.Generator) -> tuple[float, float]:
    """The trace as the mean of z.Hz over probes z of +-1, and its standard error.

    Args:
        product: A vector [size] to the matrix H times it.
        size: Of the matrix.
        probes: At least 2.
        random: Where the probes come from.
    """
    drawn = (random.choice([-1.0, 1.0], size) for _ in range(probes))
    traces = np.array([probe @ product(probe) for probe in drawn])
    return float(traces.mean()), float(traces.std(ddof=1) / np.sqrt(probes))
