"""`fdl ui`: the MLflow UI over the runs of this working directory, on this machine only unless told otherwise."""

import click

from fdl_zoo.cli._common import common_options, emit, state_of


@click.command("ui")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port; a free one by default.")
@common_options
@click.pass_context
def command(ctx: click.Context, host: str, port: int | None) -> None:
    """Open the tracking UI; Ctrl-C ends it."""
    from fdl_zoo.tracking.sender import send_unsent
    from fdl_zoo.tracking.ui import exposure, serve_ui, stop_ui, wait_for_ui

    warning = exposure(host)
    if warning:
        click.echo(warning, err=True)
    process, url = serve_ui(host=host, port=port)
    try:
        emit(ctx, {"url": url, "pid": process.pid}, f"{url}  (Ctrl-C ends it)")
        for message in send_unsent():
            if not state_of(ctx).quiet:
                click.echo(message, err=True)
        wait_for_ui(process)
    finally:
        stop_ui(process)
