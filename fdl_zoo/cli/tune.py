"""`fdl tune`: search for options by Optuna, an extra."""

from typing import Any

import click

from fdl_zoo.cli._common import columns, common_options, emit, relative
from fdl_zoo.cli._run_options import as_keywords, run_options, speaker

_SHOWN = 10


@click.command("tune", epilog="Example:  fdl tune mlp --search optimizer.learning_rate=1e-4..1e-1:log --trials 20")
@run_options
@click.option("--search", multiple=True, required=True, metavar="PATH=LOW..HIGH[:log]|A,B", help="May be repeated.")
@click.option("--trials", type=click.IntRange(1), default=20, show_default=True, help="Settings to try.")
@click.option("--no-prune", is_flag=True, help="Train every trial to its end.")
@click.option("--jobs", "-j", type=click.IntRange(1), help="Trials at once.")
@common_options
@click.pass_context
def command(ctx: click.Context, /, no_prune: bool, **given: Any) -> None:
    """Search for the options of MODEL that are best on validation data."""
    from fdl_zoo.comparison.tune import tune

    found = tune(**as_keywords(**given), prune=not no_prune, say=speaker(ctx))
    emit(ctx, found.as_dict(), _text(found))


def _text(found: Any) -> str:
    whole = [trial for trial in found.trials if trial.pruned is None and trial.child.finished]
    pruned = sum(trial.pruned is not None for trial in found.trials)
    failed = len(found.trials) - len(whole) - pruned
    sign = 1 if found.best.child.final == min(trial.child.final for trial in whole) else -1
    whole.sort(key=lambda trial: sign * trial.child.final)
    rows = [("trial", *found.best.values, found.monitor, "run")]
    for trial in whole[:_SHOWN]:
        values = [str(value) for value in trial.values.values()]
        rows.append((str(trial.number), *values, f"{trial.child.final:.5g}", trial.child.name))
    picture = found.figures[0]
    shown = relative(picture)
    return "\n".join(
        [
            columns(rows),
            "",
            f"{len(found.trials)} trials: {len(whole)} to the end, {pruned} pruned, {failed} failed; best first",
            f"figure  {shown}",
            f"search  {found.name}",
            f"best    {found.command}",
        ]
    )
