"""Compare settings fairly: a grid times seeds, each learning rate chosen as DeepOBS does (chapter 4).

Schneider, Balles and Hennig (2019), DeepOBS, arXiv:1903.05499: each optimizer's learning rate is chosen from a
logarithmic grid with one seed; with the chosen rate it is trained again with every seed, and that is compared.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdl_zoo.analysis.figure import save
from fdl_zoo.comparison import figures
from fdl_zoo.comparison.child import Child
from fdl_zoo.comparison.parent import Sweep, sensible_jobs
from fdl_zoo.comparison.plan import Plan, Setting, make_plan
from fdl_zoo.comparison.rerun import rerun_command
from fdl_zoo.comparison.statistics import Row, best_child, convergence_target, make_row, ranked
from fdl_zoo.errors import InvalidSpec, TrainingFailed
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import Resolved
from fdl_zoo.tracking.folder import ROOT, RunFolder
from fdl_zoo.tracking.recorder import Recorder
from fdl_zoo.training.initial import name_last
from fdl_zoo.training.run import Run

Say = Callable[[str], None]


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Args:
        name: The parent run's name.
        folder: Its folder.
        monitor: The metric that learning rates were chosen by, on validation data; settings are ranked by their mean
            of the test metric of that name.
        target: The value of it at which a run counts as converged.
        rows: A row per setting, the best first.
        children: The runs over seeds by setting.
        tried: The runs over learning rates by setting.
        command: Trains the best run again.
        figures: Where figures and their numbers are.
    """

    name: str
    folder: Path
    monitor: str
    target: float
    rows: tuple[Row, ...]
    children: Mapping[str, Sequence[Child]]
    tried: Mapping[str, Sequence[Child]]
    command: str
    figures: tuple[Path, ...] = ()

    @property
    def failed(self) -> list[Child]:
        """The children that failed over seeds; a learning rate that diverges is an answer, not a failure."""
        return [child for children in self.children.values() for child in children if not child.finished]

    def as_dict(self) -> dict[str, Any]:
        """Plain facts for `--json`."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "monitor": self.monitor,
            "target": self.target,
            "rows": [row.as_dict() for row in self.rows],
            "runs": [child.as_dict() for children in self.children.values() for child in children],
            "learning_rates": [child.as_dict() for children in self.tried.values() for child in children],
            "command": self.command,
            "figures": [str(path) for path in self.figures],
        }


def compare(
    model: str | Mapping[str, Any] | None = None,
    *,
    vary: Iterable[str],
    data: str | Mapping[str, Any] | None = None,
    optimizer: str | Mapping[str, Any] | None = None,
    config: str | Path | None = None,
    settings: Iterable[str] = (),
    learning_rates: str | None = None,
    target: float | None = None,
    jobs: int | None = None,
    data_dir: str | None = None,
    root: str | Path = ROOT,
    say: Say = print,
    **values: Any,
) -> Comparison:
    """Train a grid of settings with several seeds each and compare them; a repeated call trains what is missing.

    Args:
        model: A model's name, or a mapping of `name` and options.
        vary: Texts `PATH=VALUES`, for example `optimizer=sgd,adam` and `seed=0..4`.
        data: A dataset's, likewise.
        optimizer: An optimizer's, likewise.
        config: A YAML file; what is given here is laid over it.
        settings: Texts `PATH=VALUE` for all runs.
        learning_rates: The grid that each setting's learning rate is chosen from, for example `1e-4..1:log5`; `none`
            leaves each optimizer its own. By default two per decade from 1e-4 to 1 where the optimizer is varied.
        target: The value of the monitored metric to which time and steps are counted; by default a tenth of the way
            from the best that any run reached back to the median after the first epoch.
        jobs: Runs at once, each in a process of its own.
        data_dir: Where prepared sets lie.
        root: The folder that the runs are recorded in.
        say: Receives a line per run.
        **values: Any other key of `RunSpec`, for all runs.

    Raises:
        ZooError: A value is wrong, or parts do not go together; nothing has been written then.
        TrainingFailed: No run finished.
    """
    if target is not None and not math.isfinite(target):
        raise InvalidSpec(f"target cannot be {target}: no metric reaches it; give a finite number, such as 0.1.")
    layers = name_last(make_layers(model, data, optimizer, None, None, config, settings, values), root)
    plan = make_plan(layers, vary, learning_rates, data_dir)
    return run_plan(plan, target=target, jobs=jobs, root=root, say=say)


def run_plan(
    plan: Plan, *, target: float | None = None, jobs: int | None = None, root: str | Path = ROOT, say: Say = print
) -> Comparison:
    """Run a plan that has been checked; the arguments are those of `compare`."""
    facts = {"vary": plan.varied, "learning_rates": sorted({r for each in plan.settings for r in each.rates})}
    jobs = jobs or sensible_jobs()
    with Sweep("compare", plan.first, plan.digest, facts, jobs=jobs, root=Path(root), say=say) as sweep:
        report = _Report(plan, sweep, say)
        tried = report.over_rates()
        chosen = {setting.label: _chosen(setting, tried, plan) for setting in plan.settings}
        children = report.over_seeds(chosen)
        found = _result(plan, sweep, children, tried, chosen, target)
        sweep.metrics = _parent_metrics(found)
    return found


class _Report:
    """Trains the runs of a plan and says how far it is."""

    def __init__(self, plan: Plan, sweep: Sweep, say: Say) -> None:
        self.plan, self.sweep, self.say = plan, sweep, say
        self.done, self.total = 0, plan.runs_ahead()

    def over_rates(self) -> dict[str, list[Child]]:
        """Each setting at each learning rate, with the first seed."""
        seed = self.plan.seeds[0]
        wanted = [(s, self.plan.run(s, seed, rate)) for s in self.plan.settings for rate in s.rates]
        found = self._train(wanted)
        return {label: children for label, children in found.items() if children}

    def over_seeds(self, chosen: Mapping[str, float | None]) -> dict[str, list[Child]]:
        """Each setting at its chosen learning rate, with every seed."""
        wanted = [(s, self.plan.run(s, seed, chosen[s.label])) for s in self.plan.settings for seed in self.plan.seeds]
        return self._train(wanted)

    def _train(self, wanted: Sequence[tuple[Setting, Resolved]]) -> dict[str, list[Child]]:
        """All of these at once, as far as there are processes; their order is kept."""
        with ThreadPoolExecutor(max(1, self.sweep.jobs)) as threads:
            coming = [threads.submit(self.sweep.train, resolved, setting.label) for setting, resolved in wanted]
            try:
                for future in as_completed(coming):
                    self._tell(future.result())
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                self.sweep.interrupt()
                raise
        found: dict[str, list[Child]] = {setting.label: [] for setting in self.plan.settings}
        for (setting, _), future in zip(wanted, coming, strict=True):
            found[setting.label].append(future.result())
        return found

    def _tell(self, child: Child) -> None:
        self.done += 1
        rate = "" if child.learning_rate is None else f" rate {child.learning_rate:g}"
        value = f"{self.plan.first.spec.monitor} {child.final:.6g}" if child.finished else child.reason
        known = " (known)" if child.reused else ""
        self.say(f"[{self.done}/{self.total}] {child.setting}{rate} seed {child.seed}: {value}{known}")


def _chosen(setting: Setting, tried: Mapping[str, Sequence[Child]], plan: Plan) -> float | None:
    """The learning rate that was best on validation data; the optimizer's own where none finished."""
    best = best_child(tried.get(setting.label, ()), plan.first.spec.monitor)
    return best.learning_rate if best else None


