"""`fdl curvature`: eigenvalues of the Hessian of a run's training loss, and what they say (chapter 4)."""

from typing import Any

import click

from fdl_zoo.cli._bar import bar
from fdl_zoo.cli._common import RunName, columns, common_options, emit, relative, state_of


@click.command("curvature", epilog="Example:  fdl curvature last --at initial")
@click.argument("run", type=RunName())
@click.option("--at", type=click.Choice(["final", "initial"]), default="final", show_default=True, help="Where.")
@click.option("--examples", type=click.IntRange(1), metavar="N", help="Only the first N training examples: faster.")
@click.option("--steps", type=click.IntRange(2), default=200, show_default=True, help="Of Lanczos, at most.")
@click.option("--probes", type=click.IntRange(1), default=5, show_default=True, help="For trace and density.")
@click.option("--exact", type=click.IntRange(0), default=2000, show_default=True, help="All eigenvalues up to so many.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the random probes.")
@common_options
@click.pass_context
def command(ctx: click.Context, /, run: str, **options: Any) -> None:
    """Measure how the training loss of RUN bends: a name, an id, a prefix of either, or last."""
    from fdl_zoo.analysis.curvature import curvature

    with bar("Hessian products", state_of(ctx).quiet) as progress:
        found = curvature(run, progress=progress, **options)
    emit(ctx, found.as_dict(), _summary(found))


def _summary(found: Any) -> str:
    about = "" if found.exact else "about "
    down = f"{about}{100 * found.negative_share:.3g} % of the eigenvalues are below {found.negative_below:.2g}"
    condition = f"{found.condition_number:.4g}, of the eigenvalues above 1e-9 of the largest"
    if found.exact:
        condition += f"; {found.eigenvalues_below:,} of {found.parameters:,} are below"
    else:
        condition = f"at least {found.condition_number:.4g} ({found.parameters:,} parameters)"
    rows = [
        ("loss", f"{found.loss:.6g} at the {found.at} parameters, gradient norm {found.gradient_norm:.3g}"),
        ("largest eigenvalue", f"{found.largest_eigenvalue:.8g} (within {found.eigenvalue_error:.1g})"),
        ("smallest eigenvalue", f"{found.smallest_eigenvalue:.8g}"),
        ("trace", f"{found.trace:.6g}" + ("" if found.exact else f" +- {found.trace_standard_error:.2g}")),
        ("condition number", condition),
        ("point", f"{found.point}: {down}"),
        ("learning rate", _rates(found)),
    ]
    if found.gradient_angle_degrees is not None:
        rows.append(
            ("angle at the start", f"{found.gradient_angle_degrees:.1f} degrees from the gradient to the final point")
        )
    rows += [("drawn", str(relative(file))) for file in found.files]
    return columns(rows)


def _rates(found: Any) -> str:
    if found.stable_learning_rate is None:
        return "nothing bends upwards, so no rate is too large"
    own = "" if found.learning_rate is None else f"; the run's own is {found.learning_rate:.4g}"
    return f"gradient descent is stable up to {found.stable_learning_rate:.4g}{own}"
