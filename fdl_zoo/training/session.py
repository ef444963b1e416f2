"""One training session: names become a model inside a strategy's scope, `fit` trains it, the folder records it."""

import gc
import importlib
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.pool import ThreadPool
from typing import Any

from fdl_zoo import backend, catalogue
from fdl_zoo.data import Context, Dataset
from fdl_zoo.errors import Diverged, InvalidData, TrainingFailed, ZooError
from fdl_zoo.spec import RunSpec
from fdl_zoo.tracking import default_uri
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.recorder import Recorder
from fdl_zoo.tracking.sender import Sender
from fdl_zoo.tracking.system import SystemSampler
from fdl_zoo.training import provenance
from fdl_zoo.training.build import (
    build_model,
    check_data,
    make_batches,
    make_callbacks,
    steps_per_epoch,
)
from fdl_zoo.training.initial import Initial, locate
from fdl_zoo.training.interruption import Signals, Terminated
from fdl_zoo.training.progress import Progress
from fdl_zoo.training.readiness import Readiness
from fdl_zoo.training.run import Run


@dataclass
class Session:
    """One training, from its folder to its end.

    Args:
        spec: What is trained.
        folder: The run's folder, owned by this process.
        progress: What shows the progress.
        verbose: Let TensorFlow's messages through.
        resumed: The run has begun before: it goes on from its newest checkpoint, if it has one.
        initial: The weights to start from, where they have been looked for already.
        readiness: Waits for the other workers, where there are any.
    """

    spec: RunSpec
    folder: RunFolder
    progress: Progress
    verbose: bool = False
    resumed: bool = False
    initial: Initial | None = None
    readiness: Readiness | None = None
    sender: Sender | None = None
    model: Any = None
    start: Any = None
    recording: Any = None
    checkpoint: Any = None
    signals: Signals = field(default_factory=Signals)
    metrics: dict[str, float] = field(default_factory=dict)
    drawings: list[Callable[[], None]] = field(default_factory=list)

    def run(self) -> Run:
        """Train; whatever happens, the folder says how it ended, and the store is told.

        What the user can put right and is found before the first step (a device that is not there, data that do not
        fit) leaves nothing behind.
        """
        try:
            if self.spec.tracking.enabled:
                catalogue.require_readable()
                # Imported beside TensorFlow, so that the sender finds it there.
                threading.Thread(target=importlib.import_module, args=("fdl_zoo.tracking.mlflow",), daemon=True).start()
            with self.signals.caught():
                self._train()
        except Terminated:
            self._end("KILLED", "SIGTERM")
            raise
        except KeyboardInterrupt:
            self._end("KILLED", "interrupted from the keyboard")
            raise
        except BaseException as error:
            begun = self.resumed or (self.recording and self.recording.begun)
            told = _in_words(error, self.spec)
            if isinstance(error, ZooError) and error.exit_status == 2 and not begun:
                self.folder.discard()
            else:
                self._end("FAILED", _reason(told))
            if self.spec.strategy == "multiworker":
                _close_pools()
            if told is error:
                raise
            raise told from error
        self._end("FINISHED")
        self.states.clear()  # its models are written, and there is nothing to resume
        return Run(self.folder, self.model)

    @cached_property
    def states(self) -> Any:
        """The run's checkpoints."""
        from fdl_zoo.training.checkpoints import Checkpoints

        return Checkpoints(self.folder.checkpoints)

    def _end(self, status: str, reason: str = "") -> None:
        self.progress.end()
        if status != "FINISHED" and self.recording and self.recording.begun:
            try:
                self._write_models()
            except Exception as error:  # how the run ended must be recorded all the same
                self.progress.say(f"The models of its checkpoints cannot be written ({_reason(error)}).")
            place = "newest checkpoint" if self.folder.has_state else "beginning"
            self.progress.say(f"The run can go on from its {place}: fdl resume {self.folder.name}")
        self.folder.finish(status, reason, self.metrics)
        self._start_sending()
        if self.sender:
            message = self.sender.close(timeout=3.0 if status == "KILLED" else 20.0)
            if message:
                self.progress.say(message)

    @property
    def _uri(self) -> str | None:
        """The tracking store's address; None without tracking."""
        return (self.spec.tracking.uri or default_uri(self.folder.root)) if self.spec.tracking.enabled else None

    def _start_sending(self) -> None:
        if self._uri and self.sender is None:
            self.sender = Sender(self.folder, self._uri)

    def _notify(self) -> None:
        """Tell the store that there is something new, from the first step on: what is refused before leaves nothing."""
        if self.recording and self.recording.begun:
            self._start_sending()
        if self.sender:
            self.sender.notify()

    def _train(self) -> None:
        started = time.perf_counter()
        backend.load(self.verbose)
        from fdl_zoo.artifacts.interface import FILE, Interface
        from fdl_zoo.training.numerics import numerics
        from fdl_zoo.training.strategy import place

        with self.readiness.connecting(self.folder, self._uri) if self.readiness else nullcontext():
            placement = place(self.spec.devices, self.spec.strategy)
        data = catalogue.load_dataset(self.spec.data.name, **self.spec.data.options)
        self._check_same(data, placement.strategy)
        check_data(data, self.spec)
        if self.resumed:
            self._check_unchanged(data)
            self.start = self.states.newest(self.progress.say)
        Interface.of(data).save(self.folder.path / FILE)
        with numerics(self.spec.seed, self.spec.precision):
            with placement.scope():
                begun_with = self.folder.facts.get("chosen", {}).get("micro_batches")
                self.model = build_model(self.spec, data, self._initialize, begun_with)
            self.folder.update_facts(**self._facts(data, placement.devices))
            self._say_what_is_frozen()
            with placement.device():
                self._fit(data)
                self._start_sending()  # also where no epoch was left to do
                self._evaluate(data)
            with self._illustrated(data):
                self._package(data)
        self.metrics["seconds"] = time.perf_counter() - started

    def _check_same(self, data: Dataset, strategy: Any) -> None:
        """Let all workers tell each other what their data are, before shapes and steps follow from them.

        TensorFlow carries it, because it waits for one that needs long to load its data, and notices one that dies.
        """
        if self.readiness:
            from fdl_zoo.training.strategy import by_worker

            digests = by_worker(strategy, list(bytes.fromhex(data.digest())))
            self.readiness.require_same(digests, self.spec.data)

    def _check_unchanged(self, data: Dataset) -> None:
        """Refuse to go on with other data; say where other versions may round otherwise."""
        facts = self.folder.facts
        if facts.get("dataset", {}).get("digest") not in (None, data.digest()):
            raise InvalidData(
                f"The run {self.folder.name} cannot be resumed: {self.spec.data.name} holds other data than it began"
                " with; start a new run."
            )
        now = provenance.versions(self.spec)
        changed = [name for name, version in facts.get("versions", now).items() if now.get(name) != version]
        if changed:
            self.progress.say(
                f"other versions than it began with ({', '.join(changed)}): results may differ by rounding"
            )

    def _initialize(self, model: Any) -> None:
        """Put the first weights into the model; say and record what they were. A checkpoint has its own."""
        if self.spec.init_from is None or self.start is not None:
            return
        initial = self.initial or locate(self.spec.model.name, self.spec.init_from, self.folder.root)
        loaded = initial.load(model)
        if self.resumed and self.folder.facts.get("init_from", {}).get("sha256", loaded.sha256) != loaded.sha256:
            raise InvalidData(
                f"The run {self.folder.name} cannot be resumed: {initial.given} holds other weights than it began with;"
                " start a new run."
            )
        source = {"given": initial.given, "kind": initial.kind, "file": str(initial.path.resolve())}
        self.folder.update_facts(init_from={**source, "sha256": loaded.sha256, "replaced": loaded.replaced or None})
        self.progress.say(f"weights start from {initial.given} ({initial.kind})")
        for note in filter(None, (loaded.note, initial.seen_before(self.spec))):
            self.progress.say(note)

    def _say_what_is_frozen(self) -> None:
        frozen = [layer.name for layer in self.model.layers if layer.weights and not layer.trainable]
        if self.spec.freeze:
            self.progress.say(f"frozen: {', '.join(frozen)}")
            self.folder.update_facts(frozen=frozen)

    def _facts(self, data: Dataset, devices: tuple[str, ...]) -> dict[str, Any]:
        source = catalogue.datasets.find(self.spec.data.name).card.source or self.spec.data.options.get("source", "")
        sizes = {name: len(split) for name, split in data.splits.items()}
        return {
            "versions": provenance.versions(self.spec),
            "plugins": provenance.plugins(self.spec),
            "git_commit": provenance.git_commit(),
            "dataset": {"name": self.spec.data.name, "digest": data.digest(), "source": source, "sizes": sizes},
            "chosen": self.folder.facts.get("chosen", {})
            | {"devices": list(devices)},  # of a resumed run the rest stays
            "num_params": self.model.count_params(),
            "examples_per_epoch": self._examples_per_epoch(data),
        }

    def _examples_per_epoch(self, data: Dataset) -> int:
        """What throughput is counted in: a full batch takes every example in each of its steps."""
        steps = steps_per_epoch(self.spec) if self.spec.batch_size == "full" else 1
        return steps * len(data.train)

    def _fit(self, data: Dataset) -> None:
        from fdl_zoo.training.accelerate import install
        from fdl_zoo.training.batches import Batches
        from fdl_zoo.training.hooks import Recording, Reporting
        from fdl_zoo.training.keeping import Callbacks, Keeping

        spec = self.spec
        recorder = Recorder(self.folder, self._notify, self.drawings)
        context = Context(self.model, data, recorder, self.folder.path, spec, self.folder.run_id or self.folder.name)
        callbacks, self.checkpoint, watch = make_callbacks(spec, context)
        batches = make_batches(data, spec, self.model)
        feed, choice = install(
            self.model, batches, jit=spec.jit, block=spec.block, callbacks=callbacks, epochs=spec.epochs
        )
        self._record_choice(choice, batches)
        validation, _ = install(self.model, Batches(data.validation, batches.batch_size), jit=choice.jit)
        states = self.states
        start = self.start
        self.folder.cut_history(start.iterations if start else 0, start.epoch if start else 0)
        keeping = Keeping(
            states, feed, when=spec.checkpoint, seed=spec.seed, signals=self.signals, say=self.progress.say, start=start
        )
        keeping.others, self.checkpoint.keep = callbacks, keeping.keep
        with closing(SystemSampler()) as system, self.signals.held():
            self.recording = Recording(
                self.folder, self._notify, system, spec.tracking.log_every, self.folder.facts["examples_per_epoch"]
            )
            epochs = start.epoch if start and start.stopped else spec.epochs
            everybody = [*callbacks, self.recording, Reporting(self.progress), keeping]
            try:
                self.model.fit(
                    feed,
                    initial_epoch=start.epoch if start else 0,
                    epochs=epochs,
                    validation_data=validation,
                    callbacks=Callbacks(everybody, feed, model=self.model, epochs=epochs, steps=len(batches)),
                    shuffle=False,
                    verbose=0,
                )
            finally:  # also of a run that is killed or fails
                self._record_search()
        if watch.failure:
            raise Diverged(f"{watch.failure} The checkpoints of {self.folder.name} before it are kept.")

    def _record_choice(self, choice: Any, batches: Any) -> None:
        """Record what the engine chose and why; say it where blocks were made short, or a full batch is cut."""
        chosen = {"jit": choice.jit, "block": choice.block, "resident": choice.resident, "reasons": choice.reasons}
        if batches.full:
            chosen["micro_batches"] = batches.micro_batches
        # Evaluations take as many examples at once as training does, which fit in memory.
        chosen["batch_size"] = batches.batch_size
        self.folder.update_facts(chosen=self.folder.facts["chosen"] | chosen)
        if batches.micro_batches > 1:
            self.progress.say(
                f"the full batch of {len(batches.split):,} examples is cut into {batches.micro_batches} of at most"
                f" {batches.batch_size:,}, over which the optimizer accumulates"
            )
        if choice.watched_by:
            self.progress.say(f"blocks are one step long: {choice.reasons['block']}")

    def _record_search(self) -> None:
        """Record and say how a searching optimizer ended: why, after how many evaluations, with which loss."""
        optimizer = self.model.optimizer
        if not (optimizer.built and hasattr(optimizer, "stop_reason")):
            return
        if optimizer.notice:
            self.progress.say(optimizer.notice)
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

    def _write_models(self) -> None:
        """Of a run that did not finish, write its checkpoints as models too, so that they can be looked at."""
        from fdl_zoo.training.checkpoints import restore

        found = {"best": self.states.best(self.progress.say), "last": self.states.newest(self.progress.say)}
        for name, state in found.items():
            if state:
                restore(self.model, state)
                self.checkpoint.write_model(name)

    def _evaluate(self, data: Dataset) -> None:
        """Write `last.keras` and `best.keras`, and test both: the best under `best_`."""
        from fdl_zoo.training.checkpoints import capture, restore

        tested = self._test(data)
        self.metrics.update(tested)
        self.checkpoint.write_model("last")
        best = self.states.best(self.progress.say)
        if best is None:
            return
        last = capture(self.model, epoch=self.spec.epochs, step=0, iterations=0)
        restore(self.model, best)
        self.checkpoint.write_model("best")
        tested = self._test(data)
        restore(self.model, last)
        self.metrics.update({f"best_{name}": value for name, value in tested.items()})

    def _test(self, data: Dataset) -> dict[str, float]:
        from fdl_zoo.training.accelerate import install
        from fdl_zoo.training.batches import Batches

        chosen = self.folder.facts["chosen"]
        feed, _ = install(self.model, Batches(data.test, chosen["batch_size"]), jit=chosen["jit"])
        found = self.model.evaluate(feed, verbose=0, return_dict=True)
        return {f"test_{name}": float(value) for name, value in found.items()}

    def _illustrated(self, data: Dataset) -> AbstractContextManager[None]:
        """Draw the run's figures while the body of `with` runs."""
        from fdl_zoo.analysis.layers import summary
        from fdl_zoo.artifacts.illustrate import illustrated
        from fdl_zoo.artifacts.outputs import outcome_of

        outcome = None if data.task == "objective" else outcome_of(self.model, data, "test")
        recorder, history = Recorder(self.folder), Run(self.folder).history
        recorder.log_text(summary(self.model), "model_summary.txt")
        return illustrated(recorder, history, self.folder.name, outcome, data, self.drawings, self.progress.say)

    def _package(self, data: Dataset) -> None:
        """Put the model that a store serves beside the run: raw units in, probabilities out."""
        if self.sender is None or data.task == "objective":  # an objective predicts nothing
            return
        from fdl_zoo.artifacts.interface import FILE, Interface
        from fdl_zoo.artifacts.load import load_file
        from fdl_zoo.artifacts.package import package

        # Reading a model of several workers would wait for them; its file is the same model on one device.
        alone = self.spec.strategy != "multiworker"
        model = self.model if alone else load_file(self.folder.checkpoints / "last.keras")
        package(model, self.folder, Interface.load(self.folder.path / FILE))


