"""`fdl predict`: what a run's model says of files, or of examples of its dataset; one line each."""

from typing import Any

import click

from fdl_zoo.cli._common import common_options, emit

_SHOWN = 3  # classes on a line


@click.command("predict", epilog="Example:  fdl predict last digit.png   fdl predict last --split test --limit 5")
@click.argument("run")
@click.argument("files", nargs=-1, type=click.Path())
@click.option("--split", type=click.Choice(["test", "validation", "train"]), help="Examples of the dataset instead.")
@click.option("--limit", type=click.IntRange(1), help="At most so many examples of the split.")
@click.option("--logits", is_flag=True, help="The model's own outputs instead of probabilities.")
@click.option(
    "--invert/--no-invert", default=None, help="Whether images change black and white; by default their edges decide."
)
@click.option("--allow-unsafe", is_flag=True, help="Load a model file that may run code.")
@common_options
@click.pass_context
def command(ctx: click.Context, /, run: str, files: tuple[str, ...], **given: Any) -> None:
    """Predict FILES (images, .npy, .csv) with the model of RUN.

    Arrays and tables are in the raw units of the training set. RUN is a run's name, a prefix, `last`, a path, or
    models:/NAME@ALIAS.
    """
    from fdl_zoo.artifacts.predict import predict

    found = predict(run, files, **given)
    emit(ctx, found.as_dict(), "\n".join(map(_line, found)))


def _line(prediction: Any) -> str:
    """`digit.png  7 (98.2 %)  1 (1.1 %)  9 (0.4 %)`, or the values."""
    parts = [prediction.input]
    if prediction.label is None:
        parts.append(_values(prediction.outputs))
    else:
        ranked = sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])
        parts += [f"{name} ({value:.1%})" for name, value in ranked[:_SHOWN]]
    if prediction.truth is not None:
        parts.append(f"truth {prediction.truth if prediction.label is not None else _values(prediction.truth)}")
    return "  ".join(parts)


def _values(values: Any) -> str:
    if isinstance(values, list):
        return " ".join(f"[{_values(each)}]" if isinstance(each, list) else f"{each:.6g}" for each in values)
    return f"{values:.6g}"
