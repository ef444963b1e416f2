"""The command `fdl`: one command per file of this folder; heavy imports happen inside a command's body."""

import importlib
import os
import sys
from collections.abc import Sequence

import click

from fdl_zoo.cli._common import Arguments, common_options, state_of
from fdl_zoo.errors import ZooError

ORDER = (
    *("list", "show", "train", "resume", "rerun", "runs", "diff", "compare", "tune", "find-lr"),
    *("evaluate", "predict", "export", "serve", "register", "surface", "curvature", "features"),
    *("ui", "data", "plugins", "doctor"),
)


class Commands(click.Group):
    """The commands by name, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of a first visit."""
        return [*ORDER]  # not `list(...)`: the module `list` of this folder has that name here

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a file; `find-lr` is in `find_lr.py`."""
        if name not in ORDER:
            return None
        command: click.Command = importlib.import_module(f"fdl_zoo.cli.{name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown command is answered with the closest names."""
        from difflib import get_close_matches

        if args[0] not in ORDER and not args[0].startswith("-"):
            close = get_close_matches(args[0], ORDER, n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(close)}?" if close else f"the commands are {', '.join(ORDER)}."
            raise click.UsageError(f"There is no command {args[0]!r}: {hint}")
        return super().resolve_command(ctx, args)


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="First steps:  fdl list   fdl show mlp   fdl train mlp --data digits   fdl ui",
)
@click.version_option(package_name="fdl-zoo", prog_name="fdl")
@common_options
def cli() -> None:
    """Train, follow and compare the models of Fundamentals of Deep Learning, by name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `fdl` and end the process: 0 done, 2 for what the user can put right, 1 failed, 130 and 143 after signals."""
    # Plugins of pydantic have no part in `fdl`, and looking for them fails where any distribution is damaged.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run `fdl` and return the exit status; errors are one line on standard error."""
    arguments = [*(sys.argv[1:] if arguments is None else arguments)]
    output = sys.stdout
    try:
        return cli.main(arguments, prog_name="fdl", standalone_mode=False, obj=Arguments()) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        return _complain(error.format_message(), 2)
    except ZooError as error:
        return _complain(str(error), error.exit_status)
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted", 130)
    except SystemExit:
        if sys.stdout is not output:  # click has replaced it, since the reader of a pipe has gone, as `| head` does
            return 0
        raise
    except Exception as error:
        if "--verbose" in arguments:
            raise
        from fdl_zoo import catalogue

        if _is_of_metadata(error):
            try:
                catalogue.require_readable()
            except ZooError as named:
                return _complain(str(named), named.exit_status)
        return _complain(f"{catalogue.described(error)} (--verbose shows where)", 1)
    except BaseException as error:
        if type(error).__name__ != "Terminated":  # its module is imported only by those that train
            raise
        return _complain("terminated", 143)


_METADATA = ("importlib.metadata", "importlib_metadata")


def _is_of_metadata(error: BaseException) -> bool:
    """Whether the reading of what is installed has failed, Python's own or its backport's, which some library imports.

    The error does not say at which distribution.
    """
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and place.tb_frame.f_globals.get("__name__", "").startswith(_METADATA)


def _complain(text: str, status: int) -> int:
    """One line on standard error, whatever the text came from."""
    print("fdl: " + " ".join(text.split()), file=sys.stderr)
    return status


__all__ = ["cli", "main", "run", "state_of"]