def _result(
    plan: Plan,
    sweep: Sweep,
    children: Mapping[str, Sequence[Child]],
    tried: Mapping[str, Sequence[Child]],
    chosen: Mapping[str, float | None],
    target: float | None,
) -> Comparison:
    monitor = plan.first.spec.monitor
    everything = [child for group in children.values() for child in group]
    if not any(child.finished for child in everything):
        reason = next((child.reason for child in everything if child.reason), "none was trained")
        raise TrainingFailed(f"Nothing can be compared: no run of {sweep.folder.name} finished; the first: {reason}")
    if target is None:
        target = convergence_target(everything, monitor)
    rows = ranked(
        (make_row(label, group, tried.get(label, ()), target, monitor) for label, group in children.items()), monitor
    )
    first = children[rows[0].setting]
    best = best_child(first, monitor) or next(child for child in first if child.finished)
    best_folder = RunFolder.open(sweep.root / "runs" / best.name)
    command = rerun_command(Run(best_folder).spec, best_folder.path / "spec.yaml")
    order = {row.setting: children[row.setting] for row in rows}
    paths = _draw(plan, sweep.folder, order, tried, chosen, target)
    return Comparison(sweep.folder.name, sweep.folder.path, monitor, target, tuple(rows), order, tried, command, paths)


def _draw(
    plan: Plan,
    folder: RunFolder,
    runs: Mapping[str, Sequence[Child]],
    tried: Mapping[str, Sequence[Child]],
    chosen: Mapping[str, float | None],
    target: float,
) -> tuple[Path, ...]:
    """The figures with their numbers, and a table of all runs, among the parent's artifacts."""
    spec, recorder = plan.first.spec, Recorder(folder)
    what = f"{spec.model.name} on {spec.data.name}, {len(plan.seeds)} seeds ({folder.name})"
    words = figures.in_words(spec.monitor)
    line = f"Mean (line) and range (band) over seeds of the {words}, {what}."
    drawn = {
        "compare/by_epoch": figures.curves(runs, spec.monitor, "epoch", line),
        "compare/by_time": figures.curves(runs, spec.monitor, "seconds", line),
        "compare/profile": figures.profile(
            runs,
            target,
            spec.monitor,
            f"Performance profile: share of seeds with which a setting brings the {words} to {target:.4g} within a "
            f"multiple of the fastest setting's wall time, {what}.",
        ),
    }
    if tried:
        text = f"Sensitivity to the learning rate, seed {plan.seeds[0]}; a ring marks the rate chosen, {what}."
        marked = {label: rate for label, rate in chosen.items() if label in tried}
        drawn["compare/learning_rates"] = figures.sensitivity(tried, marked, list(runs), spec.monitor, text)
    names = [name for stem, pair in drawn.items() if pair for name in save(recorder, stem, *pair)]
    return tuple(folder.artifacts / name for name in names)


def _parent_metrics(found: Comparison) -> dict[str, float]:
    """What the parent run itself shows: its best setting's means, and how many runs there were."""
    best = found.rows[0]
    metrics = {name: mean for name, (mean, _) in best.metrics.items() if math.isfinite(mean)}
    runs = sum(len(children) for children in found.children.values())
    return {**metrics, found.monitor: best.value, "runs": runs, "failed_runs": len(found.failed)}
