"""Random masks as a function of seed, layer, epoch and replica, so that an interrupted run draws those of any other."""

import keras
import numpy as np

from fdl_zoo.training.strategy import assign_replicas


def set_seeds(model: keras.Model, seed: int, epoch: int) -> None:
    """Give every seed generator of a model its state for an epoch; replicas draw different masks.

    Args:
        model: With dropout, noise or whatever else draws.
        seed: Of the run.
        epoch: Counted from 0.
    """
    replicas = range(model.distribute_strategy.num_replicas_in_sync)
    for layer, state in enumerate(filter(is_seed, model.variables)):
        words = [_word(seed, layer, epoch, replica) for replica in replicas]
        assign_replicas(state, [np.array([word, 0], np.uint32) for word in words])


def is_seed(variable: keras.Variable) -> bool:
    """Whether a variable is the state of a seed generator, which differs from replica to replica."""
    return variable.name == "seed_generator_state"


def _word(*where: int) -> int:
    return int(np.random.SeedSequence(where).generate_state(1)[0])
