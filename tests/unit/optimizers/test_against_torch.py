"""Against PyTorch 2.13.0 on one processor, at a constant rate, where it can be found."""

import numpy as np
import pytest

import fdl_zoo.optimizers as optimizers
from tests.unit import torch_reference
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


@pytest.fixture(scope="module")
def steps() -> tuple[np.ndarray, np.ndarray]:
    theta, gradients, _ = random_steps(500, 7, seed=4)
    return theta.astype(np.float64), gradients.astype(np.float64)


@pytest.fixture(scope="module")
def torch_paths(steps, tmp_path_factory) -> dict[str, np.ndarray]:
    """PyTorch's weights after each step [steps, n], by case."""
    theta, gradients = steps
    given = {"theta": theta, "gradients": gradients, "cases": list(TORCH), "calls": list(TORCH.values())}
    return torch_reference.run(PROGRAM, given, tmp_path_factory.mktemp("torch"))


@pytest.mark.slow
@pytest.mark.parametrize("case", TORCH)
def test_500_steps_in_float64(case, steps, torch_paths, float64):
    theta, gradients = steps
    name, options = CASES[case]
    actual, expected = (
        run(getattr(optimizers, name).build(learning_rate=RATE, **options), theta, gradients),
        torch_paths[case],
    )
    length = np.abs(np.diff(np.vstack([theta, expected]), axis=0)).sum(axis=0)
    assert np.all(np.abs(actual - expected) <= 1e-13 * (length + np.abs(theta)))
