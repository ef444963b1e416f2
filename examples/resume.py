"""A run is killed in the middle and resumed.

CHAPTER   Fundamentals of Deep Learning; Logging & Training the Logistic Regression Model
CLAIM     What the notes keep with Saver brings a run back as if it had never been killed.
EXPECTED  After SIGKILL and `fdl resume` every weight is equal, to the last bit, to that of a run left in peace.
"""

import shutil
import time

import numpy as np
from _common import Result, command, experiment, output_of

TRAIN = ["train", "mlp", "--set", "model.units=[32]", "--set", "model.dropout=0.3", "--set", "jit=false"]


def measure(quick, folder):
    """Kills after the first checkpoint of an epoch, resumes, and compares."""
    import fdl_zoo as fdl

    equal, killed_at = [], []
    for seed in range(1 if quick else 3):
        places = {name: folder / f"{name}_{seed}" for name in ("peaceful", "killed")}
        for place in places.values():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
        train = [*TRAIN, "--seed", str(seed), "--no-tracking", "--epochs", "60", "--set", "block=10"]
        output_of(command(places["peaceful"], *train))
        process = command(places["killed"], *train)
        while process.poll() is None and len(progress(places["killed"])) < 3:
            time.sleep(0.01)
        process.kill()
        process.communicate()
        killed_at.append(len(progress(places["killed"])))
        output_of(command(places["killed"], "resume", "last"))
        weights = [fdl.find_run("last", root=place / "mlruns").model.get_weights() for place in places.values()]
        equal.append(all(np.array_equal(one, two) for one, two in zip(*weights, strict=True)))
    return Result(
        f"killed after {', '.join(map(str, killed_at))} of 60 epochs; equal: {sum(equal)} of {len(equal)}", all(equal)
    )


def progress(place):
    """The lines of the run's history so far."""
    return [line for file in place.glob("mlruns/runs/*/history.jsonl") for line in file.read_text().splitlines()]


if __name__ == "__main__":
    experiment(measure)
