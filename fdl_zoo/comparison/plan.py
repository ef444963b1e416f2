"""What a comparison trains: each setting, with its learning rates and seeds, checked before the first run."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fdl_zoo.comparison.child import require_one_process, spec_digest
from fdl_zoo.comparison.values import log_grid, read_vary
from fdl_zoo.errors import InvalidSpec
from fdl_zoo.layers import REFERENCES, Layer, reference, value_layers
from fdl_zoo.resolution import Resolved, resolve

RATES = "1e-4..1:log2"
MOST_RUNS = 10_000
RATE = "optimizer.learning_rate"


@dataclass(frozen=True)
class Setting:
    """One point of the grid: what varies, without seed.

    Args:
        values: The varied values by path.
        label: What it is called in tables and figures.
        base: The run at the first seed, at the optimizer's own learning rate where that is still to be chosen.
        rates: The learning rates to choose from; empty where it is not chosen.
    """

    values: tuple[tuple[str, Any], ...]
    label: str
    base: Resolved
    rates: tuple[float, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A comparison before it is run.

    Args:
        layers: The user's layers that all its runs share.
        settings: What is compared.
        seeds: With which each setting is trained.
        data_dir: Where prepared datasets lie.
    """

    layers: tuple[Layer, ...]
    settings: tuple[Setting, ...]
    seeds: tuple[int, ...]
    data_dir: str | None = None

    @property
    def first(self) -> Resolved:
        """A run that stands for all, in what they share."""
        return self.settings[0].base

    @property
    def digest(self) -> str:
        """A fingerprint of all that is compared."""
        parts = [[setting.label, setting.rates, spec_digest(setting.base.spec)] for setting in self.settings]
        return hashlib.sha256(json.dumps([parts, self.seeds]).encode()).hexdigest()

    @property
    def varied(self) -> dict[str, list[Any]]:
        """The values by path, as they were asked for."""
        found: dict[str, list[Any]] = {}
        for setting in self.settings:
            for path, value in setting.values:
                if value not in found.setdefault(path, []):
                    found[path].append(value)
        return found | {"seed": list(self.seeds)}

    def run(self, setting: Setting, seed: int, rate: float | None = None) -> Resolved:
        """The run of a setting with a seed and, where that is chosen, a learning rate."""
        layers = _laid(self.layers, dict(setting.values) | {"seed": seed})
        if rate is not None:
            layers.append(Layer("--learning-rates", {"optimizer": {"learning_rate": rate}}))
        return resolve(layers, self.data_dir)

    def runs_ahead(self) -> int:
        """How many runs this is at most."""
        return sum(len(setting.rates) + len(self.seeds) for setting in self.settings)


def make_plan(
    layers: Sequence[Layer], vary: Iterable[str], learning_rates: str | None = None, data_dir: str | None = None
) -> Plan:
    """The plan of a grid; every run in it is checked.

    Args:
        layers: The user's layers that all runs share, weakest first.
        vary: Texts `PATH=VALUES`.
        learning_rates: A grid `LOW..HIGH:logN` that each setting's learning rate is chosen from, or `none`; by default
            the grid `RATES` where the optimizer is varied and its learning rate is neither varied nor set.
        data_dir: Where prepared datasets lie.

    Raises:
        ZooError: A path, value or grid is wrong, or the parts of one of the runs do not go together.
    """
    grid = _grid(vary)
    seeds = grid.pop("seed", None)
    if learning_rates not in (None, "none") and RATE in grid:
        raise InvalidSpec(f"{RATE} cannot be varied and chosen at once: give --vary or --learning-rates.")
    default = RATES if "optimizer" in grid else "none"
    asked = default if learning_rates is None else learning_rates
    rates = () if asked == "none" else log_grid(asked)
    if seeds is None:
        first = {path: values[0] for path, values in grid.items()}
        seeds = (resolve(_laid(layers, first), data_dir).spec.seed,)
    if len(list(itertools.islice(itertools.product(*grid.values(), seeds), MOST_RUNS + 1))) > MOST_RUNS:
        raise InvalidSpec(f"A comparison cannot have more than {MOST_RUNS} runs: vary fewer values.")
    settings = []
    for values in itertools.product(*grid.values()):
        point = tuple(zip(grid, values, strict=True))
        base = resolve(_laid(layers, dict(point) | {"seed": seeds[0]}), data_dir)
        require_one_process("compare", base.spec)
        rate, origin = base.spec.optimizer.options.get("learning_rate"), base.origins.get(RATE)
        if is_set := origin in {"--vary", *(layer.origin for layer in layers)}:
            _refuse_to_choose(rate, origin, learning_rates)
        label = _label(dict(point), base)
        settings.append(Setting(point, label, base, () if rate is None or is_set else rates))
    if "data" not in grid:
        _check_same_data(settings)
    plan = Plan(tuple(layers), tuple(settings), tuple(seeds), data_dir)
    for setting in settings:  # the rest is refused now, too, and not after hours
        for rate in setting.rates[:1] + setting.rates[-1:]:
            plan.run(setting, seeds[0], rate)
    for seed in seeds:
        plan.run(settings[0], seed)
    return plan


def _laid(layers: Sequence[Layer], values: Mapping[str, Any]) -> list[Layer]:
    """The varied values over the user's layers; names lie under these, too: an option for all runs is of each name."""
    named = {key: reference(key, values[key]) for key in REFERENCES if key in values}
    names = [Layer("--vary", {key: each["name"]}) for key, each in named.items() if "name" in each]
    return [*names, *layers, *value_layers("--vary", values)]


def _refuse_to_choose(rate: Any, origin: str | None, learning_rates: str | None) -> None:
    """A rate that the user set is kept: to choose another one in its place would ignore what was asked for."""
    if learning_rates not in (None, "none"):
        raise InvalidSpec(
            f"{RATE} cannot be {rate} ({origin}) and chosen from {learning_rates} at once: leave out one of the two."
        )


def _check_same_data(settings: Sequence[Setting]) -> None:
    """Refuse to rank models whose recipes would train each on data of its own."""
    first: dict[str, str] = {}
    for setting in settings:
        first.setdefault(setting.base.spec.data.name, setting.label)
    if len(first) > 1:
        pairs = ", ".join(f"{label} on {data}" for data, label in first.items())
        raise InvalidSpec(
            f"Different datasets allow no ranking ({pairs}): name one for all, --data NAME, or vary data too."
        )


def _grid(vary: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    grid: dict[str, tuple[Any, ...]] = {}
    for text in [vary] if isinstance(vary, str) else vary:
        path, values = read_vary(text)
        if path in grid:
            raise InvalidSpec(f"{path} cannot be varied twice: give all its values in one list.")
        grid[path] = values
    if not grid:
        raise InvalidSpec("A comparison needs something that varies: --vary optimizer=sgd,adam or --vary seed=0..4.")
    return grid


def _label(values: Mapping[str, Any], base: Resolved) -> str:
    """`momentum`, or `adam, batch_size 32`; where nothing but the seed varies, the optimizer."""
    words = [_word(path, value) for path, value in values.items()]
    return ", ".join(words) or base.spec.optimizer.name


def _word(path: str, value: Any) -> str:
    if isinstance(value, Mapping) and "name" in value:  # {name: momentum, momentum: 0.99}
        options = [f"{option} {given}" for option, given in value.items() if option != "name"]
        return " ".join([str(value["name"]), *([f"({', '.join(options)})"] if options else [])])
    return str(value) if path in ("model", "data", "optimizer") else f"{path.split('.')[-1]} {value}"
