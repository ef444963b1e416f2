"""How far the gradient reaches back in time in a recurrent network and in an LSTM.

CHAPTER   Vanishing gradients!?!
CLAIM     Propagated back through time, gradients become extremely small, so a recurrent network hardly learns from
          early steps; an LSTM gets around it.
EXPECTED  Adding problem over 100 steps, after training, geometric means over seeds: at the first step the recurrent
          network's gradient is below 1e-4 of its largest; the LSTM's is at least 100 times as large a share.
"""

import shutil

import numpy as np
from _common import Result, experiment, train


def measure(quick, folder):
    """Trains both and measures the gradient of the loss by the state after each step."""
    import fdl_zoo as fdl

    length, share = (20 if quick else 100), {"rnn": [], "lstm": []}
    data = {"name": "adding", "length": length} | ({"examples": 500} if quick else {})
    for seed in range(1 if quick else 3):
        runs = {
            name: train(folder, {"name": name, "units": 32}, data=data, epochs=1 if quick else None, seed=seed)
            for name in share
        }
        found = fdl.gradient_reach(*runs.values(), root=folder / "mlruns")
        for name, run in runs.items():
            by_time = np.asarray(found.gradients[run.name]["final"])
            share[name].append(float(by_time[0] / by_time.max()))
    for file in found.files:
        shutil.copy(file, folder)
    rnn, lstm = (float(np.exp(np.mean(np.log(values)))) for values in share.values())
    table = "; ".join(f"{name} {', '.join(f'{each:.0e}' for each in values)}" for name, values in share.items())
    return Result(
        f"share of the largest gradient at the first of {length} steps: {table}", rnn < 1e-4 and lstm > 100 * rnn
    )


if __name__ == "__main__":
    experiment(measure)
