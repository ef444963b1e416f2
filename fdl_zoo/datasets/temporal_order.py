"""Temporal order: which of X and Y came first and which second, with noise before, between and after (chapter 7).

Each time step holds one of six symbols as a one-hot vector: the noise a, b, c, d, and X or Y at two steps, the first
between 10 % and 20 %, the second between 50 % and 60 % of the length. The class is the ordered pair.
"""

import numpy as np

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset, Split, split_indices

CARD = Card(
    task="classification",
    chapter=7,
    citation="Hochreiter and Schmidhuber (1997), Long short-term memory, section 5.6",
    input_shape=(20, 6),
    num_outputs=4,
    tags=("sequence", "synthetic", "embedded"),
    ranges={"length": "[10, inf)", "examples": "[10, inf)", "seed": "[0, inf)"},
)
NOISE, X = 4, 4  # symbols 0 to 3 are noise, 4 is X, 5 is Y


def build(*, length: int = 20, examples: int = 5_000, seed: int = 0) -> Dataset:
    """Draws the sequences, x [examples, length, 6] and y [examples].

    Args:
        length: Time steps.
        examples: Sequences, of which 80 % are for training and 10 % each for validation and testing.
        seed: Fixes the sequences and the splits.
    """
    generator = np.random.default_rng(seed)
    symbols = generator.integers(0, NOISE, (examples, length))
    pair = generator.integers(0, 2, (examples, 2))  # 0 is X, 1 is Y
    for which, start in enumerate((0.1, 0.5)):
        low, high = int(start * length), max(int(start * length) + 1, int((start + 0.1) * length))
        symbols[np.arange(examples), generator.integers(low, high, examples)] = X + pair[:, which]
    x = np.eye(NOISE + 2, dtype=np.float32)[symbols]  # [examples, length, symbols]
    y = 2 * pair[:, 0] + pair[:, 1]
    parts = [Split(x[indices], y[indices]) for indices in split_indices(examples, seed)]
    return Dataset(*parts, (length, NOISE + 2), 4, "classification", ("XX", "XY", "YX", "YY"))
