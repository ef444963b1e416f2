"""Lion: every weight moves by the same distance, in the direction of an interpolated momentum's sign.

Chen, Liang, Huang, Real et al. (2023), Symbolic Discovery of Optimization Algorithms, algorithm 2.
"""

import keras

from fdl_zoo.card import Card

CARD = Card(
    citation="Chen et al. (2023), Symbolic Discovery of Optimization Algorithms, arXiv:2302.06675",
    tags=("first-order", "sign"),
    ranges={"learning_rate": "(0, inf)", "beta_1": "[0, 1)", "beta_2": "[0, 1)"},
)


@keras.saving.register_keras_serializable(package="fdl-lion", name="lion")
class Lion(keras.optimizers.Optimizer):
    """The rule c <- beta_1 m + (1 - beta_1) g, w <- w - learning_rate sign(c), m <- beta_2 m + (1 - beta_2) g.

    With `weight_decay`, learning_rate * weight_decay * w is taken off as well.
    """

    def __init__(self, learning_rate=0.0001, beta_1=0.9, beta_2=0.99, **base):
        super().__init__(learning_rate=learning_rate, **base)
        self.beta_1, self.beta_2 = beta_1, beta_2

    def build(self, variables):
        """Makes one moment per variable, zero at first."""
        if self.built:
            return
        super().build(variables)
        (self.moments,) = self.add_optimizer_variables(variables, ["moment"])

    def update_step(self, gradient, variable, learning_rate):
        """Takes one step with one variable."""
        moment = self.moments[self._get_variable_index(variable)]
        gradient = keras.ops.cast(gradient, variable.dtype)
        direction = keras.ops.sign(_mixed(moment, gradient, self.beta_1))
        self.assign_sub(variable, keras.ops.cast(learning_rate, variable.dtype) * direction)
        self.assign(moment, _mixed(moment, gradient, self.beta_2))

    def get_config(self):
        """The options as plain values."""
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}


def _mixed(moment, gradient, share):
    """`share` of the moment and the rest of the gradient, by Keras's operations: an embedding's gradient is sparse."""
    return keras.ops.add(keras.ops.multiply(moment, share), keras.ops.multiply(gradient, 1 - share))


def build(*, learning_rate: float = 0.0001, beta_1: float = 0.9, beta_2: float = 0.99, **base) -> Lion:
    """Builds the optimizer.

    Args:
        learning_rate: How far every weight moves per step; a tenth to a third of Adam's.
        beta_1: Share of the momentum in the direction.
        beta_2: Decay of the momentum.
        **base: Options of every Keras optimizer; a weight decay is three to ten times Adam's.
    """
    return Lion(learning_rate, beta_1, beta_2, **base)
