"""What looking inside costs: the share of a recipe's training that each callback takes at its default frequency."""

import sys
import tempfile
import time

import fdl_zoo as fdl
from fdl_zoo import catalogue
from fdl_zoo.training.progress import Silent

CALLBACKS = ("gradient_norms", "weight_histograms", "activation_histograms", "lstm_gates", "weight_path")
HOOKS = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")
TRAININGS = {
    "mlp on digits": ("mlp", "digits"),
    "convnet on digits": ("convnet", "digits"),
    "rnn on adding, 100 steps": ({"name": "rnn", "units": 32}, {"name": "adding", "length": 100}),
    "lstm on adding, 100 steps": ({"name": "lstm", "units": 32}, {"name": "adding", "length": 100}),
}


def timed(callback, name, spent):
    """The callback, whose hooks add to `spent` what they take."""
    for hook in HOOKS:
        setattr(callback, hook, stopwatch(getattr(callback, hook), (name, hook), spent))
    return callback


def stopwatch(method, key, spent):
    """The method, timed."""

    def call(*arguments, **options):
        started = time.perf_counter()
        method(*arguments, **options)
        spent[key] = spent.get(key, 0.0) + time.perf_counter() - started

    return call


def main() -> int:
    """Print a line per training; the status says whether a callback took more than a tenth."""
    made, worst = catalogue.create_callback, 0.0
    for title, (model, data) in TRAININGS.items():
        spent: dict[tuple[str, str], float] = {}
        catalogue.create_callback = lambda name, *given, spent=spent, **options: timed(
            made(name, *given, **options), name, spent
        )
        with tempfile.TemporaryDirectory() as root:
            names = [name for name in CALLBACKS if name != "lstm_gates" or "lstm" in title]
            settings = ["tracking.enabled=false"]
            run = fdl.train(model, data=data, callbacks=names, seed=0, root=root, settings=settings, progress=Silent())
            seconds = sum(run.history["epoch_seconds"])
        inside = sum(value for (name, hook), value in spent.items() if name in names and "epoch" in hook)
        shares = {name: sum(spent[name, hook] for hook in HOOKS) / (seconds - inside) for name in names}
        worst = max(worst, *shares.values())
        print(f"{title:26} {seconds - inside:5.1f} s  " + "  ".join(f"{k} {100 * v:.1f} %" for k, v in shares.items()))
    catalogue.create_callback = made
    return int(worst > 0.1)


if __name__ == "__main__":
    sys.exit(main())
