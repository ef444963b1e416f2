"""One training session: names become a model inside a strategy's scope, `fit` trains it, the folder records it."""

import filecmp
import importlib
import threading
import time
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fdl_zoo import backend, catalogue, data_checks
from fdl_zoo.data import Context, Dataset
from fdl_zoo.errors import InvalidData, TrainingFailed, ZooError
from fdl_zoo.spec import EntryReference, RunSpec
from fdl_zoo.tracking import default_uri
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.recorder import Recorder
from fdl_zoo.tracking.sender import Sender
from fdl_zoo.tracking.system import SystemSampler
from fdl_zoo.training import provenance
from fdl_zoo.training.interruption import Terminated, terminable
from fdl_zoo.training.progress import Progress
from fdl_zoo.training.run import Run

FULL_BATCH_STEPS = 20


@dataclass
class Session:
    """One training, from its folder to its end.

    Args:
        spec: What is trained.
        folder: The run's folder, owned by this process.
        progress: What shows the progress.
        verbose: Let TensorFlow's messages through.
    """

    spec: RunSpec
    folder: RunFolder
    progress: Progress
    verbose: bool = False
    sender: Sender | None = None
    model: Any = None
    recording: Any = None
    metrics: dict[str, float] = field(default_factory=dict)

    def run(self) -> Run:
        """Train; whatever happens, the folder says how it ended, and the store is told.

        What the user can put right and is found before the first step (a device that is not there, data that do not
        fit) leaves nothing behind.
        """
        if self.spec.tracking.enabled:  # imported beside TensorFlow, so that the sender finds it there
            threading.Thread(target=importlib.import_module, args=("fdl_zoo.tracking.mlflow",), daemon=True).start()
        try:
            with terminable():
                self._train()
        except Terminated:
            self._end("KILLED", "SIGTERM")
            raise
        except KeyboardInterrupt:
            self._end("KILLED", "interrupted from the keyboard")
            raise
        except BaseException as error:
            if isinstance(error, ZooError) and error.exit_status == 2 and not (self.recording and self.recording.begun):
                self.folder.discard()
            else:
                self._end("FAILED", _reason(error))
            raise
        self._end("FINISHED")
        return Run(self.folder, self.model)

    def _end(self, status: str, reason: str = "") -> None:
        self.progress.end()
        self.folder.finish(status, reason, self.metrics)
        self._start_sending()
        if self.sender:
            message = self.sender.close(timeout=3.0 if status == "KILLED" else 20.0)
            if message:
                self.progress.say(message)

    def _start_sending(self) -> None:
        if self.spec.tracking.enabled and self.sender is None:
            self.sender = Sender(self.folder, self.spec.tracking.uri or default_uri(self.folder.root))

    def _train(self) -> None:
        started = time.perf_counter()
        backend.load(self.verbose)
        from fdl_zoo.artifacts.interface import FILE, Interface
        from fdl_zoo.training.numerics import numerics
        from fdl_zoo.training.strategy import place

        placement = place(self.spec.devices, self.spec.strategy)
        data = catalogue.load_dataset(self.spec.data.name, **self.spec.data.options)
        check_data(data, self.spec)
        Interface.of(data).save(self.folder.path / FILE)
        with numerics(self.spec.seed, self.spec.precision):
            with placement.scope():
                self.model = build_model(self.spec, data)
            self._start_sending()
            self.folder.update_facts(**self._facts(data, placement.devices))
            self._fit(data)
            self._evaluate(data)
            with self._illustrated(data):
                self._package(data)
        self.metrics["seconds"] = time.perf_counter() - started

    def _facts(self, data: Dataset, devices: tuple[str, ...]) -> dict[str, Any]:
        source = catalogue.datasets.find(self.spec.data.name).card.source
        sizes = {name: len(split) for name, split in data.splits.items()}
        return {
            "versions": provenance.versions(self.spec),
            "plugins": provenance.plugins(self.spec),
            "git_commit": provenance.git_commit(),
            "dataset": {"name": self.spec.data.name, "digest": data.digest(), "source": source, "sizes": sizes},
            "chosen": {"devices": list(devices)},
            "num_params": self.model.count_params(),
            "examples_per_epoch": self._examples_per_epoch(data),
        }

    def _examples_per_epoch(self, data: Dataset) -> int:
        """What throughput is counted in: a full batch takes every example in each of its steps."""
        steps = (self.spec.steps_per_epoch or FULL_BATCH_STEPS) if self.spec.batch_size == "full" else 1
        return steps * len(data.train)

    def _fit(self, data: Dataset) -> None:
        from fdl_zoo.training.accelerate import install
        from fdl_zoo.training.batches import Batches
        from fdl_zoo.training.hooks import Recording, Reporting

        spec = self.spec
        notify = self.sender.notify if self.sender else lambda: None
        context = Context(
            self.model,
            data,
            Recorder(self.folder, notify),
            self.folder.path,
            spec,
            self.folder.run_id or self.folder.name,
        )
        callbacks, watch = make_callbacks(spec, context)
        steps = spec.steps_per_epoch or FULL_BATCH_STEPS
        batches = Batches(data.train, spec.batch_size, seed=spec.seed, steps=steps, drop_remainder=spec.drop_remainder)
        if len(batches) == 0:
            raise InvalidData(
                f"batch_size {spec.batch_size} cannot be used with drop_remainder: the training split has"
                f" {len(data.train)} examples."
            )
        callbacks.append(Reporting(self.progress))
        feed, choice = install(
            self.model, batches, jit=spec.jit, block=spec.block, callbacks=callbacks, epochs=spec.epochs
        )
        self._record_choice(choice)
        validation, _ = install(self.model, Batches(data.validation, evaluation_batch(spec)), jit=choice.jit)
        with closing(SystemSampler()) as system:
            self.recording = Recording(self.folder, notify, system, self.folder.facts["examples_per_epoch"])
            callbacks.insert(-1, self.recording)
            self.model.fit(
                feed, epochs=spec.epochs, validation_data=validation, callbacks=callbacks, shuffle=False, verbose=0
            )
        self._record_search()
        if watch.failure:
            raise TrainingFailed(f"{watch.failure} The checkpoints of {self.folder.name} before it are kept.")

    def _record_choice(self, choice: Any) -> None:
        """Record what the engine chose and why; say it where somebody made the blocks short."""
        chosen = {"jit": choice.jit, "block": choice.block, "resident": choice.resident, "reasons": choice.reasons}
        self.folder.update_facts(chosen=self.folder.facts["chosen"] | chosen)
        if choice.block == 1 and "looks at" in choice.reasons["block"]:
            self.progress.say(f"blocks are one step long: {choice.reasons['block']}")

    def _record_search(self) -> None:
        """Record and say how a searching optimizer ended: why, after how many evaluations, with which loss."""
        optimizer = self.model.optimizer
        if not hasattr(optimizer, "stop_reason"):
            return
        found = {
            "stop_reason": optimizer.stop_reason,
            "evaluations": optimizer.evaluations,
            "steps": optimizer.steps,
            "accepted_loss": optimizer.accepted_loss,
            "notice": optimizer.notice,
        }
        self.folder.update_facts(search=found)
        self.progress.say(
            f"{self.spec.optimizer.name}: {optimizer.stop_reason} after {optimizer.evaluations} evaluations and"
            f" {optimizer.steps} steps, loss {optimizer.accepted_loss:.6g}"
        )

    def _evaluate(self, data: Dataset) -> None:
        """Test metrics of the last state, and of the best under `best_`."""
        tested = self._test(data)
        self.metrics.update(tested)
        best, last = (self.folder.checkpoints / f"{name}.keras" for name in ("best", "last"))
        if not best.exists():
            return
        if not filecmp.cmp(best, last, shallow=False):  # where the last state is the best, the files are one
            tested = self._tested_with(best, data)
        self.metrics.update({f"best_{name}": value for name, value in tested.items()})

    def _tested_with(self, checkpoint: Path, data: Dataset) -> dict[str, float]:
        """Test metrics of a checkpoint, by way of the compiled model; its weights are put back."""
        from fdl_zoo.artifacts.load import load_file

        weights = self.model.get_weights()
        self.model.set_weights(load_file(checkpoint).get_weights())
        try:
            return self._test(data)
        finally:
            self.model.set_weights(weights)

    def _test(self, data: Dataset) -> dict[str, float]:
        from fdl_zoo.training.accelerate import install
        from fdl_zoo.training.batches import Batches

        jit = self.folder.facts["chosen"]["jit"]
        feed, _ = install(self.model, Batches(data.test, evaluation_batch(self.spec)), jit=jit)
        found = self.model.evaluate(feed, verbose=0, return_dict=True)
        return {f"test_{name}": float(value) for name, value in found.items()}

    def _illustrated(self, data: Dataset) -> AbstractContextManager[None]:
        """Draw the run's figures while the body of `with` runs."""
        from fdl_zoo.analysis.layers import summary
        from fdl_zoo.artifacts.illustrate import illustrated
        from fdl_zoo.artifacts.outputs import outcome_of

        outcome = None if data.task == "objective" else outcome_of(self.model, data, "test")
        Recorder(self.folder).log_text(summary(self.model), "model_summary.txt")
        history = Run(self.folder).history
        return illustrated(Recorder(self.folder), history, self.folder.name, outcome, data, self.progress.say)

    def _package(self, data: Dataset) -> None:
        """Put the model that a store serves beside the run: raw units in, probabilities out."""
        if self.sender is None or data.task == "objective":  # an objective predicts nothing
            return
        from fdl_zoo.artifacts.interface import FILE, Interface
        from fdl_zoo.artifacts.package import package

        package(self.model, self.folder, Interface.load(self.folder.path / FILE))


