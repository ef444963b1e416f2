"""Training by name with a line search: the full batch is set, said and recorded, and the optimum is SciPy's."""

import numpy as np
import pytest
from scipy.optimize import minimize

import fdl_zoo as fdl
from fdl_zoo.training.progress import Silent

pytestmark = pytest.mark.usefixtures("undrawn")


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def trained(model, root, **given):
    heard = Heard()
    return trained_by(heard, model, root, **given), heard.lines


def trained_by(progress, model, root, settings=(), **given):
    settings = [*settings, "tracking.enabled=false"]
    return fdl.train(model, data="digits", root=root, progress=progress, settings=settings, **given)


@pytest.mark.parametrize("optimizer", ["bfgs", "conjugate_gradient"])
def test_the_full_batch_is_set_said_and_recorded(optimizer, tmp_path):
    run, said = trained("mlp", tmp_path, optimizer=optimizer, epochs=2, steps_per_epoch=5)
    assert f"batch_size is full (recipe of {optimizer}): each step evaluates the whole training split." in said
    assert run.spec.batch_size == "full"
    search = run.folder.facts["search"]
    assert (search["stop_reason"], search["evaluations"]) == ("running", 10)
    assert search["accepted_loss"] == pytest.approx(run.model.optimizer.accepted_loss)
    limited = "bfgs: limited memory; the dense matrix of 85,002 parameters would need 29 GB"
    assert (limited in said) == (search["notice"] == limited) == (optimizer == "bfgs")
    assert any(line.startswith(f"{optimizer}: running after 10 evaluations") for line in said)
    # Validation sees the accepted point, which is what the model has in the end.
    data = fdl.load_dataset("digits")
    loss = run.model.evaluate(data.validation.x, data.validation.y, verbose=0, return_dict=True)["loss"]
    assert run.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)


def test_how_a_search_ended_is_recorded_of_a_run_that_fails_too(tmp_path):
    class Breaks(Heard):
        def epoch(self, *_):
            raise RuntimeError("the machine is gone")

    with pytest.raises(RuntimeError):
        trained_by(Breaks(), "mlp", tmp_path, optimizer="lbfgs", steps_per_epoch=3)
    facts = fdl.find_run("last", tmp_path).folder.facts
    assert (facts["search"]["stop_reason"], facts["search"]["evaluations"]) == ("running", 3)


@pytest.mark.slow
def test_logistic_regression_reaches_the_optimum_of_scipy(tmp_path):
    """With a penalty: without one the training digits can be separated, and no weights are best."""
    run, _ = trained("logistic_regression", tmp_path, optimizer="lbfgs", epochs=20, settings=["model.l2=0.001"])
    train = fdl.load_dataset("digits").train
    x, one_hot = train.x.reshape(len(train), -1).astype(np.float64), np.eye(10)[train.y]

    def loss_and_gradient(theta):
        kernel, bias = theta[:640].reshape(64, 10), theta[640:]
        logits = x @ kernel + bias
        logits -= logits.max(1, keepdims=True)
        probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        error = (probabilities - one_hot) / len(x)
        loss = -np.log((probabilities * one_hot).sum(1)).mean() + 1e-3 * (kernel**2).sum()
        return loss, np.concatenate([(x.T @ error + 2e-3 * kernel).ravel(), error.sum(0)])

    best = minimize(
        loss_and_gradient,
        np.zeros(650),
        jac=True,
        method="L-BFGS-B",
        options={"ftol": 0, "gtol": 1e-9, "maxiter": 2000},
    )
    found = np.concatenate([value.ravel() for value in run.model.get_weights()]).astype(np.float64)
    assert -1e-9 < loss_and_gradient(found)[0] - best.fun < 1e-6
