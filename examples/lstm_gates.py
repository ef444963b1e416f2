"""An LSTM and its gates on a sequence that must be remembered, beside a fully connected recurrent network.

CHAPTER   LSTM (long short-term memory)
CLAIM     An LSTM transmits information reliably over many steps: its keep gate holds memory, its write and output gates
          decide what enters and leaves.
EXPECTED  Adding problem over 50 steps: the LSTM's test error is below 0.02, a tenth of that of always answering 1
          (0.167); the recurrent network's is above 0.1. The keep gate is open by more than 0.5 on average.
"""

import json
import shutil

import numpy as np
from _common import Result, experiment, spread, train


def measure(quick, folder):
    """Trains both; the LSTM's gates are recorded while it learns."""
    errors, kept = {"lstm": [], "rnn": []}, []
    data = {"name": "adding", "length": 10 if quick else 50, "examples": 500 if quick else 10_000}
    for seed in range(1 if quick else 3):
        for name, found in errors.items():
            run = train(
                folder, {"name": name, "units": 32}, data=data, epochs=1 if quick else 12, seed=seed,
                callbacks=["lstm_gates"] if name == "lstm" else [],
            )  # fmt: skip
            found.append(run.metrics["test_loss"])
            if name == "lstm":
                looks = [line["metrics"] for line in run.folder.history()]
                kept.append([look["gate/keep"] for look in looks if "gate/keep" in look][-1])
                shutil.copytree(run.path / "artifacts" / "lstm_gates", folder / "lstm_gates", dirs_exist_ok=True)
    (folder / "errors.json").write_text(json.dumps(errors | {"keep_gate": kept}))
    table = ", ".join(f"{name} {spread(values, 4)}" for name, values in errors.items())
    lstm, rnn = (np.mean(values) for values in errors.values())
    holds = lstm < 0.02 and rnn > 0.1 and np.mean(kept) > 0.5
    return Result(f"test error: {table}; keep gate open by {spread(kept, 2)}", bool(holds))


if __name__ == "__main__":
    experiment(measure)
