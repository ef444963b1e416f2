"""Spirals in space: points on arms that wind around an axis like the threads of a screw, one class per arm.

Along the axis every height has points of every class, and so has every direction seen from it: what separates the arms
is the angle at a height, which no linear model sees.
"""

import numpy as np

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset, Split, split_indices

CARD = Card(
    task="classification",
    input_shape=(3,),
    num_outputs=3,
    tags=("synthetic",),
    ranges={
        "examples": "[30, inf)",
        "arms": "[2, 26]",
        "turns": "(0, inf)",
        "noise": "[0, inf)",
        "seed": "[0, inf)",
    },
)


def build(*, examples: int = 1_500, arms: int = 3, turns: float = 1.0, noise: float = 0.05, seed: int = 0) -> Dataset:
    """Draws the points, x [examples, 3] and y [examples], the number of the arm.

    On an arm at height h in [-1, 1) the angle is pi * turns * h plus the arm's share of a full turn, and the radius is
    drawn from [1/2, 1).

    Args:
        examples: Points, as many on each arm, of which 80 % are for training and 10 % for each other split.
        arms: Number of arms, and of classes.
        turns: Turns of each arm between bottom and top.
        noise: Deviation of the points from their arm, in every direction.
        seed: Fixes the points and the splits.
    """
    generator = np.random.default_rng(seed)
    y = np.arange(examples) % arms
    height = generator.uniform(-1, 1, examples)
    radius = generator.uniform(0.5, 1, examples)
    angle = np.pi * turns * height + 2 * np.pi * y / arms
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    x = (x + noise * generator.standard_normal((examples, 3))).astype(np.float32)
    parts = [Split(x[indices], y[indices]) for indices in split_indices(examples, seed)]
    return Dataset(*parts, (3,), arms, "classification", tuple("abcdefghijklmnopqrstuvwxyz"[:arms]))