def build_model(spec: RunSpec, data: Dataset) -> Any:
    """The compiled `keras.Model` of a specification; to be called inside the strategy's scope."""
    from fdl_zoo.training.losses import make_loss, make_metrics

    model = catalogue.create_model(
        spec.model.name, input_shape=data.input_shape, num_outputs=data.num_outputs, **spec.model.options
    )
    model.compile(
        optimizer=catalogue.create_optimizer(spec.optimizer.name, **spec.optimizer.options),
        loss=make_loss(data.task, spec.loss),
        metrics=make_metrics(data.task, spec.metrics),
        jit_compile=bool(spec.jit),
    )
    return model


def make_callbacks(spec: RunSpec, context: Context) -> tuple[list[Any], Any]:
    """The callbacks of a run in their order, and the one that watches for a loss that is not finite.

    A full-batch optimizer's accepted point comes first, so that all others see it; checkpoints and the watch are in
    every run, and those that the user configures replace them.
    """
    from fdl_zoo.training.tensorboard import NAME as TENSORBOARD
    from fdl_zoo.training.tensorboard import KeepTensorBoard, options_in_run

    named = list(spec.callbacks)
    optimizer = catalogue.optimizers.find(spec.optimizer.name)
    if "full_batch" in optimizer.card.capabilities:
        named.insert(0, EntryReference(name="accepted_point"))
    if not any(each.name == "checkpoint" for each in named):
        named.append(EntryReference(name="checkpoint", monitor=spec.monitor, every=spec.checkpoint.every))
    named = [each for each in named if each.name != "terminate_on_nan"] + [EntryReference(name="terminate_on_nan")]
    made = [catalogue.create_callback(each.name, context, **options_in_run(each, context)) for each in named]
    watch = made[-1]
    if any(each.name == TENSORBOARD for each in named):
        made.append(KeepTensorBoard(context))
    return made, watch


def evaluation_batch(spec: RunSpec) -> int | str:
    """Examples per step of an evaluation: as in training, since that fits in memory."""
    return spec.batch_size


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


def _reason(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return text if isinstance(error, ZooError) else f"{type(error).__name__}: {text}"
