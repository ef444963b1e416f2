"""The figures of curvature: the Hessian's spectrum, Taylor's prediction, and where the gradient points."""

from typing import Any

from fdl_zoo.analysis.figure import BLACK, BLUE, GREEN, ORANGE, drawing


def spectrum_figure(found: Any) -> Any:
    """The density of the Hessian's eigenvalues, with the two extremes marked.

    Args:
        found: A `Curvature`.
    """
    how = "all eigenvalues" if found.exact else "stochastic Lanczos quadrature"
    caption = (
        f"{found.title} Density of the Hessian's eigenvalues at the {found.at} parameters, by {how}, each drawn as a"
        f" Gaussian of 1 % of the axis; {100 * found.negative_share:.2g} % of the {found.parameters:,} eigenvalues are"
        f" below {found.negative_below:.2g}. By the signs of its eigenvalues the point is a {found.point}."
    )
    with drawing(caption) as figure:
        axes = figure.subplots()
        places, density = found.spectrum["eigenvalue"], found.spectrum["density"]
        axes.fill_between(places, density, color=BLUE, alpha=0.25)
        axes.plot(places, density, color=BLUE)
        axes.set_yscale("log")
        axes.set_ylim(max(density.max() * 1e-7, density[density > 0].min()), density.max() * 3)
        ends = (
            ("smallest", found.smallest_eigenvalue, GREEN, ":"),
            ("largest", found.largest_eigenvalue, ORANGE, "--"),
        )
        for name, value, colour, dash in ends:
            axes.axvline(value, color=colour, linestyle=dash, linewidth=1.4, label=f"{name}: {value:.4g}")
        axes.set_xlabel("eigenvalue of the Hessian (loss per squared parameter)")
        axes.set_ylabel("density of eigenvalues")
        axes.legend(loc="upper center")
    return figure


def taylor_figure(found: Any) -> Any:
    """The loss along the negative gradient beside its second-order Taylor expansion.

    Args:
        found: A `Curvature` whose gradient is not zero.
    """
    caption = (
        f"{found.title} The loss along the negative gradient from the {found.at} parameters, and what its second-order"
        " Taylor expansion predicts there."
    )
    columns = found.taylor
    with drawing(caption) as figure:
        axes = figure.subplots()
        axes.plot(columns["step"], columns["loss"], color=BLUE, label="loss")
        axes.plot(columns["step"], columns["predicted_loss"], color=ORANGE, linestyle="--", label="second order")
        axes.plot(columns["step"], columns["first_order_loss"], color=GREEN, linestyle=":", label="first order")
        curves = [columns["loss"], columns["predicted_loss"]]
        low, high = min(map(min, curves)), max(map(max, curves))
        axes.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        for name, rate, dash in _rates(found):
            if 0 < rate <= columns["step"][-1]:
                axes.axvline(rate, color=BLACK, linewidth=1, linestyle=dash, label=f"{name}: {rate:.3g}")
        axes.set_xlabel("step along the negative gradient (learning rate)")
        axes.set_ylabel("training loss")
        axes.legend()
    return figure


def _rates(found: Any) -> list[tuple[str, float, Any]]:
    named = [
        ("largest stable rate", found.stable_learning_rate, (0, (3, 1, 1, 1))),
        ("the run's rate", found.learning_rate, "-."),
    ]
    return [(name, rate, dash) for name, rate, dash in named if rate is not None]


def angle_figure(found: Any) -> Any:
    """The angle between negative gradient and the direction to the final parameters, by training step.

    Args:
        found: A `Curvature` with a path of more than one snapshot.
    """
    caption = (
        f"{found.title} The angle between the direction of steepest descent and the direction to the final parameters,"
        " at each kept snapshot of training; at 90 degrees a step comes no nearer."
    )
    with drawing(caption) as figure:
        axes = figure.subplots()
        axes.plot(found.angles["step"], found.angles["degrees"], color=BLUE, marker="o", markersize=4)
        axes.axhline(90, color=BLACK, linewidth=1, linestyle="--")
        axes.set_ylim(0, max(100, found.angles["degrees"].max() + 5))
        axes.set_xlabel("training step")
        axes.set_ylabel("angle (degrees)")
    return figure
