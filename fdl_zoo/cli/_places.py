"""Says in a sentence what is wrong with a file or folder that a command needs, where the system refuses it."""

import errno
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from fdl_zoo.errors import UnusablePlace

Command = TypeVar("Command", bound=Callable[..., Any])
# Why a place cannot be used, and what would help.
_KINDS = {
    errno.EACCES: ("permission is denied", "change its permissions"),
    errno.EPERM: ("permission is denied", "change its permissions"),
    errno.EROFS: ("its file system is read-only", "make it writable"),
    errno.ENOTDIR: ("{obstacle} is a file and no folder", "move it away"),
    errno.EEXIST: ("{obstacle} is there already", "move it away"),
    errno.EISDIR: ("it is a folder and no file", "move it away"),
    errno.ENOENT: ("it is not there, and cannot be made", "see whether it is written right"),
    errno.ENOSPC: ("the disk is full", "make space"),
    errno.ENAMETOOLONG: ("a name in it is too long", "shorten it"),
}


def says_what_cannot_be_used(command: Command) -> Command:
    """The command, whose user reads which place cannot be used, and why, instead of the name of an error's class.

    With `--verbose` the error stays what it is, and its traceback is shown.
    """

    @functools.wraps(command)
    def telling(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except OSError as error:
            from fdl_zoo.cli._common import state_of

            ctx = click.get_current_context()
            sentence = in_words(error, _output_option(ctx.command))
            if sentence is None or state_of(ctx).verbose:
                raise
            raise UnusablePlace(sentence) from error

    return cast(Command, telling)


def in_words(error: OSError, option: str | None = None) -> str | None:
    """The sentence about a place; None of an error that names none, which may be a mistake of ours.

    Args:
        error: What the system has raised.
        option: The option that names another place, where there is one.
    """
    # Of two names the second is the one that was to be written, the first is ours and temporary.
    name = error.filename if error.filename2 is None else error.filename2
    if error.errno not in _KINDS or not isinstance(name, str | bytes | os.PathLike):
        return None
    path = os.fsdecode(name)
    if os.path.basename(path).startswith(".") and not os.path.exists(path):  # temporary: nobody has heard of it
        path = os.path.dirname(path) or "."
    reason, remedy = _KINDS[error.errno]
    if error.errno == errno.ENOENT and os.path.exists(path):
        reason, remedy = "nothing can be made in it", "work in another folder"
    choice = f", or choose another place with {option}" if option else ""
    return f"{path} cannot be used: {reason.format(obstacle=_obstacle(path))}; {remedy}{choice}."


def _obstacle(path: str) -> str:
    """What lies in the way of a path: the first part of it that is a file, or else the path itself, as `it`."""
    above = map(str, reversed(Path(path).parents))
    return next((each for each in above if os.path.exists(each) and not os.path.isdir(each)), "it")


def _output_option(command: click.Command) -> str | None:
    """The option of a command that names where its files go."""
    return next((min(each.opts, key=len) for each in command.params if each.name == "output"), None)
