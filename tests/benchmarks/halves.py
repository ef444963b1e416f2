"""Recurrent models that compute a batch in halves against the same in one piece.

`python tests/benchmarks/halves.py [MODEL ...]`: both by `fdl.accelerate`, interleaved; the whole batch compiled by XLA
and without, as the engine has the choice, and the halves. These are used where time steps times units are
`_halves.LONG` or more.
"""

import sys
from unittest.mock import patch

import keras
import numpy as np
from rich.console import Console
from rich.table import Table
from training import interleaved

import fdl_zoo as fdl
from fdl_zoo.models import _halves

STEPS = 10
SIZES = ((8, 64, 32), (100, 32, 50), (100, 64, 32), (100, 64, 100))  # time, units, batch


def trained(name: str, size: tuple[int, int, int], *, halved: bool, jit: bool) -> object:
    """Two epochs of a model, as a function."""
    time, units, batch = size
    random = np.random.default_rng(0)
    x, y = random.normal(size=(STEPS * batch, time, 2)), random.integers(0, 10, STEPS * batch)
    keras.utils.set_random_seed(0)
    with patch.object(_halves, "LONG", 0 if halved else np.inf):
        model = fdl.create_model(name, (time, 2), 10, units=units)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    feed = fdl.accelerate(model, x, y, batch_size=batch, jit=jit)
    return lambda: model.fit(feed, epochs=2, verbose=0)


def main() -> None:
    """Measure and print."""
    names = sys.argv[1:] or ["lstm", "gru"]
    table = Table(title="Milliseconds per step, and the time of halves to that of the whole batch")
    for column in (
        "model",
        "time",
        "units",
        "batch",
        "whole, XLA",
        "whole",
        "halves",
        "to XLA",
        "to without",
        "halved",
    ):
        table.add_column(column, justify="right")
    for name in names:
        for size in SIZES:
            kinds = {"xla": (False, True), "plain": (False, False), "halves": (True, False)}
            times = interleaved(
                {kind: trained(name, size, halved=halved, jit=jit) for kind, (halved, jit) in kinds.items()}
            )
            ratios = [f"{times['halves'] / times[kind]:.2f}" for kind in ("xla", "plain")]
            per_step = [f"{seconds / STEPS / 2 * 1e3:.2f}" for seconds in times.values()]
            chosen = "yes" if size[0] * size[1] >= _halves.LONG else ""
            table.add_row(name, *map(str, size), *per_step, *ratios, chosen)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