def _in_words(error: BaseException, spec: RunSpec) -> BaseException:
    """What TensorFlow says of memory that ran out, or of a worker that died, as a sentence with what to do."""
    kind = type(error).__name__
    if isinstance(error, MemoryError) or kind == "ResourceExhaustedError":
        return TrainingFailed(f"The memory of the device ran out at batch_size {spec.batch_size}: {_smaller(spec)}.")
    if spec.strategy == "multiworker" and kind in (
        "UnavailableError",
        "AbortedError",
        "CancelledError",
        "InternalError",
    ):
        return TrainingFailed("Another worker died or cannot be reached any more: start all of them again to resume.")
    return error


def _close_pools() -> None:
    """Close the pools of threads that TensorFlow leaves open where a reduction fails: they would complain at the end.

    Python's collector may free a pool's pipe before the pool, which then writes to it and prints a traceback.
    """
    for each in gc.get_objects():
        if type(each) is ThreadPool:
            each.close()


def _smaller(spec: RunSpec) -> str:
    """What takes less memory."""
    if spec.batch_size == "full" and "full_batch" in catalogue.optimizers.find(spec.optimizer.name).card.capabilities:
        return f"{spec.optimizer.name} needs all examples at once; try a smaller model, fewer examples or lbfgs"
    if spec.batch_size == 1:
        return "try a smaller model"
    return f"try --batch-size {32 if spec.batch_size == 'full' else spec.batch_size // 2}"


def _reason(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] if isinstance(error, ZooError) else catalogue.described(error)
