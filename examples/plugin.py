"""A plugin: a package with a model of its own, begun, listed, and trained by name.

CHAPTER   Fundamentals of Deep Learning
CLAIM     A model in somebody else's package is trained like those of the book, without a change here.
EXPECTED  `fdl plugins new` writes three files; `fdl train` finds their model and reaches a test accuracy above 0.85.
"""

import json
import shutil

from _common import Result, command, experiment, output_of


def measure(quick, folder):
    """Uses the command line, in processes of their own: a plugin is looked for when one starts."""
    shutil.rmtree(folder / "drafts", ignore_errors=True)
    output_of(command(folder, "plugins", "new", "my-net", "-o", "drafts"))
    files = sorted(file.name for file in (folder / "drafts" / "my-net").iterdir())
    listed = output_of(command(folder, "list", "models", "--names", "--plugins-dir", "drafts")).split()
    accuracies = []
    for seed in range(1 if quick else 3):
        train = [
            "train",
            "my_net",
            "--plugins-dir",
            "drafts",
            "--no-tracking",
            "--json",
            "--quiet",
            "--seed",
            str(seed),
        ]
        printed = output_of(command(folder, *train, "--epochs", "5"))
        accuracies.append(json.loads(printed[printed.index("{") :])["metrics"]["test_accuracy"])
    found = any("my_net" in name for name in listed)
    table = ", ".join(f"{value:.3f}" for value in accuracies)
    return Result(f"{len(files)} files; listed: {found}; test accuracy {table}", found and min(accuracies) > 0.85)


if __name__ == "__main__":
    experiment(measure)
