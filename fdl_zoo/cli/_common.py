"""What commands share: the options that stand before or after a command's name, output, and names that complete."""

import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from fdl_zoo.cli._places import says_what_cannot_be_used
from fdl_zoo.plain import plain

Command = TypeVar("Command", bound=Callable[..., Any])
_SAYS_WHAT_FAILS = ("fdl plugins doctor", "fdl plugins test")


@dataclass
class Arguments:
    """The values of the common options.

    Args:
        json: Print JSON, and nothing else on standard output.
        quiet: Print results only.
        verbose: Let the messages of other libraries through.
        strict: A plugin that fails ends the command.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    strict: bool = False


def state_of(ctx: click.Context) -> Arguments:
    """The common options of this command line."""
    return ctx.find_root().ensure_object(Arguments)


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Remember a common option wherever it stood; what is not given leaves the other place's value."""
    if value:
        setattr(state_of(ctx), str(parameter.name), value)


def _keep_plugins(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
    """Named folders go into the environment, where discovery and started processes find them."""
    if value:
        known = os.environ.get("FDL_ZOO_PLUGINS_DIR", "")
        os.environ["FDL_ZOO_PLUGINS_DIR"] = os.pathsep.join([*value, *filter(None, [known])])


def common_options(command: Command) -> Command:
    """Add the options that every command has; their values are in `state_of(ctx)`.

    `--strict` is honoured here, and what the system refuses to read or write is said in a sentence.
    """
    options = (
        click.option("--json", is_flag=True, expose_value=False, callback=_keep, help="Print JSON."),
        click.option("--quiet", is_flag=True, expose_value=False, callback=_keep, help="Print results only."),
        click.option("--verbose", is_flag=True, expose_value=False, callback=_keep, help="Show what libraries print."),
        click.option("--strict", is_flag=True, expose_value=False, callback=_keep, help="End if a plugin fails."),
        click.option(
            "--plugins-dir",
            multiple=True,
            metavar="DIR",
            expose_value=False,
            callback=_keep_plugins,
            is_eager=True,
            type=click.Path(exists=True, file_okay=False),
            help="A folder of plugins. A plugin is code: it runs when it is used.",
        ),
    )
    checked = says_what_cannot_be_used(_honours_strict(command))
    for option in reversed(options):
        checked = option(checked)
    return checked


def _honours_strict(command: Command) -> Command:
    """The command, which `--strict` ends before it begins if a plugin fails; one that says what fails goes on."""

    @functools.wraps(command)
    def checked(*arguments: Any, **options: Any) -> Any:
        ctx = click.get_current_context()
        if state_of(ctx).strict and not ctx.invoked_subcommand and ctx.command_path not in _SAYS_WHAT_FAILS:
            from fdl_zoo import catalogue

            catalogue.require_healthy()
        return command(*arguments, **options)

    return cast(Command, checked)


def emit(ctx: click.Context, facts: Any, text: str = "") -> None:
    """Print facts as JSON where it was asked for, else the text."""
    if state_of(ctx).json:
        click.echo(json.dumps(plain(facts), indent=2, default=str))
    elif text:
        click.echo(text)


def width() -> int | None:
    """Columns of the terminal; None in a pipe, where lines are not cut."""
    import shutil

    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else None


def relative(path: str | Path) -> Path:
    """A path as it is seen from the working directory, where it is below it."""
    path = Path(path)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def columns(rows: Sequence[Sequence[str]], limit: int | None = None, indent: str = "") -> str:
    """Rows as aligned columns; the last column is cut at `limit` with an ellipsis."""
    if not rows:
        return ""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [f"{cell:{size}}" for cell, size in zip(row, widths, strict=False)]
        line = (indent + "  ".join([*cells, row[-1]])).rstrip()
        lines.append(line if limit is None or len(line) <= limit else line[: limit - 1].rstrip() + "…")
    return "\n".join(lines)


class Subcommands(click.Group):
    """The subcommands; an unknown one is answered with the closest names."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but with a hint."""
        from difflib import get_close_matches

        if args[0] not in self.commands and not args[0].startswith("-"):
            close = get_close_matches(args[0], self.commands, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(self.commands)}."
            raise click.UsageError(f"There is no command {f'{self.name} {args[0]}'!r}: {hint}")
        return super().resolve_command(ctx, args)


class EntryName(click.ParamType[str]):
    """An entry's name, completed by the shell from the catalogue.

    Args:
        kind: The registry; None for all.
    """

    name = "name"

    def __init__(self, kind: str | None) -> None:
        self.kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so, with their summaries."""
        from fdl_zoo import catalogue
        from fdl_zoo.entry import normalise

        registries = [catalogue.registry(self.kind)] if self.kind else catalogue.REGISTRIES.values()
        origin = "keras" if incomplete.lower().startswith("keras") else None
        entries = [entry for registry in registries for entry in registry.entries(origin=origin)]
        return [
            CompletionItem(entry.name, help=entry.summary)
            for entry in entries
            if normalise(entry.name).startswith(normalise(incomplete))
        ]


class RunName(click.ParamType[str]):
    """A run, completed by the shell from the runs of this working directory."""

    name = "run"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The runs that begin so, latest first."""
        from fdl_zoo.tracking.folder import list_folders

        names = ["last", *(folder.name for folder in list_folders())]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]
