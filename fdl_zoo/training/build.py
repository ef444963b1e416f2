"""From a specification to what `fit` takes: the compiled model, the callbacks in their order, the batches, the data."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fdl_zoo import catalogue, data_checks
from fdl_zoo.data import Context, Dataset
from fdl_zoo.errors import InvalidData
from fdl_zoo.spec import EntryReference, RunSpec
from fdl_zoo.training.initial import freeze

FULL_BATCH_STEPS = 20


def steps_per_epoch(spec: RunSpec) -> int:
    """Steps of an epoch that is not one pass over the examples: a full batch's."""
    return spec.steps_per_epoch or FULL_BATCH_STEPS


def build_model(
    spec: RunSpec, data: Dataset, initialize: Callable[[Any], None] | None = None, micro_batches: int | None = None
) -> Any:
    """The compiled `keras.Model` of a specification; to be called inside the strategy's scope.

    Args:
        spec: The specification.
        data: The data, for their shape and task.
        initialize: Puts first weights into the model before it is compiled; a fresh or resumed run needs none.
        micro_batches: What a full batch is cut into, as when the run began; None lets its size decide.
    """
    from fdl_zoo.training.losses import make_loss, make_metrics
    from fdl_zoo.training.strategy import synchronize

    model = catalogue.create_model(
        spec.model.name, input_shape=data.input_shape, num_outputs=data.num_outputs, **spec.model.options
    )
    if not model.built:  # a model in a class of its own, which makes its weights when it is called
        model(data.train.take(np.arange(1))[0])
    _check_outputs(model, data, spec)
    if initialize is not None:
        initialize(model)
    freeze(model, spec.freeze)
    synchronize(model)
    model.compile(
        optimizer=catalogue.create_optimizer(
            spec.optimizer.name, **_optimizer_options(spec, model, data, micro_batches)
        ),
        loss=make_loss(data.task, spec.loss),
        metrics=make_metrics(data.task, spec.metrics),
        jit_compile=bool(spec.jit),
    )
    return model


def _check_outputs(model: Any, data: Dataset, spec: RunSpec) -> None:
    """Refuse a model whose outputs are not what the task needs, before a loss fails on them, or takes them for right.

    Raises:
        InvalidData: Their number is another, or they are probabilities where logits are wanted.
    """
    if data.task == "objective" or spec.loss is not None or len(getattr(model, "outputs", None) or ()) != 1:
        return
    given = model.output_shape[-1] if len(model.output_shape) > 1 else 1
    if given is not None and given != data.num_outputs:
        raise InvalidData(
            f"{spec.model.name} cannot train on {spec.data.name}: it gives {given} outputs per example, and"
            f" {data.task} on this dataset needs {data.num_outputs}; build must give num_outputs of them."
        )
    last = model.layers[-1]
    applied = getattr(getattr(last, "activation", None), "__name__", type(last).__name__).lower()  # or a Softmax layer
    if data.task in ("classification", "binary") and applied in ("softmax", "sigmoid"):
        raise InvalidData(
            f"{spec.model.name} cannot train on {spec.data.name}: its last layer {last.name!r} applies {applied}, and"
            " losses and predictions take logits and apply it themselves; leave that activation out."
        )


def _optimizer_options(spec: RunSpec, model: Any, data: Dataset, count: int | None) -> dict[str, Any]:
    """The optimizer's options, with which it accumulates over the micro-batches of a full batch that must be cut."""
    from fdl_zoo.training.choice import micro_batches
    from fdl_zoo.training.strategy import as_first_worker

    options = spec.optimizer.options
    if spec.batch_size != "full" or options.get("gradient_accumulation_steps"):
        return options
    (count,) = as_first_worker(model.distribute_strategy, count or micro_batches(model, len(data.train)))
    return options | {"gradient_accumulation_steps": count} if count > 1 else options


def make_callbacks(spec: RunSpec, context: Context) -> tuple[list[Any], Any, Any]:
    """The callbacks of a run in their order, and of them `checkpoint` and what watches for a loss that is not finite.

    A full-batch optimizer's accepted point comes first, so that all others see it; checkpoints, the path of the weights
    and the watch are in every run, and those that the user configures replace them.
    """
    from fdl_zoo.training.tensorboard import NAME as TENSORBOARD
    from fdl_zoo.training.tensorboard import KeepTensorBoard, options_in_run

    named = list(spec.callbacks)
    optimizer = catalogue.optimizers.find(spec.optimizer.name)
    if "full_batch" in optimizer.card.capabilities:
        named.insert(0, EntryReference(name="accepted_point"))
    if not any(each.name == "checkpoint" for each in named):
        named.append(EntryReference(name="checkpoint", monitor=spec.monitor, every=spec.checkpoint.every))
    if not any(each.name == "weight_path" for each in named):
        named.append(EntryReference(name="weight_path"))
    named = [each for each in named if each.name != "terminate_on_nan"] + [EntryReference(name="terminate_on_nan")]
    made = [catalogue.create_callback(each.name, context, **options_in_run(each, context)) for each in named]
    names = [catalogue.callbacks.find(each.name).name for each in named]
    checkpoint, watch = made[names.index("checkpoint")], made[-1]
    if TENSORBOARD in names:
        made.append(KeepTensorBoard(context))
    return made, checkpoint, watch


def make_batches(data: Dataset, spec: RunSpec, model: Any) -> Any:
    """The training split's batches in the order of the run's seed; a full batch is cut as the model's optimizer says.

    Raises:
        InvalidData: There are too few examples for one batch.
    """
    from fdl_zoo.training.accelerate import accumulated_steps
    from fdl_zoo.training.batches import Batches

    batches = Batches(
        data.train,
        spec.batch_size,
        seed=spec.seed,
        steps=steps_per_epoch(spec),
        micro_batches=accumulated_steps(model),
        drop_remainder=spec.drop_remainder,
        reshuffle=spec.reshuffle,
    )
    if len(batches) == 0:
        raise InvalidData(
            f"batch_size {spec.batch_size} cannot be used with drop_remainder: the training split has"
            f" {len(data.train)} examples."
        )
    return batches


def check_data(data: Dataset, spec: RunSpec) -> None:
    """Refuse data that are no good, or that the model's card rules out now that their task is known.

    Raises:
        InvalidData: What is wrong with the data, or both tasks.
    """
    data_checks.check(data, spec.data.name)
    tasks = catalogue.models.find(spec.model.name).card.tasks
    if tasks and data.task not in tasks:
        raise InvalidData(
            f"{spec.model.name} cannot train on {spec.data.name}: it is a model for {' or '.join(tasks)}, and this"
            f" dataset is for {data.task}."
        )
