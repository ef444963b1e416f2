"""`fdl train`: train a model by name; the recipe gives what is not given here."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from fdl_zoo.cli._common import EntryName, common_options, emit, relative, state_of

if TYPE_CHECKING:
    from fdl_zoo.layers import Layer


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
@click.option("--strategy", type=click.Choice(["auto", "mirrored", "multiworker"]), help="How devices work together.")
@click.option("--workers", type=int, help="With multiworker: a trial with so many processes of this machine.")
@click.option("--precision", help="float32, float64, mixed_bfloat16 or mixed_float16.")
@click.option(
    "--checkpoint-every", metavar="N|Nsteps|Ns", help="Epochs between checkpoints; or steps or seconds, within one too."
)
@click.option("--log-every", type=int, metavar="STEPS", help="Record the loss every so many steps too.")
@click.option("--experiment", help="The experiment's name in the tracking store.")
@click.option(
    "--init-from", metavar="WEIGHTS|RUN|FILE", help="First weights: a dataset of the model's card, a run, or a file."
)
@click.option("--freeze", multiple=True, metavar="PATTERN", help="Layers that are not trained; may be repeated.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False), help="A YAML file, as --dry-run prints it.")
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Any value of the run; may be repeated.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Where prepared datasets lie.")
@click.option("--register", metavar="NAME[@ALIAS]", help="Register the model when the run has finished.")
@click.option("--tracking-uri", help="A tracking server; MLFLOW_TRACKING_URI or the embedded store by default.")
@click.option("--no-tracking", is_flag=True, help="Keep the run's folder and send nothing to a store.")
@click.option("--dry-run", is_flag=True, help="Print the resolved run as YAML and build nothing.")
@click.option("--explain", is_flag=True, help="The same, with the origin of each value.")
@click.option("--plan", is_flag=True, help="Build the run, say what is chosen for it and why, and train nothing.")
@common_options
@click.pass_context
def command(
    ctx: click.Context, /, dry_run: bool, explain: bool, plan: bool, register: str | None, **given: Any
) -> None:
    """Train MODEL and record the run."""
    from fdl_zoo.resolution import resolve
    from fdl_zoo.training.initial import settle

    _check_register(register, given["no_tracking"])
    data_dir = given.pop("data_dir")
    resolved = resolve(_layers(**given), data_dir)
    if dry_run or explain or plan:
        _show(ctx, settle(resolved)[0], explain, plan)
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
    checkpoint_every: str | None,
    log_every: int | None,
    metrics: tuple[str, ...],
    freeze: tuple[str, ...],
    **values: Any,
) -> "list[Layer]":
    """The flags as layers; a flag that is not given says nothing."""
    from fdl_zoo.layers import make_layers

    tracking = {"enabled": False} if no_tracking else {"uri": tracking_uri} if tracking_uri else {}
    values["tracking"] = tracking | ({} if log_every is None else {"log_every": log_every}) or None
    values["checkpoint"] = None if checkpoint_every is None else _interval(checkpoint_every)
    values["metrics"] = metrics or None
    values["freeze"] = freeze or None
    named = {key: values.pop(key) for key in ("data", "optimizer", "learning_rate", "callbacks")}
    return make_layers(model, **named, config=config, settings=settings, values=values, origin="command line")


def _interval(text: str) -> dict[str, Any]:
    """`2`, `100steps` or `30s` as keys of the specification."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(|epochs?|steps?|s|seconds?)", text.strip())
    if not match or ("." in match[1] and not match[2].startswith("s")):
        raise click.BadParameter(f"{text!r} is no interval: write 2, 100steps or 30s.", param_hint="--checkpoint-every")
    if match[2].startswith("step"):
        return {"steps": int(match[1])}
    return {"seconds": float(match[1])} if match[2].startswith("s") else {"every": int(match[1])}


def _show(ctx: click.Context, resolved: Any, explain: bool, plan: bool) -> None:
    """What would be trained: as YAML, with origins, or with what is chosen once it is built."""
    for note in resolved.notes:
        click.echo(note, err=True)
    facts = {"spec": resolved.spec.as_dict(), "origins": dict(resolved.origins), "notes": list(resolved.notes)}
    texts = [resolved.explained().rstrip()] if explain else [] if plan else [resolved.spec.to_yaml().rstrip()]
    if plan:
        from fdl_zoo.training.plan import plan as make_plan

        made = make_plan(resolved.spec, verbose=state_of(ctx).verbose)
        facts["plan"] = made.as_dict()
        texts.append(str(made))
    emit(ctx, facts, "\n".join(texts))


def _train(ctx: click.Context, resolved: Any, register: str | None) -> None:
    from fdl_zoo.training.trainer import execute

    tell(ctx, lambda **shown: execute(resolved, **shown), register)


def tell(ctx: click.Context, train: Callable[..., Any], register: str | None = None) -> None:
    """Train, tell the result, and send what earlier runs could not send.

    Args:
        ctx: Of the command.
        train: Given `progress` and `verbose`; returns the run.
        register: The name, and perhaps alias, under which the model goes into the registry.
    """
    from fdl_zoo.tracking.sender import send_unsent
    from fdl_zoo.training.cluster import read

    progress, verbose = shown(ctx)
    run = train(progress=progress, verbose=verbose)
    cluster = read() if run.spec.strategy == "multiworker" else None  # a variable that is there for another program
    if cluster and not cluster.is_chief:
        return  # worker 0 records the run, and tells its result
    facts, text = {**run.as_dict(), "history": run.history}, ""
    if not state_of(ctx).json:
        click.echo(_summary(run))
    try:
        if register:
            registered = _registered(run, register)
            facts["registered"] = registered.as_dict()
            text = f"model  {registered.uri} (version {registered.version})"
    finally:  # what was trained is told, whatever the registry says
        emit(ctx, facts, text)
    if run.spec.tracking.enabled and not (run.path / "unsent").exists():
        for message in send_unsent():  # the store answers: what earlier runs could not send goes now
            progress.say(message)


def shown(ctx: click.Context) -> tuple[Any, bool]:
    """The progress that suits this command line, and whether libraries may speak."""
    import sys

    from fdl_zoo.training.progress import choose

    state = state_of(ctx)
    return choose(state.quiet, sys.stderr if state.json else sys.stdout), state.verbose


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
    lines.append(f"model  {relative(run.model_path)}")
    lines.append(f"run    {run.name} ({run.status} in {seconds:.1f} s)")
    lines.append(f"look   {where_to_look(run)}")
    return "\n".join(lines)


def where_to_look(run: Any) -> str:
    """A server, which has pages of its own; `fdl ui` for the embedded store; the folder of a run without either."""
    from fdl_zoo.tracking.secrets import redacted
    from fdl_zoo.tracking.uri import default_uri

    if not run.spec.tracking.enabled:
        return str(relative(run.path))
    uri = run.spec.tracking.uri or default_uri()
    if uri.startswith(("http://", "https://")):
        return redacted(uri)
    return "fdl ui" if uri == default_uri() else f"MLFLOW_TRACKING_URI={redacted(uri)} fdl ui"
