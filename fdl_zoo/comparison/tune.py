"""Search for options by Optuna: trials as children of one run, hopeless ones pruned (chapter 2, validation sets).

Optuna is an extra of this package. The sampler is seeded, so a repeated search takes its finished trials from disk.
"""

import hashlib
import importlib.util
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdl_zoo.analysis.figure import BLACK, BLUE, ORANGE, drawing, save
from fdl_zoo.comparison.child import Child, require_one_process, spec_digest
from fdl_zoo.comparison.figures import in_words
from fdl_zoo.comparison.parent import Sweep, sensible_jobs
from fdl_zoo.comparison.rerun import rerun_command
from fdl_zoo.comparison.statistics import best_child
from fdl_zoo.comparison.values import Range, read_search
from fdl_zoo.errors import InvalidSpec, TrainingFailed, ZooError
from fdl_zoo.layers import Layer, make_layers, value_layers
from fdl_zoo.resolution import Resolved, resolve
from fdl_zoo.tasks import higher_is_better
from fdl_zoo.tracking.folder import ROOT, RunFolder
from fdl_zoo.tracking.recorder import Recorder
from fdl_zoo.training.initial import name_last
from fdl_zoo.training.run import Run


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Args:
        number: Its number, from 0.
        values: What was tried, by path.
        child: The run.
        pruned: The epoch after which it was given up; None where it was not.
    """

    number: int
    values: Mapping[str, Any]
    child: Child
    pruned: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain facts."""
        return {"number": self.number, "values": dict(self.values), "pruned": self.pruned, **self.child.as_dict()}


@dataclass(frozen=True)
class Search:
    """What a search found.

    Args:
        name: The parent run's name.
        folder: Its folder.
        monitor: The metric that was searched by, on validation data.
        trials: All trials in their order.
        best: The best of those that were trained to their end.
        command: Trains the best again.
        figures: Where figures and their numbers are.
    """

    name: str
    folder: Path
    monitor: str
    trials: tuple[Trial, ...]
    best: Trial
    command: str
    figures: tuple[Path, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain facts for `--json`."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "monitor": self.monitor,
            "best": self.best.as_dict(),
            "trials": [trial.as_dict() for trial in self.trials],
            "command": self.command,
            "figures": [str(path) for path in self.figures],
        }


def tune(
    model: str | Mapping[str, Any] | None = None,
    *,
    search: Iterable[str],
    trials: int = 20,
    data: str | Mapping[str, Any] | None = None,
    optimizer: str | Mapping[str, Any] | None = None,
    config: str | Path | None = None,
    settings: Iterable[str] = (),
    prune: bool = True,
    jobs: int | None = None,
    data_dir: str | None = None,
    root: str | Path = ROOT,
    say: Callable[[str], None] = print,
    **values: Any,
) -> Search:
    """Search for the options that make the monitored metric best on validation data.

    Args:
        model: A model's name, or a mapping of `name` and options.
        search: Texts such as `optimizer.learning_rate=1e-4..1e-1:log`, `model.dropout=0..0.5`, `batch_size=16,32,64`.
        trials: How many settings are tried.
        data: A dataset's, likewise.
        optimizer: An optimizer's, likewise.
        config: A YAML file; what is given here is laid over it.
        settings: Texts `PATH=VALUE` for all trials.
        prune: Give up a trial whose metric is worse than the median of the others after the same epoch.
        jobs: Trials at once; a repeated search with the same seed and as many jobs tries the same settings.
        data_dir: Where prepared sets lie.
        root: The folder that the runs are recorded in.
        say: Receives a line per trial.
        **values: Any other key of `RunSpec`, for all trials.

    Raises:
        ZooError: A value is wrong, or Optuna is not installed; nothing has been written then.
        TrainingFailed: No trial finished.
    """
    if importlib.util.find_spec("optuna") is None:
        raise InvalidSpec('A search needs Optuna, which is not installed: pip install "fdl-zoo[tune]".')
    if trials < 1:
        raise InvalidSpec(f"trials cannot be {trials}: give at least 1.")
    layers = name_last(make_layers(model, data, optimizer, None, None, config, settings, values), root)
    ranges = _ranges(search)
    base = resolve([*layers, *value_layers("--search", _ends(ranges)[0])], data_dir)
    for end in _ends(ranges):  # a range that an option does not accept is refused before the first trial
        require_one_process("tune", resolve([*layers, *value_layers("--search", end)], data_dir).spec)
    return _Study(layers, ranges, base, data_dir, prune, say).run(trials, jobs or sensible_jobs(), Path(root))


