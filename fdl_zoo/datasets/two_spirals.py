"""Two spirals: points of the plane on two intertwined spirals, which no straight line separates (chapter 1)."""

import numpy as np

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset, Split, split_indices

CARD = Card(
    task="binary",
    chapter=1,
    citation="Lang and Witbrock (1988), Learning to tell two spirals apart",
    input_shape=(2,),
    num_outputs=1,
    tags=("synthetic", "embedded"),
    ranges={"examples": "[20, inf)", "turns": "(0, inf)", "noise": "[0, inf)", "seed": "[0, inf)"},
)


def build(*, examples: int = 1_000, turns: float = 1.5, noise: float = 0.02, seed: int = 0) -> Dataset:
    """Draws the points, x [examples, 2] within the unit circle (but for noise) and y [examples] 0 or 1.

    Args:
        examples: Points, half of them on each spiral, of which 80 % are for training and 10 % for each other split.
        turns: Turns of each spiral.
        noise: Deviation of the points from their spiral.
        seed: Fixes the points and the splits.
    """
    generator = np.random.default_rng(seed)
    y = np.arange(examples) % 2
    radius = np.sqrt(generator.random(examples))  # as many points per length of arc outside as inside
    angle = 2 * np.pi * turns * radius + np.pi * y  # the second spiral is the first turned by half a turn
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = (x + noise * generator.standard_normal((examples, 2))).astype(np.float32)
    parts = [Split(x[indices], y[indices]) for indices in split_indices(examples, seed)]
    return Dataset(*parts, (2,), 1, "binary", ("first", "second"))
