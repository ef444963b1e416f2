"""`fdl features`: filters, feature maps, pooling and the last hidden layer of a run's network (chapter 5)."""

from typing import Any

import click

from fdl_zoo.cli._common import RunName, columns, common_options, emit, relative


@click.command("features", epilog="Example:  fdl features last 3 --layer conv_2")
@click.argument("run", type=RunName())
@click.argument("image", required=False)
@click.option("--layer", help="The name of a convolution; the first by default.")
@click.option(
    "--method", type=click.Choice(["tsne", "pca"]), default="tsne", show_default=True, help="For the classes."
)
@click.option("--examples", type=click.IntRange(10), default=1000, show_default=True, help="At most, for the classes.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of t-SNE.")
@common_options
@click.pass_context
def command(ctx: click.Context, /, run: str, image: str | None, **options: Any) -> None:
    """Draw what the network of RUN sees in IMAGE: the number of a test example, or a file."""
    from fdl_zoo.analysis.features import features

    found = features(run, image, **options)
    emit(ctx, found.as_dict(), _summary(found))


def _summary(found: Any) -> str:
    rows = []
    if found.filters is not None:
        height, width, _, count = found.filters.shape
        rows.append(("filters", f"{count} of {height}x{width} in {found.layer}; feature maps of {found.image}"))
    if found.shift is not None:
        shift = found.shift
        rows.append(
            (
                "shift by 1 pixel",
                f"changes the feature maps by {100 * shift['feature_map'][1]:.0f} %, the first value of each tile by"
                f" {100 * shift['subsampled'][1]:.0f} %, the max pooled by {100 * shift['max_pooled'][1]:.0f} %",
            )
        )
    if found.embedding is not None and found.embedding.neighbour_accuracy is not None:
        accuracy = found.embedding
        rows.append(
            (
                "same class",
                f"has the nearest other example: {100 * accuracy.neighbour_accuracy:.1f} % by {accuracy.layer},"
                f" {100 * accuracy.neighbour_accuracy_input:.1f} % by the inputs",
            )
        )
    rows += [("drawn", str(relative(file))) for file in found.files]
    return columns(rows)
