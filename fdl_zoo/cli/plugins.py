"""`fdl plugins`: third-party entries, who brings them, what is wrong with them, and the beginnings of a new one."""

from pathlib import Path
from typing import Any

import click

from fdl_zoo.cli._common import Subcommands, columns, common_options, emit, state_of, width


@click.group("plugins", cls=Subcommands, invoke_without_command=True)
@common_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, check and begin plugins. A plugin is code: it runs when it is used."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_plugins)


@command.command("list")
@common_options
@click.pass_context
def list_plugins(ctx: click.Context) -> None:
    """List plugins; nothing of them is imported."""
    from fdl_zoo.plugins import listing

    found = listing.list_plugins()
    rows = [("plugin", "version", "door", "state", "read in", "entries")]
    rows += [
        (
            each["distribution"],
            each["version"],
            each["door"],
            each["state"],
            f"{1000 * each['seconds']:.1f} ms",
            ", ".join(each["entries"]) or "none",
        )
        for each in found
    ]
    emit(ctx, found, columns(rows, width()) if found else "No plugins here: `fdl plugins new NAME` begins one.")


@command.command("doctor")
@click.option(
    "--time-limit",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long an import, or a build, may take.",
)
@common_options
@click.pass_context
def doctor(ctx: click.Context, time_limit: float) -> None:
    """Load each entry in a process of its own; say what fails and why."""
    from fdl_zoo.plugins.doctor import diagnose_plugins

    state = state_of(ctx)
    shown = not (state.json or state.quiet)
    found = diagnose_plugins(time_limit, (lambda each: click.echo(_line(each))) if shown else lambda each: None)
    lines = [f"problem: {failure}" for failure in found.failures]
    lines += [f"notice: {notice}" for notice in found.notices]
    lines += [f"{_count(len(found.plugins), 'plugin')}, {_count(len(found.failures), 'problem')}."]
    emit(ctx, found.as_dict(), "\n".join(lines))
    ctx.exit(1 if found.failures else 0)


def _line(finding: Any) -> str:
    said = [] if finding.seconds is None else [f"imported in {finding.seconds:.2f} s"]
    if finding.state == "failed":
        said += [f"{finding.phase}: {finding.message}"]
    else:
        said += [f"not built: {finding.message}" if finding.message else "built"]
    return f"{finding.state:6}  {finding.entry}  {', '.join(said)}"


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


@command.command("new")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["model", "optimizer", "callback", "dataset"]),
    default="model",
    show_default=True,
    help="What it brings.",
)
@click.option("-o", "--output", type=click.Path(file_okay=False), default=".", help="Where its folder goes.")
@common_options
@click.pass_context
def new(ctx: click.Context, name: str, kind: str, output: str) -> None:
    """Write a plugin that works: a package of two files and a test."""
    from fdl_zoo.plugins.new import new_plugin

    files = new_plugin(name, kind, output)
    folder, entry = files[0].parent, files[1].stem
    use = {
        "model": f"fdl train {entry}",
        "optimizer": f"fdl train mlp --optimizer {entry}",
        "callback": f"fdl train mlp --callback {entry}",
        "dataset": f"fdl train mlp --data {entry}",
    }
    steps = {
        "install": f"pip install --no-build-isolation -e {folder}",
        "use": use[kind],
        "test": f"python -m pytest {folder}",
    }
    facts = {"folder": str(folder), "files": [str(file) for file in files], "steps": steps}
    text = [f"wrote {folder}: {', '.join(Path(file).name for file in files)}"]
    text += [f"{verb + ':':9}{step}" for verb, step in steps.items()]
    emit(ctx, facts, text[0] if state_of(ctx).quiet else "\n".join(text))


@command.command("test")
@click.argument("distribution")
@common_options
@click.pass_context
def test(ctx: click.Context, distribution: str) -> None:
    """Hold the conformance suite against all that a plugin brings."""
    from fdl_zoo.plugins.conformance import check_plugin

    report = check_plugin(distribution, verbose=state_of(ctx).verbose)
    facts = report.as_dict()
    lines = [f"{outcome.status}: {outcome.message}" for outcome in report.failures]
    lines += [f"{distribution}: {_count(report.ran, 'check')} of kit {facts['kit_version']} ran ({report.summary})"]
    if not report.ran:
        lines += ["A suite that tests nothing proves nothing."]
    emit(ctx, {"distribution": distribution, **facts}, "\n".join(lines))
    ctx.exit(0 if report.passed else 1)
