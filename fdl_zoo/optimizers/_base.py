"""The class between Keras's optimizer and every optimizer of this folder (chapters 2 and 4).

Keras clips and accumulates on each replica and sums gradients afterwards, so that most options of an optimizer mean
something else on two devices, and some fail. Here gradients are summed over the replicas *first*; then each replica
accumulates, clips, decays, updates and averages its own copy, all inside one `extended.update`. So every option means
on many devices what it means on one. All contact with Keras's private names is in this file, and
`test_base_contract.py` guards it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fdl_zoo.errors import InvalidName, InvalidOption
from fdl_zoo.optimizers._state import check
from fdl_zoo.optimizers._xla import COSTLY, compiled, once_known


def register(name: str, package: str = "fdl_zoo") -> Callable[[type], type]:
    """A class decorator that makes `compile(optimizer="package>name")` work, and saved files name their class.

    Args:
        name: The entry's registered name.
        package: The distribution that owns the class.

    Raises:
        InvalidName: Another class already has this name (Keras would replace it silently).
    """

    def decorate(cls: type) -> type:
        known = keras.saving.get_registered_object(f"{package}>{name}")
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise InvalidName(
                f"{cls.__module__}.{cls.__qualname__} cannot be registered as {package}>{name}: "
                f"{known.__module__}.{known.__qualname__} has this name; choose another."
            )
        return keras.saving.register_keras_serializable(package=package, name=name)(cls)

    return decorate


class BaseOptimizer(keras.optimizers.Optimizer):
    """A Keras optimizer whose options mean the same on one device, compiled, and on several replicas.

    A subclass names its slots and writes `update_tensor(variable, gradient, learning_rate, t, *slots)`, which sees one
    tensor, its slots, the rate in its type, and the number t of this update, from 1; or it overrides `update`, which
    sees all tensors. Both run once per replica on gradients that are already summed, averaged over accumulated batches
    and clipped. Where `gradient_accumulation_steps` is set, schedules look at every batch, as Keras documents, and all
    else at updates.

    Args:
        learning_rate: A number, a schedule, or a callable without arguments.
        **base: The options of `keras.optimizers.Optimizer`: `weight_decay`, `clipnorm`, `clipvalue`,
            `global_clipnorm`, `use_ema`, `ema_momentum`, `ema_overwrite_frequency`, `loss_scale_factor`,
            `gradient_accumulation_steps`, `name`.
    """

    total_names: tuple[str, ...] = ()  # names of the scalars that `replica_totals` gives

    def __init__(self, learning_rate: Any, **base: Any) -> None:
        rate = float(learning_rate) if isinstance(learning_rate, int) else learning_rate  # Keras takes no integer
        super().__init__(learning_rate=rate, **base)
        self._unbuilt_count = len(self.variables)  # the iteration, and the learning rate where it is a number

    # ---- what a subclass says and does

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Names of the tensors kept per variable, of its shape, zero at first; their order is the file format."""
        return ()

    def replica_totals(self) -> list[tf.Tensor]:
        """Scalars of this replica, one per name in `total_names`, to be summed and accumulated as gradients are."""
        return []

    def update(
        self,
        gradients: Sequence[tf.Tensor],
        variables: Sequence[tf.Variable],
        learning_rate: tf.Tensor,
        totals: Sequence[tf.Tensor],
    ) -> None:
        """Update all variables, once per replica; override where one tensor is not enough.

        Args:
            gradients: Dense, of the variables' shapes: summed over replicas, mean of accumulated batches, clipped.
            variables: This replica's copies.
            learning_rate: Scalar of Keras's `floatx`.
            totals: Values of `replica_totals`, summed over replicas, mean of accumulated batches.
        """
        t = tf.convert_to_tensor(self.iterations) + 1
        for before, gradient, variable in zip([None, *gradients[:-1]], gradients, variables, strict=True):
            rate = tf.cast(learning_rate, variable.dtype)
            if before is not None and compiled() and variable.shape.num_elements() >= COSTLY:
                rate = once_known(before, rate, t)
            self.update_tensor(variable, tf.cast(gradient, variable.dtype), rate, t, *self.slots(variable))

    @property
    def all_variables(self) -> list[keras.Variable]:
        """The variables that the optimizer was built for, those without a gradient too."""
        return list(self._trainable_variables)

    def index_of(self, variable: tf.Variable | keras.Variable) -> int:
        """The place of a variable, or of a replica's copy of it, in `all_variables`."""
        return self._get_variable_index(variable)

    def slots(self, variable: tf.Variable) -> tuple[tf.Variable, ...]:
        """The variable's slots in the order of `slot_names`."""
        index = self.index_of(variable)
        return tuple(slots[index].value for slots in self._slots)

    # ---- Keras's life cycle

    def build(self, variables: list[keras.Variable]) -> None:
        """Create the state for the variables; a second call changes nothing."""
        if self.built:
            return
        self._check_scope()
        super().build(variables)
        self._slots = self.add_optimizer_variables(variables, list(self.slot_names))
        if self.gradient_accumulation_steps:
            self._accumulated_totals = [
                self.add_variable((), dtype="float64", name=f"{name}_accumulator") for name in self.total_names
            ]

    def _backend_apply_gradients(self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable]) -> None:
        """Keras's hook between unscaling the gradients and applying constraints; called on every replica."""
        strategy = self._check_scope()
        _refuse_compiled_replicas(strategy)
        gradients = [_dense(gradient, variable) for gradient, variable in zip(grads, trainable_variables, strict=True)]
        totals = self.replica_totals()
        if strategy.num_replicas_in_sync > 1:
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            if totals:  # by themselves: workers pack what they reduce together, and these are float64
                totals = context.all_reduce(tf.distribute.ReduceOp.SUM, totals)
        tf.__internal__.distribute.interim.maybe_merge_call(
            self._update_replicas, strategy, gradients, list(trainable_variables), totals
        )

    def _check_scope(self) -> tf.distribute.Strategy:
        """The strategy in use, if it is the one that this optimizer was made for."""
        strategy = tf.distribute.get_strategy()
        if strategy is not self._distribution_strategy:
            raise InvalidOption(
                f"Optimizer {self.name!r} cannot be used under {type(strategy).__name__}: it was made under "
                f"{type(self._distribution_strategy).__name__}; make model and optimizer in one `strategy.scope()`."
            )
        return strategy

    def _update_replicas(
        self,
        strategy: tf.distribute.Strategy,
        gradients: Sequence[Any],
        variables: Sequence[keras.Variable],
        totals: Sequence[Any],
    ) -> None:
        """Run `_update_replica` once per replica, on that replica's copies."""
        # A decayed variable is recognized by its Keras name, so it is asked for here and not inside the update.
        decayed = [self.weight_decay is not None and self._use_weight_decay(variable) for variable in variables]

        def update(_: tf.Variable, local_gradients: Any, local_variables: Any, local_totals: Any) -> None:
            self._update_replica(local_gradients, local_variables, local_totals, decayed)

        values = [variable.value for variable in variables]
        strategy.extended.update(values[0], update, args=(gradients, values, totals), group=False)

    # ---- what happens on each replica

    def _update_replica(
        self,
        gradients: Sequence[tf.Tensor],
        variables: Sequence[tf.Variable],
        totals: Sequence[tf.Tensor],
        decayed: Sequence[bool],
    ) -> None:
        """Take a step, or add to the accumulators until their number of batches is reached."""
        steps = self.gradient_accumulation_steps
        if not steps:
            self._step(gradients, variables, totals, decayed)
            return
        sums = [self._accumulated_gradients[self.index_of(each)].value for each in variables]
        sums += [each.value for each in self._accumulated_totals]
        totals = [tf.cast(total, tf.float64) for total in totals]

        def step() -> tf.Tensor:
            means = [(each + value) / steps for each, value in zip(sums, [*gradients, *totals], strict=True)]
            self._step(means[: len(variables)], variables, means[len(variables) :], decayed)
            for each in sums:
                each.assign(tf.zeros_like(each))
            return tf.constant(True)

        def accumulate() -> tf.Tensor:
            for each, value in zip(sums, [*gradients, *totals], strict=True):
                each.assign_add(value)
            return tf.constant(False)

        tf.cond(tf.equal((self._iterations.value + 1) % steps, 0), step, accumulate)

    def _step(
        self,
        gradients: Sequence[tf.Tensor],
        variables: Sequence[tf.Variable],
        totals: Sequence[tf.Tensor],
        decayed: Sequence[bool],
    ) -> None:
        """One update: clip, decay, update, average."""
        gradients = self._clip_gradients(gradients)
        learning_rate = tf.convert_to_tensor(self.learning_rate)
        for variable, is_decayed in zip(variables, decayed, strict=True):
            if is_decayed:
                rate = tf.cast(learning_rate, variable.dtype) * tf.constant(self.weight_decay, variable.dtype)
                variable.assign_sub(variable * rate)
        self.update(gradients, variables, learning_rate, totals)
        if self.use_ema:
            self._average_weights()

    def _average_weights(self) -> None:
        """Average every variable, those without a gradient too, and put the average in when it is due."""
        updates = tf.convert_to_tensor(self.iterations)
        pairs = [
            (variable.value, average.value)
            for variable, average in zip(self._trainable_variables, self._model_variables_moving_average, strict=True)
            if average is not None
        ]
        for variable, average in pairs:
            m = tf.constant(self.ema_momentum, average.dtype) * tf.cast(updates > 0, average.dtype)
            average.assign(m * average + (1 - m) * variable)

        def overwrite() -> tf.Tensor:
            for variable, average in pairs:
                variable.assign(average)
            return tf.constant(True)

        if self.ema_overwrite_frequency:
            due = tf.equal((updates + 1) % self.ema_overwrite_frequency, 0)
            tf.cond(due, overwrite, lambda: tf.constant(False))

    # ---- the state in a file

    @property
    def _layout(self) -> str:
        """What the state is a state of: the class and its slots by name. Counts and shapes are checked beside it."""
        roles = ["average"] * bool(self.use_ema) + ["accumulator"] * bool(self.gradient_accumulation_steps)
        return f"{keras.saving.get_registered_name(type(self))}({', '.join([*roles, *self.slot_names])})"

    def save_own_variables(self, store: Any) -> None:
        """Write the state by position, and what it is a state of."""
        super().save_own_variables(store)
        store["layout"] = np.frombuffer(self._layout.encode(), np.uint8)

    def load_own_variables(self, store: Any) -> None:
        """Read the state; what does not fit exactly is refused (Keras would warn and go on without it).

        Raises:
            InvalidData: The optimizer is not built, or the state is of other options, shapes or another optimizer.
        """
        saved = {key: np.asarray(store[key]) for key in store.keys()}  # noqa: SIM118 - a store cannot be iterated
        layout = saved.pop("layout", np.zeros(0, np.uint8)).tobytes().decode()
        values = [saved[key] for key in sorted(filter(str.isdigit, saved), key=int)]
        variables = self.variables
        if layout == self._layout and self._is_start(values):
            variables = variables[: len(values)]
        check(layout, values, self._layout, variables, self.built)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Set the state from a list of arrays, of exactly the shapes of `variables`."""
        check(self._layout, weights, self._layout, self.variables, self.built)
        super().set_weights(weights)

    def _is_start(self, values: Sequence[np.ndarray]) -> bool:
        """Whether the state was saved before it was built and this optimizer took no step: slots are as at first."""
        return len(values) == self._unbuilt_count and values[0] == 0 and int(self._iterations) == 0


def _refuse_compiled_replicas(strategy: tf.distribute.Strategy) -> None:
    """XLA compiles the work of one device; TensorFlow finds that out only when the step runs."""
    replicas = strategy.num_replicas_in_sync
    if replicas > 1 and compiled():
        raise InvalidOption(
            f"jit_compile=True cannot be used with {replicas} replicas: XLA compiles the work of one device only; "
            "use jit_compile=False or one device."
        )


def _dense(gradient: Any, variable: keras.Variable) -> tf.Tensor:
    """A gradient as a tensor of the variable's shape; an embedding's comes as rows and their indices."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, variable.shape[0])
    return tf.convert_to_tensor(gradient)
