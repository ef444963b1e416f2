"""`fdl train`: train a model by name; the recipe gives what is not given here."""

from pathlib import Path
from typing import Any

import click

from fdl_zoo.cli._common import EntryName, common_options, emit, honour_strict, state_of


@click.command("train", epilog="Example:  fdl train mlp --data digits --optimizer adam --lr 0.01 --epochs 20")
@click.argument("model", required=False, type=EntryName("models"))
@click.option("--data", type=EntryName("datasets"), help="A dataset's name, or the path of your own data.")
@click.option("--optimizer", type=EntryName("optimizers"), help="An optimizer's name; Keras's own are keras/NAME.")
@click.option("--lr", "learning_rate", type=float, help="Short for --set optimizer.learning_rate=LR.")
@click.option(
    "--callback", "callbacks", multiple=True, type=EntryName("callbacks"), help="Add a callback; may be repeated."
)
@click.option("--epochs", type=int, help="Passes over the training split.")
@click.option("--batch-size", metavar="N|full", help="Examples per step, or full for batch gradient descent.")
@click.option("--seed", type=int, help="Decides weights, order of examples and masks.")
@click.option("--loss", help="A loss of Keras by name, or half_squared_error.")
@click.option("--metric", "metrics", multiple=True, help="A metric of Keras by name; may be repeated.")
@click.option("--monitor", help="The metric that chooses the best checkpoint; val_loss by default.")
@click.option("--devices", metavar="cpu:0|gpu:0,gpu:1", help="One device, or several, which mirror the model.")
@click.option("--strategy", type=click.Choice(["auto", "mirrored"]), help="How devices work together.")
@click.option("--precision", help="float32, float64, mixed_bfloat16 or mixed_float16.")
@click.option("--checkpoint-every", type=int, metavar="EPOCHS", help="Epochs between two checkpoints.")
@click.option("--experiment", help="The experiment's name in the tracking store.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False), help="A YAML file, as --dry-run prints it.")
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Any value of the run; may be repeated.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Where prepared datasets lie.")
@click.option("--register", metavar="NAME[@ALIAS]", help="Register the model when the run has finished.")
@click.option("--tracking-uri", help="A tracking server; MLFLOW_TRACKING_URI or the embedded store by default.")
@click.option("--no-tracking", is_flag=True, help="Keep the run's folder and send nothing to a store.")
@click.option("--dry-run", is_flag=True, help="Print the resolved run as YAML and build nothing.")
@click.option("--explain", is_flag=True, help="The same, with the origin of each value.")
@common_options
@click.pass_context
def command(ctx: click.Context, /, dry_run: bool, explain: bool, register: str | None, **given: Any) -> None:
    """Train MODEL and record the run."""
    from fdl_zoo.resolution import resolve

    honour_strict(ctx)
    _check_register(register, given["no_tracking"])
    data_dir = given.pop("data_dir")
    resolved = resolve(_layers(**given), data_dir)
    if dry_run or explain:
        for note in resolved.notes:
            click.echo(note, err=True)
        emit(ctx, _dry_facts(resolved), resolved.explained() if explain else resolved.spec.to_yaml().rstrip())
        return
    _train(ctx, resolved, register)


def _check_register(target: str | None, no_tracking: bool) -> None:
    """Refuse before training what could not be registered after it."""
    if target is None:
        return
    from fdl_zoo.artifacts.target import parse_target
    from fdl_zoo.errors import InvalidOption

    parse_target(target)
    if no_tracking:
        raise InvalidOption("--register cannot go with --no-tracking: the registry is in the tracking store.")


def _layers(
    model: str | None,
    config: str | None,
    settings: tuple[str, ...],
    tracking_uri: str | None,
    no_tracking: bool,
    checkpoint_every: int | None,
    metrics: tuple[str, ...],
    **values: Any,
) -> list:
    """The flags as layers; a flag that is not given says nothing."""
    from fdl_zoo.layers import make_layers

    tracking = {"enabled": False} if no_tracking else {"uri": tracking_uri} if tracking_uri else None
    values["tracking"] = tracking
    values["checkpoint"] = None if checkpoint_every is None else {"every": checkpoint_every}
    values["metrics"] = metrics or None
    named = {key: values.pop(key) for key in ("data", "optimizer", "learning_rate", "callbacks")}
    return make_layers(model, **named, config=config, settings=settings, values=values, origin="command line")


def _dry_facts(resolved: Any) -> dict:
    return {"spec": resolved.spec.as_dict(), "origins": dict(resolved.origins), "notes": list(resolved.notes)}


def _train(ctx: click.Context, resolved: Any, register: str | None) -> None:
    import sys

    from fdl_zoo.tracking.sender import send_unsent
    from fdl_zoo.training.progress import choose
    from fdl_zoo.training.trainer import execute

    state = state_of(ctx)
    progress = choose(state.quiet, sys.stderr if state.json else sys.stdout)
    run = execute(resolved, progress=progress, verbose=state.verbose)
    registered = _registered(run, register) if register else None
    facts = {**run.as_dict(), "history": run.history} | ({"registered": registered.as_dict()} if registered else {})
    emit(
        ctx, facts, _summary(run) + (f"\nmodel  {registered.uri} (version {registered.version})" if registered else "")
    )
    if resolved.spec.tracking.enabled and not (run.path / "unsent").exists():
        for message in send_unsent():  # the store answers: what earlier runs could not send goes now
            progress.say(message)


def _registered(run: Any, target: str) -> Any:
    from fdl_zoo.artifacts.register import register

    return register(run.path, target)


def _summary(run: Any) -> str:
    """What a run ends with: its result, its model, its name, and where to look."""
    metrics = dict(run.metrics)
    seconds = metrics.pop("seconds")
    tested = {name: value for name, value in metrics.items() if name.startswith("test_")}
    best = {name: value for name, value in metrics.items() if name.startswith("best_")}
    lines = ["  ".join(f"{name} {value:.4f}" for name, value in sorted(tested.items()))]
    if best:
        lines.append("  ".join(f"{name} {value:.4f}" for name, value in sorted(best.items())))
    lines.append(f"model  {_relative(run.model_path)}")
    lines.append(f"run    {run.name} ({run.status} in {seconds:.1f} s)")
    lines.append("look   fdl ui" if run.spec.tracking.enabled else f"look   {_relative(run.path)}")
    return "\n".join(lines)


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
