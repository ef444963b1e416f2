"""Adding problem: the sum of the two marked numbers of a long sequence, what an LSTM was made for (chapter 7).

Each time step has a number drawn from [0, 1) and a mark, which is 1 at one step of either half and 0 elsewhere. Always
answering 1
gives a mean squared error of 1/6: a network that does no better has not carried anything through time.
"""

import numpy as np

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset, Split, split_indices

CARD = Card(
    task="regression",
    chapter=7,
    citation="Hochreiter and Schmidhuber (1997), Long short-term memory, section 5.4",
    input_shape=(10, 2),
    num_outputs=1,
    tags=("sequence", "synthetic", "embedded"),
    ranges={"length": "[2, inf)", "examples": "[10, inf)", "seed": "[0, inf)"},
)


def build(*, length: int = 10, examples: int = 10_000, seed: int = 0) -> Dataset:
    """Draws the sequences, x [examples, length, 2] and y [examples, 1].

    Args:
        length: Time steps.
        examples: Sequences, of which 80 % are for training and 10 % each for validation and testing.
        seed: Fixes the sequences and the splits.
    """
    generator = np.random.default_rng(seed)
    x = np.zeros((examples, length, 2), np.float32)
    x[..., 0] = generator.random((examples, length), np.float32)
    rows, half = np.arange(examples), length // 2
    first, second = generator.integers(0, half, examples), generator.integers(half, length, examples)
    x[rows, first, 1] = x[rows, second, 1] = 1
    y = (x[rows, first, 0] + x[rows, second, 0])[:, None]
    parts = [Split(x[indices], y[indices]) for indices in split_indices(examples, seed)]
    return Dataset(*parts, (length, 2), 1, "regression")
