"""`fdl export`: a run's model in a format that other programs read, proved equal before it counts as done."""

from typing import Any

import click

from fdl_zoo.cli._common import common_options, emit, relative


@click.command("export", epilog="Example:  fdl export last --format onnx -o digits.onnx")
@click.argument("run")
@click.option(
    "--format",
    "format_",
    required=True,
    type=click.Choice(["keras", "saved_model", "onnx", "litert"]),
    help="What to write; onnx needs the extra fdl-zoo[onnx].",
)
@click.option("-o", "--output", type=click.Path(), help="Where to; by default the run's name.")
@click.option("--logits", is_flag=True, help="Give logits instead of probabilities.")
@click.option("--allow-unsafe", is_flag=True, help="Load a model file that may run code.")
@common_options
@click.pass_context
def command(ctx: click.Context, /, run: str, format_: str, **given: Any) -> None:
    """Export the model of RUN: a run's name, a prefix, `last`, a path, or models:/NAME@ALIAS.

    All formats but keras take raw units and give probabilities.
    """
    from fdl_zoo.artifacts.export import export

    found = export(run, format_, **given)
    text = (
        f"{relative(found.path)}  {found.inputs} inputs, {found.outputs}; read back, differs from Keras by at most"
        f" {found.largest_difference:.1e} on {found.examples} examples"
    )
    emit(ctx, found.as_dict(), text)
