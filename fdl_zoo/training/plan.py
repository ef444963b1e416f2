"""Builds a run without training it, and says what would be chosen for it: devices, jit, blocks, and why."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdl_zoo import backend, catalogue
from fdl_zoo.data import Context
from fdl_zoo.spec import RunSpec
from fdl_zoo.tracking import NullTracker
from fdl_zoo.training.cluster import count_workers


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Args:
        devices: Where it computes.
        num_params: Of the model.
        steps_per_epoch: Of the training split.
        chosen: `resident`, `block` and `jit`.
        reasons: Of each of these, a sentence.
    """

    devices: tuple[str, ...]
    num_params: int
    steps_per_epoch: int
    chosen: dict[str, Any]
    reasons: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain facts for `--json`."""
        return vars(self) | {"devices": list(self.devices)}

    def __str__(self) -> str:
        lines = [f"devices: {', '.join(self.devices).lower()}", f"parameters: {self.num_params:,}"]
        lines.append(f"steps per epoch: {self.steps_per_epoch:,}")
        lines += [f"{name}: {str(value).lower()} ({self.reasons[name]})" for name, value in self.chosen.items()]
        return "\n".join(lines)


def plan(spec: RunSpec, *, verbose: bool = False) -> Plan:
    """What a run of this specification would choose; nothing is trained or recorded.

    Args:
        spec: Resolved.
        verbose: Let TensorFlow's messages through.

    Raises:
        ZooError: As `fdl.train` would before its first step, except for what only the other workers could tell.
    """
    several = spec.strategy == "multiworker"  # their strategy would wait until all have come
    number = count_workers(spec.workers) if several else 1
    backend.load(verbose)
    from fdl_zoo.training.accelerate import install
    from fdl_zoo.training.build import build_model, check_data, make_batches, make_callbacks
    from fdl_zoo.training.numerics import numerics
    from fdl_zoo.training.strategy import place

    placement = place(spec.devices, "auto" if several else spec.strategy)
    data = catalogue.load_dataset(spec.data.name, **spec.data.options)
    check_data(data, spec)
    with numerics(spec.seed, spec.precision), tempfile.TemporaryDirectory() as folder:
        with placement.scope():
            model = build_model(spec, data)
        callbacks, _, _ = make_callbacks(spec, Context(model, data, NullTracker(), Path(folder), spec, "plan"))
        batches = make_batches(data, spec, model)
        _, choice = install(
            model, batches, jit=spec.jit, block=spec.block, callbacks=callbacks, epochs=spec.epochs, workers=number
        )
    chosen = {"resident": choice.resident, "block": choice.block, "jit": choice.jit}
    devices = tuple(f"WORKER:{index}" for index in range(number)) if several else placement.devices
    return Plan(devices, model.count_params(), len(batches), chosen, choice.reasons)
