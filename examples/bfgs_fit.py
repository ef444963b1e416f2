"""Conjugate gradient and BFGS fit logistic regression, beside gradient descent, on the full batch.

CHAPTER   Second Order Methods
CLAIM     Directions that approximate the Hessian indirectly, by conjugate gradient or by BFGS, avoid the zigzag of the
          steepest descent and converge faster.
EXPECTED  After the same number of evaluations of loss and gradient each has a lower training loss than gradient descent
          with the best of four rates.
"""

from _common import Result, experiment

RATES = (0.1, 0.3, 1.0, 3.0)


def fitted(data, optimizer, evaluations):
    """Training loss of logistic regression with a small penalty after so many evaluations, by plain Keras."""
    import keras

    import fdl_zoo as fdl

    keras.utils.set_random_seed(0)  # the weights start at zero: there is nothing to draw
    model = fdl.create_model("logistic_regression", data.input_shape, data.num_outputs, l2=1e-3)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = data.train.x, data.train.y
    model.fit(fdl.accelerate(model, x, y, batch_size=len(y)), epochs=evaluations, verbose=0)
    return model.evaluate(x, y, batch_size=len(y), verbose=0)


def measure(quick, folder):
    """Fits the digits; the objective is convex and starts at zero, so there are no seeds."""
    import fdl_zoo as fdl

    data, evaluations = fdl.load_dataset("digits"), 10 if quick else 200
    found = {
        "gradient descent": min(fitted(data, fdl.create_optimizer("sgd", learning_rate=r), evaluations) for r in RATES)
    }
    for name in ("conjugate_gradient", "lbfgs") if quick else ("conjugate_gradient", "lbfgs", "bfgs"):
        found[name] = fitted(data, fdl.create_optimizer(name), evaluations)
    (folder / "loss.csv").write_text("optimizer,loss\n" + "".join(f"{name},{loss}\n" for name, loss in found.items()))
    table = ", ".join(f"{name} {loss:.5f}" for name, loss in found.items())
    first, *others = found.values()
    return Result(f"training loss after {evaluations} evaluations: {table}", max(others) < first)


if __name__ == "__main__":
    experiment(measure)
