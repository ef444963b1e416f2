"""`fdl serve`: a run's model over HTTP, on this machine only unless told otherwise."""

import click

from fdl_zoo.cli._common import common_options, emit


@click.command("serve", epilog="Example:  curl 127.0.0.1:8080/invocations --json '{\"inputs\": [...]}'")
@click.argument("run")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port; a free one by default.")
@click.option("--allow-unsafe", is_flag=True, help="Serve a folder from elsewhere, which may run code.")
@common_options
@click.pass_context
def command(ctx: click.Context, run: str, host: str, port: int | None, allow_unsafe: bool) -> None:
    """Serve the model of RUN until Ctrl-C: raw units in, probabilities out.

    RUN is a run's name, a prefix, `last`, a path, or models:/NAME@ALIAS.
    """
    from fdl_zoo.artifacts.serve import exposure, serve, stop, wait

    warning = exposure(host)
    if warning:
        click.echo(warning, err=True)
    process, url = serve(run, host=host, port=port, allow_unsafe=allow_unsafe)
    try:
        emit(ctx, {"url": f"{url}/invocations", "pid": process.pid}, f"{url}/invocations  (Ctrl-C ends it)")
        wait(process)
    finally:
        stop(process)
