"""AdaGrad's effective learning rate beside RMSProp's, on a slope and on the flat region after it.

CHAPTER   AdaGrad; RMSProp
CLAIM     AdaGrad's rate drops prematurely, and more so in flat regions; RMSProp tosses out measurements made long ago,
          so its rate recovers.
EXPECTED  After 200 steep steps AdaGrad's rate is below a tenth of its first, and on 200 flat ones it does not rise
          again; RMSProp's rises at least tenfold there.
"""

from _common import Result, experiment


def measure(quick, folder):
    """Feeds both optimizers the same gradients; nothing is random."""
    from fdl_zoo.analysis.landscapes import effective_rates

    half = 100 if quick else 200
    found = effective_rates(folder, steps=2 * half, flat_from=half).numbers
    left = {name: float(found[name][half - 1] / found[name][0]) for name in ("adagrad", "rmsprop")}
    rise = {name: float(found[name][-1] / found[name][half - 1]) for name in left}
    return Result(
        f"AdaGrad's rate falls to {left['adagrad']:.3f} of its first, then"
        f" changes {rise['adagrad']:.4f}-fold on the flat part;"
        f" RMSProp's to {left['rmsprop']:.2f}, then {rise['rmsprop']:.0f}-fold",
        left["adagrad"] < 0.1 and rise["adagrad"] <= 1 and rise["rmsprop"] > 10,
    )


if __name__ == "__main__":
    experiment(measure)
