"""DeepOBS's noise around the minimum of a quadratic: 100 dimensions, examples drawn from N(0, 0.6^2) (chapter 4).

The targets are zeros that nothing reads: the model `quadratic` outputs each example's loss itself. DeepOBS evaluates on
whole batches of 128, so of its 1000 test examples the first 896 count; these are the test split. Training and test
draws are DeepOBS's, the validation draw (which DeepOBS did not have) is ours.
"""

import numpy as np

from fdl_zoo.card import Card
from fdl_zoo.data import Dataset, Split

CARD = Card(
    task="objective",
    chapter=4,
    citation="Schneider, Balles and Hennig (2019), DeepOBS, arXiv:1903.05499",
    input_shape=(100,),
    num_outputs=1,
    tags=("synthetic", "embedded"),
)
NOISE = 0.6


def draw(seed: int, count: int) -> Split:
    """The first `count` of 1000 examples [count, 100] of one seed, with zeros [count, 1] for targets."""
    random = np.random.RandomState(seed)  # DeepOBS's own generator, or the examples would be others
    x = random.normal(0.0, NOISE, (1000, 100)).astype(np.float32)[:count]
    return Split(x, np.zeros((count, 1), np.float32))


def build() -> Dataset:
    """1000 training, 1000 validation and 896 test examples."""
    return Dataset(
        train=draw(42, 1000),
        validation=draw(44, 1000),
        test=draw(43, 896),
        input_shape=(100,),
        num_outputs=1,
        task="objective",
    )
