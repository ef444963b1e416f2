"""`fdl evaluate`: how well a run's model does on a split, with figures and numbers per class."""

from typing import Any

import click

from fdl_zoo.cli._common import EntryName, columns, common_options, emit, relative, state_of, width


@click.command("evaluate", epilog="Example:  fdl evaluate last --split validation")
@click.argument("run")
@click.option(
    "--data", type=EntryName("datasets"), help="A dataset's name or a path; by default what it was trained on."
)
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train", "all"]),
    default="test",
    show_default=True,
    help="Which examples.",
)
@click.option("--data-dir", type=click.Path(file_okay=False), help="Where prepared datasets lie.")
@click.option("-o", "--output", type=click.Path(file_okay=False), help="The folder of the figures.")
@click.option("--allow-unsafe", is_flag=True, help="Load a model file that may run code.")
@common_options
@click.pass_context
def command(ctx: click.Context, /, run: str, **given: Any) -> None:
    """Evaluate the model of RUN: a run's name, a prefix, `last`, a path, or models:/NAME@ALIAS."""
    from fdl_zoo.artifacts.evaluate import NotDrawn, evaluate

    try:
        found = evaluate(run, **given)
    except NotDrawn as error:  # minutes may have gone into the numbers
        emit(ctx, error.evaluation.as_dict(), _text(error.evaluation))
        raise error.cause from error
    emit(ctx, found.as_dict(), _text(found))
    _send(ctx)


def _text(found: Any) -> str:
    metrics = "  ".join(f"{name} {value:.4f}" for name, value in sorted(found.metrics.items()))
    parts = [f"{found.name} on {found.data}, {found.split} ({found.examples:,} examples)", metrics]
    if found.per_class:
        rows = [("class", "precision", "recall", "f1", "examples")]
        rows += [
            (each["class"], *(f"{each[key]:.4f}" for key in ("precision", "recall", "f1")), f"{each['support']:,}")
            for each in found.per_class
        ]
        parts.append(columns(rows, width()))
    parts += [f"file  {relative(path)}" for path in found.figures]
    return "\n".join(parts)


def _send(ctx: click.Context) -> None:
    """Figures that went into the run's folder go to its store as well."""
    from fdl_zoo.tracking.sender import send_unsent

    for message in send_unsent():
        if not state_of(ctx).quiet:
            click.echo(message, err=True)
