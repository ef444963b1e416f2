"""Lanczos and what is estimated with it, against NumPy on matrices that are known."""

import numpy as np
import pytest

from fdl_zoo.analysis.lanczos import dense, hutchinson, lanczos, quadrature


def matrix(eigenvalues, seed=0):
    random = np.random.default_rng(seed)
    rotation = np.linalg.qr(random.standard_normal((len(eigenvalues), len(eigenvalues))))[0]
    return (rotation * eigenvalues) @ rotation.T


def bulk_and_outliers(size=400):
    """As the Hessian of a network: most eigenvalues near zero, of both signs, and a few far out."""
    return np.concatenate([np.random.default_rng(1).normal(0, 0.01, size - 5), [-0.7, 1, 3, 9, 9.5]])


@pytest.mark.parametrize(
    "eigenvalues",
    [
        bulk_and_outliers(),
        np.linspace(-1, 1, 50),
        np.repeat([-2.0, 0.0, 5.0], 10),  # Lanczos ends after three steps
        np.array([4.0]),
        1e-8 * np.linspace(1, 2, 30),
    ],
)
def test_both_ends_of_the_spectrum_are_found(eigenvalues):
    product = matrix(eigenvalues).__matmul__
    ritz = lanczos(product, np.random.default_rng(2).standard_normal(len(eigenvalues)), 10_000, 1e-8)
    scale = abs(eigenvalues).max()
    assert abs(ritz.values[0] - eigenvalues.min()) <= 1e-8 * scale
    assert abs(ritz.values[-1] - eigenvalues.max()) <= 1e-8 * scale
    assert ritz.weights.sum() == pytest.approx(1)


def test_the_errors_are_bounds():
    eigenvalues = bulk_and_outliers()
    ritz = lanczos(matrix(eigenvalues).__matmul__, np.random.default_rng(3).standard_normal(400), 12)
    for value, error in zip(ritz.values, ritz.errors, strict=True):
        assert abs(eigenvalues - value).min() <= error + 1e-12


def test_as_many_steps_as_dimensions_give_every_eigenvalue():
    eigenvalues = np.sort(np.random.default_rng(4).standard_normal(120))
    ritz = lanczos(matrix(eigenvalues).__matmul__, np.random.default_rng(5).standard_normal(120), 120)
    np.testing.assert_allclose(ritz.values, eigenvalues, atol=1e-12)  # not so without orthogonal vectors


def test_the_trace_is_within_its_error():
    eigenvalues = bulk_and_outliers()
    product = matrix(eigenvalues).__matmul__
    trace, error = hutchinson(product, 400, 200, np.random.default_rng(6))
    assert abs(trace - eigenvalues.sum()) < 3 * error
    assert error < 1.5


def test_the_quadrature_tells_how_many_eigenvalues_are_where():
    eigenvalues = np.concatenate([np.full(100, -1.0), np.full(260, 0.5), np.full(40, 3.0)])
    found = quadrature(matrix(eigenvalues).__matmul__, 400, 20, 50, np.random.default_rng(7))
    assert found.weights.sum() == pytest.approx(1)
    assert found.share(-0.5) == pytest.approx(0.25, abs=0.02)
    assert found.share(1.0) == pytest.approx(0.9, abs=0.02)
    at = np.linspace(-3, 5, 4001)
    assert np.trapezoid(found.density(at, 0.05), at) == pytest.approx(1, abs=1e-6)


def test_the_dense_spectrum_is_that_of_numpy():
    eigenvalues = np.sort(bulk_and_outliers(60))
    np.testing.assert_allclose(dense(matrix(eigenvalues).__matmul__, 60).values, eigenvalues, atol=1e-13)
