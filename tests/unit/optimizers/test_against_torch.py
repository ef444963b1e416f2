"""Against PyTorch 2.13.0 on one processor, at a constant rate, where it can be found.

`FDL_ZOO_TORCH_PYTHON` names a Python that has torch; it need not be this one, for two such libraries rarely share one.
"""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

import fdl_zoo.optimizers as optimizers
from tests.unit.optimizers.oracles import CASES, random_steps, run

RATE = 0.01
TORCH = {
    "sgd": "SGD(p, lr=0.01)",
    "momentum": "SGD(p, lr=0.01, momentum=0.9)",
    "nesterov": "SGD(p, lr=0.01, momentum=0.95, nesterov=True)",
    "adagrad": "Adagrad(p, lr=0.01, eps=1e-7)",
    "rmsprop": "RMSprop(p, lr=0.01, alpha=0.9, eps=1e-6)",
    "rmsprop_centered": "RMSprop(p, lr=0.01, alpha=0.9, eps=1e-6, momentum=0.5, centered=True)",
    "adam": "Adam(p, lr=0.01, betas=(0.9, 0.999), eps=1e-8)",
    "adam_slow": "Adam(p, lr=0.01, betas=(0.0, 0.5), eps=1e-3)",
}
PROGRAM = """
import sys, numpy, torch
data = numpy.load(sys.argv[1])
results = {"version": numpy.array(torch.__version__)}
for case, call in zip(data["cases"], data["calls"]):
    theta = torch.nn.Parameter(torch.tensor(data["theta"]))
    optimizer = eval("torch.optim." + str(call), {"torch": torch, "p": [theta]})
    path = []
    for gradient in data["gradients"]:
        theta.grad = torch.tensor(gradient)
        optimizer.step()
        path.append(theta.detach().numpy().copy())
    results[str(case)] = numpy.array(path)
numpy.savez(sys.argv[2], **results)
"""


def interpreter() -> str:
    """A Python that has torch, or skip."""
    named = os.environ.get("FDL_ZOO_TORCH_PYTHON")
    if named:
        return named
    if importlib.util.find_spec("torch"):
        return sys.executable
    pytest.skip("torch is not installed here; FDL_ZOO_TORCH_PYTHON may name a Python that has torch 2.13.0")


@pytest.fixture(scope="module")
def steps() -> tuple[np.ndarray, np.ndarray]:
    theta, gradients, _ = random_steps(500, 7, seed=4)
    return theta.astype(np.float64), gradients.astype(np.float64)


@pytest.fixture(scope="module")
def torch_paths(steps, tmp_path_factory) -> dict[str, np.ndarray]:
    """PyTorch's weights after each step [steps, n], by case."""
    python, folder = interpreter(), tmp_path_factory.mktemp("torch")
    theta, gradients = steps
    given = {"theta": theta, "gradients": gradients, "cases": list(TORCH), "calls": list(TORCH.values())}
    np.savez(folder / "in.npz", **given)
    subprocess.run([python, "-c", PROGRAM, folder / "in.npz", folder / "out.npz"], check=True, timeout=300)
    return dict(np.load(folder / "out.npz"))


@pytest.mark.slow
@pytest.mark.parametrize("case", TORCH)
def test_500_steps_in_float64(case, steps, torch_paths, float64):
    assert str(torch_paths["version"]).startswith("2.13.0"), "the settings above were checked with torch 2.13.0"
    theta, gradients = steps
    name, options = CASES[case]
    actual, expected = (
        run(getattr(optimizers, name).build(learning_rate=RATE, **options), theta, gradients),
        torch_paths[case],
    )
    length = np.abs(np.diff(np.vstack([theta, expected]), axis=0)).sum(axis=0)
    assert np.all(np.abs(actual - expected) <= 1e-13 * (length + np.abs(theta)))
