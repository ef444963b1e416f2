"""The figures of an error surface: loss on the line, and contours of the loss on a plane with the training path."""

from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import BLACK, ORANGE, SEQUENTIAL, SPLIT_STYLES, drawing


def line_figure(found: Any) -> Any:
    """Training and validation loss along the line from the initial to the final parameters.

    Args:
        found: A `Surface`.
    """
    rise, where = found.bump
    share = 100 * rise / found.initial_loss if found.initial_loss else 0.0
    bump = f"rises by {share:.2g} % of the initial loss at most (alpha {where:.3g})" if rise > 0 else "only falls"
    caption = (
        f"{found.title} Loss along the straight line from the initial to the final parameters; on the way from the one"
        f" to the other the training loss {bump}."
    )
    with drawing(caption) as figure:
        axes = figure.subplots()
        for name, loss in (("training", found.train_loss), ("validation", found.validation_loss)):
            axes.plot(found.alpha, loss, label=name, **SPLIT_STYLES[name])
        for place, name in ((0.0, "initial"), (1.0, "final")):
            if found.alpha[0] <= place <= found.alpha[-1]:
                axes.axvline(place, color=BLACK, linewidth=0.8, linestyle=":")
                axes.text(place, 1.01, name, transform=axes.get_xaxis_transform(), ha="center", fontsize=9)
        _log_if_wide(axes, found.train_loss, found.validation_loss)
        axes.set_xlabel("alpha (position on the line)")
        axes.set_ylabel("loss")
        axes.legend()
    return figure


def _log_if_wide(axes: Any, *losses: np.ndarray) -> None:
    """A logarithmic axis where the loss runs over more than three powers of ten."""
    seen = np.concatenate(losses)
    seen = seen[np.isfinite(seen)]
    if len(seen) and seen.min() > 0 and seen.max() > 1e3 * seen.min():
        axes.set_yscale("log")


_AXES = {
    "random": ("first random direction (filter-normalised)", "second random direction (filter-normalised)"),
    "path": ("first principal direction of the path", "second principal direction of the path"),
    "runs": ("towards the second run (1 = there)", "towards the third run (1 = there)"),
}
_CAPTIONS = {
    "random": "Loss on the plane of two random, filter-normalised directions about the solution",
    "path": "Loss on the plane in which the training path is longest",
    "runs": "Loss on the plane through the solutions of three runs",
}


def plane_figure(found: Any) -> Any:
    """Contours of training and validation loss, with the projected path of training.

    Args:
        found: A `Surface` that has a plane.
    """
    plane = found.plane
    caption = (
        f"{found.title} {_CAPTIONS[plane.kind]}, and the path of training projected onto it (circle: start; star:"
        f" solution; the plane holds {100 * plane.path_share:.2g} % of the path's squared distance)."
    )
    if plane.labels:
        caption += " " + ", ".join(f"{number}: {name}" for number, name in enumerate(plane.labels, start=1)) + "."
    with drawing(caption, width=8.6, height=4.4) as figure:
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        losses = {"training loss": plane.train_loss, "validation loss": plane.validation_loss}
        levels = _levels(*losses.values())
        for axes, (name, loss) in zip(panels, losses.items(), strict=True):
            drawn = axes.contourf(plane.x, plane.y, loss, levels, cmap=SEQUENTIAL, norm=_norm(levels), extend="both")
            axes.contour(plane.x, plane.y, loss, levels, colors="white", linewidths=0.4, norm=_norm(levels))
            _draw_path(axes, plane)
            axes.set_title(name, fontsize=11)
            axes.set_xlabel(_AXES[plane.kind][0], fontsize=9)
            axes.locator_params(nbins=5)
            axes.grid(False)
        panels[0].set_ylabel(_AXES[plane.kind][1], fontsize=9)
        figure.colorbar(drawn, ax=panels, label="loss", format="%.3g")
    return figure


def _levels(*losses: np.ndarray) -> np.ndarray:
    """Fifteen contours, closer where the loss is small: near the solution the surface is interesting."""
    seen = np.concatenate([loss[np.isfinite(loss)] for loss in losses])
    low, high = seen.min(), np.quantile(seen, 0.97)
    if high <= low:
        return low + np.linspace(0, 1e-9 + abs(low) * 1e-9, 15)
    if low > 0 and high > 20 * low:
        return np.geomspace(low, high, 15)
    return np.linspace(low, high, 15)


def _norm(levels: np.ndarray) -> Any:
    from matplotlib.colors import BoundaryNorm

    return BoundaryNorm(levels, 256, extend="both")


def _draw_path(axes: Any, plane: Any) -> None:
    axes.plot(*plane.path.T, color="white", linewidth=2.6)
    axes.plot(*plane.path.T, color=ORANGE, linewidth=1.4, marker=".", markersize=4)
    axes.plot(*plane.path[0], marker="o", color=ORANGE, markeredgecolor="white", markersize=8)
    axes.plot(*plane.path[-1], marker="*", color=ORANGE, markeredgecolor="white", markersize=14)
    for number, point in enumerate(plane.labels.values(), start=1):
        outline = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": BLACK}
        axes.annotate(str(number), point, (0, 13), textcoords="offset points", ha="center", fontsize=9, bbox=outline)
        axes.plot(*point, marker="X", color="white", markeredgecolor=BLACK, markersize=7)
    axes.set_xlim(plane.x[0], plane.x[-1])
    axes.set_ylim(plane.y[0], plane.y[-1])