def _ranges(search: Iterable[str]) -> tuple[Range, ...]:
    ranges = tuple(read_search(text) for text in ([search] if isinstance(search, str) else search))
    paths = [each.path for each in ranges]
    if not paths:
        raise InvalidSpec("A search needs a range: --search optimizer.learning_rate=1e-4..1e-1:log.")
    for path in paths:
        if paths.count(path) > 1:
            raise InvalidSpec(f"{path} cannot be searched twice: give one range.")
    return ranges


def _ends(ranges: Sequence[Range]) -> list[dict[str, Any]]:
    """The settings at both ends of all ranges, and every choice once."""
    ends = [{r.path: r.choices[0] if r.choices else _number(r, r.low) for r in ranges}]
    ends.append({r.path: r.choices[-1] if r.choices else _number(r, r.high) for r in ranges})
    return ends + [{**ends[0], r.path: choice} for r in ranges for choice in r.choices[1:-1]]


def _number(searched: Range, value: float) -> float | int:
    return int(value) if searched.integer else float(f"{value:.4g}")  # digits that a person would paste


@dataclass
class _Study:
    """A search while it runs."""

    layers: Sequence[Layer]
    ranges: Sequence[Range]
    base: Resolved
    data_dir: str | None
    prune: bool
    say: Callable[[str], None]

    @property
    def monitor(self) -> str:
        return self.base.spec.monitor

    def run(self, count: int, jobs: int, root: Path) -> Search:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)  # it warns of an interrupted trial with its trace
        spec = self.base.spec
        study = optuna.create_study(
            direction="maximize" if higher_is_better(self.monitor) else "minimize",
            sampler=optuna.samplers.TPESampler(seed=spec.seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1)
            if self.prune
            else optuna.pruners.NopPruner(),
        )
        facts = {"search": [vars(each) for each in self.ranges], "prune": self.prune}
        text = json.dumps([spec_digest(spec), facts], default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()
        found: list[Trial] = []
        with Sweep("tune", self.base, digest, facts, jobs=jobs, root=root, say=self.say) as sweep:
            for start in range(0, count, jobs):
                found += self._try_at_once(study, min(jobs, count - start), sweep, count)
            result = self._result(sweep, tuple(found))
            tested = {key: value for key, value in result.best.child.metrics.items() if key.startswith("test_")}
            sweep.metrics = {**tested, self.monitor: result.best.child.final, "trials": len(found)}
        return result

    def _try_at_once(self, study: Any, size: int, sweep: Sweep, count: int) -> list[Trial]:
        """The next trials, each in a process of its own.

        All are asked for before one is trained, and told in their order when all have ended: so what is tried follows
        from the seed and the number of jobs, however long each takes.
        """
        asked = [study.ask() for _ in range(size)]
        values = [{each.path: _suggested(trial, each) for each in self.ranges} for trial in asked]

        def attempt(trial: Any, values: dict[str, Any]) -> Trial:
            done = self._try(trial, values, sweep)
            self._tell(done, count)
            return done

        with ThreadPoolExecutor(size) as threads:
            try:
                ended = list(threads.map(attempt, asked, values))
            except BaseException:
                sweep.interrupt()
                raise
        for trial, done in zip(asked, ended, strict=True):
            _record(study, trial, done)
        return ended

    def _try(self, trial: Any, values: dict[str, Any], sweep: Sweep) -> Trial:
        try:
            resolved = resolve([*self.layers, *value_layers("--search", values)], self.data_dir)
        except ZooError as error:  # both ends go, and something between them does not
            return Trial(trial.number, values, Child("", None, self.base.spec.seed, reason=str(error)))
        judge = _Judge(trial, self.monitor, resolved.spec.epochs)
        setting = ", ".join(f"{path.split('.')[-1]} {value}" for path, value in values.items())
        child = sweep.train(resolved, setting, judge=judge)
        return Trial(trial.number, values, child, judge.pruned)

    def _tell(self, done: Trial, count: int) -> None:
        child = done.child
        value = f"{self.monitor} {child.final:.6g}" if child.finished else child.reason
        pruned = f" (pruned after epoch {done.pruned})" if done.pruned else " (known)" if child.reused else ""
        self.say(f"[{done.number + 1}/{count}] {child.setting}: {value}{pruned}")

    def _result(self, sweep: Sweep, trials: tuple[Trial, ...]) -> Search:
        child = best_child([trial.child for trial in trials if trial.pruned is None], self.monitor)
        if child is None:
            reason = next((trial.child.reason for trial in trials if trial.child.reason), "none was trained")
            raise TrainingFailed(f"Nothing was found: no trial of {sweep.folder.name} finished; the first: {reason}")
        best = next(trial for trial in trials if trial.child is child)
        folder = RunFolder.open(sweep.root / "runs" / child.name)
        command = rerun_command(Run(folder).spec, folder.path / "spec.yaml")
        figures = self._draw(sweep.folder, trials, best)
        return Search(sweep.folder.name, sweep.folder.path, self.monitor, trials, best, command, figures)

    def _draw(self, folder: RunFolder, trials: Sequence[Trial], best: Trial) -> tuple[Path, ...]:
        """The monitored metric by each option that was searched, and the table of all trials."""
        ended = [trial for trial in trials if math.isfinite(trial.child.final)]
        caption = (
            f"{len(trials)} trials of {self.base.spec.model.name} on {self.base.spec.data.name}; crosses were pruned,"
            f" the ring is the best ({folder.name})."
        )
        count = len(self.ranges)
        with drawing(caption, width=max(6.4, 3.2 * count)) as figure:
            for axes, searched in zip(
                figure.subplots(1, count, sharey=True, squeeze=False)[0], self.ranges, strict=True
            ):
                for pruned, marker, colour in ((False, "o", BLUE), (True, "x", ORANGE)):
                    chosen = [trial for trial in ended if (trial.pruned is not None) == pruned]
                    places = [_place(trial.values[searched.path], searched) for trial in chosen]
                    axes.plot(places, [trial.child.final for trial in chosen], marker, color=colour)
                place = _place(best.values[searched.path], searched)
                axes.plot([place], [best.child.final], "o", markersize=13, fillstyle="none", color=BLACK)
                axes.set_xlabel(searched.path)
                if searched.log:
                    axes.set_xscale("log")
            figure.axes[0].set_ylabel(in_words(self.monitor))
        columns: dict[str, list[Any]] = {"trial": [trial.number for trial in trials]}
        columns |= {each.path: [trial.values[each.path] for trial in trials] for each in self.ranges}
        columns |= {"run": [trial.child.name for trial in trials], "value": [trial.child.final for trial in trials]}
        columns["pruned_after"] = ["" if trial.pruned is None else str(trial.pruned) for trial in trials]
        columns = {
            name: [value if isinstance(value, float) else str(value) for value in column]
            for name, column in columns.items()
        }
        names = save(Recorder(folder), "tune/trials", figure, columns)
        return tuple(folder.artifacts / name for name in names)


class _Judge:
    """Tells Optuna a trial's epochs and answers whether to go on.

    Args:
        trial: Optuna's.
        monitor: The metric that it is told.
        epochs: How many there are; after the last nothing can be given up.
    """

    def __init__(self, trial: Any, monitor: str, epochs: int) -> None:
        self._trial, self._monitor, self._epochs = trial, monitor, epochs
        self._told = 0
        self.pruned: int | None = None

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        if epoch > self._told:  # a pruned child that is trained again, now to its end, begins with epochs it knows
            self._trial.report(float(metrics[self._monitor]), epoch)
            self._told = epoch
            if epoch < self._epochs and self._trial.should_prune():
                self.pruned = epoch
        return self.pruned is None


def _record(study: Any, trial: Any, done: Trial) -> None:
    """Tell Optuna how a trial ended; one that did not finish has no value."""
    from optuna.trial import TrialState

    if done.pruned is not None:
        study.tell(trial, state=TrialState.PRUNED)
    elif math.isnan(done.child.final):
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, done.child.final)


def _suggested(trial: Any, searched: Range) -> Any:
    if searched.choices:
        plain = [
            each if isinstance(each, str | int | float | bool | None) else json.dumps(each) for each in searched.choices
        ]
        return searched.choices[plain.index(trial.suggest_categorical(searched.path, plain))]
    if searched.integer:
        return trial.suggest_int(searched.path, int(searched.low), int(searched.high), log=searched.log)
    return _number(searched, trial.suggest_float(searched.path, searched.low, searched.high, log=searched.log))


def _place(value: Any, searched: Range) -> Any:
    return str(value) if searched.choices else value
