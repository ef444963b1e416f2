"""A progress bar with an estimate on a terminal; elsewhere a line when the work begins."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click


@contextmanager
def bar(label: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """What shows the progress of long work: a function of what is done and what there is to do.

    Args:
        label: What is being done.
        quiet: Show nothing.
    """
    shown: list[Any] = []

    def update(done: int, total: int) -> None:
        if not shown:
            shown.append(click.progressbar(length=total, label=label, file=sys.stderr).__enter__())
        shown[0].update(done - shown[0].pos)

    try:
        yield (lambda done, total: None) if quiet else update
    finally:
        for each in shown:
            each.render_finish()
