"""Runs to look into, trained once."""

import pytest

import fdl_zoo as fdl
from fdl_zoo.training.progress import Silent

QUIET = {"progress": Silent(), "settings": ["tracking.enabled=false"]}


@pytest.fixture(scope="session")
def inside_root(tmp_path_factory):
    return tmp_path_factory.mktemp("inside")


@pytest.fixture(scope="session")
def mlp_run(inside_root):
    """The network of the book on digits, by plain gradient descent."""
    return fdl.train(
        {"name": "mlp", "units": [32, 32]},
        data="digits",
        optimizer={"name": "sgd", "learning_rate": 0.1},
        epochs=6,
        seed=0,
        root=inside_root,
        **QUIET,
    )


@pytest.fixture(scope="session")
def linear_run(inside_root):
    """A linear neuron, whose Hessian has a formula."""
    optimizer = {"name": "sgd", "learning_rate": 0.05}
    return fdl.train("linear", data="diabetes", optimizer=optimizer, epochs=3, seed=0, root=inside_root, **QUIET)
