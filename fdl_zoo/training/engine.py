"""The engine: one compiled call runs a block of steps, while `compile`, `fit`, callbacks and `train_step` stay Keras's.

Keras's `fit` calls `model.train_function` where one is set. Ours loops over rows of indices inside one graph: each step
gathers its batch from data on the device and calls the model's own `train_step`, under a strategy once per replica.
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np
import tensorflow as tf

from fdl_zoo.training.counting import counted, counting
from fdl_zoo.training.feed import Block, Epoch, Feed, count_examples
from fdl_zoo.training.strategy import local_index


class Engine:
    """The train and test functions of one compiled model; `compile` takes them out again.

    Args:
        model: A compiled `keras.Model`.
        jit: Compile each block with XLA.

    Attributes:
        losses: The loss of every step of the latest training block [steps], each the mean over its batch.
        block: The steps from the first of these to the one with which Keras's count of steps goes on.
    """

    def __init__(self, model: keras.Model, jit: bool) -> None:
        self.model, self.jit = model, jit
        self.losses, self.block = np.zeros(0), 1
        model.make_train_function(force=True)
        model.make_test_function(force=True)
        self._stock = {"train": model.train_function, "test": model.test_function}
        self._loops = {"train": Loop(model, model.train_step, jit), "test": Loop(model, model.test_step, jit)}
        # Data on the device, as long as somebody has their feed.
        self._placed: WeakKeyDictionary[Feed, Any] = WeakKeyDictionary()
        model.train_function, model.test_function = self.train, self.test

    @staticmethod
    def of(model: keras.Model) -> "Engine | None":
        """The model's engine, if it has one and has not been compiled anew since."""
        owner = getattr(model.train_function, "__self__", None)
        return owner if isinstance(owner, Engine) else None

    def build(self, feed: Feed) -> None:
        """Make the variables of optimizer and metrics, by tracing a step where need be; nothing is computed."""
        epoch = Epoch(feed)
        for block in epoch.first_block():
            self._loops["train"].build(self._place(block, epoch), block, feed.has_partial_batch)

    def train(self, iterator: Any) -> Any:
        """Train on the next block; Keras calls it with an iterator, and one that is not ours goes to Keras's own."""
        if not isinstance(iterator, Epoch):
            self.losses, self.block = np.zeros(0), self.model.steps_per_execution
            return self._by_keras("train", iterator)
        logs, self.losses = self._run("train", iterator)
        self.block = len(self.losses) + iterator.counted_beyond
        return logs

    def test(self, iterator: Any) -> Any:
        """Evaluate the next block, likewise."""
        if not isinstance(iterator, Epoch):
            return self._by_keras("test", iterator)
        return self._run("test", iterator)[0]

    def _by_keras(self, kind: str, iterator: Any) -> Any:
        """Keras's own function. Its blocks fail on several replicas (keras #19246): those get batches one by one."""
        block = self.model.steps_per_execution
        if block == 1 or self.model.distribute_strategy.num_replicas_in_sync == 1:
            return self._stock[kind](iterator)
        batches = itertools.islice(_drawn(iterator), block)
        first = next(batches, None)
        if first is None:
            raise StopIteration
        return self._stock[kind](itertools.chain([first], batches))

    def _run(self, kind: str, epoch: Epoch) -> tuple[Any, np.ndarray]:
        loop, varying = self._loops[kind], epoch.feed.has_partial_batch
        done = [loop(self._place(block, epoch), block, varying) for block in epoch.next_block()]
        if not done:  # steps that an earlier process has done
            return self.model.get_metrics_result(), np.zeros(0)
        return done[-1][0], np.concatenate([losses for _, losses in done])

    def _place(self, block: Block, epoch: Epoch) -> Any:
        put, feed = self._loops["train"].put, epoch.feed
        if block.data is not feed.data:
            return put(block.data)
        if feed not in self._placed:
            self._placed[feed] = put(block.data)
        return self._placed[feed]


def _drawn(iterator: Any) -> Iterator[Any]:
    """The batches that are left, none of which fails: where drawing one fails, TensorFlow has already begun a step."""
    if not hasattr(iterator, "get_next_as_optional"):
        yield from iterator
        return
    while (batch := iterator.get_next_as_optional()).has_value():
        yield batch.get_value()


class Loop:
    """A compiled loop over the steps of a block.

    Args:
        model: Whose step it is.
        step: A batch to its logs.
        jit: Compile the loop with XLA.
    """

    def __init__(self, model: keras.Model, step: Callable, jit: bool) -> None:
        self.model, self.step, self.jit = model, step, jit
        self.strategy = model.distribute_strategy
        self.replicas = self.strategy.num_replicas_in_sync
        # What Keras's own step logs is read from the metrics after the loop, which then carries no logs.
        self._carries_logs = not _is_stock(model)
        self._logs: Any = None
        self._any_length: dict[str, Any] = {}
        # Not the method itself, whose traces TensorFlow would count over all models, and warn that they are many.
        self._compiled = tf.function(functools.partial(self._run), jit_compile=jit, autograph=False)
        self._eager = model.run_eagerly  # `compile` takes the engine out, so that it cannot change

    def put(self, data: tuple[Any, ...]) -> Any:
        """The data on the device, on each replica's its own."""
        if self.replicas == 1:
            return keras.tree.map_structure(tf.constant, data)
        devices = self.strategy.extended.worker_devices

        def on_replica(context: Any, array: np.ndarray) -> tf.Tensor:
            with tf.device(devices[local_index(self.strategy, context)]):
                return tf.identity(tf.constant(array))

        def on_each(array: np.ndarray) -> Any:
            return self.strategy.experimental_distribute_values_from_function(lambda each: on_replica(each, array))

        return keras.tree.map_structure(on_each, data)

    def build(self, data: Any, block: Block, varying: bool) -> None:
        """Make variables and find the form of the logs, unless that has been done; nothing is computed."""
        if self._logs is None and not self._eager:  # a step that is run eagerly makes what it needs as it goes
            rows, weights = self._share(block)
            self._logs = ()
            if self._carries_logs or self.replicas > 1:
                self._logs = self._log_zeros(data, rows, weights, varying)
            elif self.step == self.model.train_step:
                self._make_variables(data, rows)

    def __call__(self, data: Any, block: Block, varying: bool) -> tuple[Any, np.ndarray]:
        """Run a block; the logs of its last step and the loss of each [steps].

        Args:
            data: The block's, on the device.
            block: The steps.
            varying: The epoch has batches of different lengths.
        """
        self.build(data, block, varying)
        run = self._run_eagerly if self._eager else self._compiled
        found, losses = run(data, *self._share(block), tf.constant(block.count), self._logs, varying)
        return found, np.asarray(losses)[: block.count]  # cut by NumPy, for which TensorFlow would need an operation

    def _share(self, block: Block) -> tuple[Any, Any]:
        """Rows of each replica [steps, its share], and the weight that makes the mean of their means the batch's.

        A batch of fewer examples than replicas is computed by each, and counts on the first: with no example at all
        batch normalization would have no moments.
        """
        rows = block.rows
        if self.replicas == 1:
            weight = None if block.weight is None else tf.constant(block.weight, tf.float64)
            return (None if rows is None else tf.constant(rows)), weight
        if rows is None:
            count = count_examples(block.data)
            rows = np.broadcast_to(np.arange(count, dtype=np.int32), (max(block.count, 1), count))
        batch = rows.shape[1]
        shares = np.array_split(rows, self.replicas, axis=1)
        weights = [share.shape[1] * self.replicas / batch for share in shares]
        if batch < self.replicas:
            shares = [rows] * self.replicas
            weights = [float(self.replicas), *[0.0] * (self.replicas - 1)]
        weights = [np.float64(weight * (block.weight or 1.0)) for weight in weights]

        def values(of: list[Any]) -> Any:
            return self.strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(of[context.replica_id_in_sync_group])
            )

        return values(shares), values(weights) if batch % self.replicas or block.weight else None

    def _log_zeros(self, data: Any, rows: Any, weights: Any, varying: bool) -> Any:
        """Zeros in the form of the step's logs, found by tracing one step, which also builds optimizer and metrics."""
        one = tf.function(lambda *given: self._one(*given, tf.constant(0), varying), autograph=False)
        specs = one.get_concrete_function(data, rows, weights).structured_outputs
        return tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), specs)

    def _make_variables(self, data: Any, rows: Any) -> None:
        """Let Keras make those of metrics and optimizer: TensorFlow traces a function twice whose first trace does."""
        size = count_examples(data) if rows is None else rows.shape[1]

        def batch(array: Any) -> Any:
            return keras.KerasTensor((size, *array.shape[1:]), keras.backend.standardize_dtype(array.dtype))

        self.model._symbolic_build(data_batch=keras.tree.map_structure(batch, tuple(data)))

    def _one(self, data: Any, rows: Any, weights: Any, index: tf.Tensor, varying: bool) -> Any:
        """One step: gather the batch, on each replica its share, and call the model's own step."""
        with nullcontext() if weights is None else counting(self.model):
            if self.replicas > 1:
                return self._on_replicas(data, rows, weights, index)
            batch = _gathered(data, rows, index)
            return self._as_in_fit(batch, varying)(batch) if weights is None else self._weighted_step(batch, weights)

    def _on_replicas(self, data: Any, rows: Any, weights: Any, index: tf.Tensor) -> Any:
        """A step on each replica; logs that are not read from metrics are means, in which each counts by its share."""

        def replica_step(data: Any, rows: Any, weight: Any) -> Any:
            batch = _gathered(data, rows, index)
            if weight is None:
                return self.step(batch)
            logs = tf.nest.map_structure(tf.convert_to_tensor, self._weighted_step(batch, weight))
            return tf.nest.map_structure(
                lambda value: value * tf.cast(weight, value.dtype) if value.dtype.is_floating else value, logs
            )

        logs = self.strategy.run(replica_step, args=(data, rows, weights))
        if not self._carries_logs:
            return ()
        return tf.nest.map_structure(lambda value: self.strategy.reduce("MEAN", value, axis=None), logs)

    def _weighted_step(self, batch: tuple[Any, ...], weight: tf.Tensor) -> Any:
        """A step that counts `weight` times; its metrics count each example once, or not at all at weight 0."""
        before = {id(each): tf.identity(each.value) for metric in self.model.metrics for each in metric.variables}
        with counted(weight):
            logs = self.step(batch)
        for variable in (each for metric in self.model.metrics for each in metric.variables):
            was = before.get(id(variable), tf.zeros_like(variable.value))  # the very first step makes some, at zero
            variable.assign(tf.where(weight > 0, variable.value, was))
        return logs

    def _as_in_fit(self, batch: tuple[tf.Tensor, ...], varying: bool) -> Callable:
        """The step as plain `fit` on arrays traces it: for batches of any length where the last one is smaller.

        TensorFlow fuses the operations of that graph; a step traced or fused otherwise rounds otherwise. So it is
        a function of its own, for any length, that is not inlined into the loop. XLA takes each length by itself.
        """
        if self.jit or self._eager or not varying:
            return self.step
        specs = keras.tree.map_structure(lambda part: tf.TensorSpec((None, *part.shape[1:]), part.dtype), batch)
        if str(specs) not in self._any_length:  # other data may have other shapes, types or parts
            attributes = {"_noinline": True}
            self._any_length[str(specs)] = tf.function(
                self.step, input_signature=[specs], autograph=False, experimental_attributes=attributes
            )
        return self._any_length[str(specs)]

    def _run(
        self, data: Any, rows: Any, weights: Any, count: tf.Tensor, logs: Any, varying: bool
    ) -> tuple[Any, tf.Tensor]:
        tracker = self._loss_tracker()
        size = rows.shape[0] if rows is not None and self.replicas == 1 else count
        losses = tf.TensorArray(keras.config.floatx(), size=size, element_shape=())

        def body(index: tf.Tensor, _: Any, losses: tf.TensorArray) -> tuple[Any, ...]:
            logs, loss = self._step_and_loss(data, rows, weights, index, varying, tracker)
            return index + 1, logs if self._carries_logs else (), losses.write(index, tf.cast(loss, losses.dtype))

        _, logs, losses = tf.while_loop(lambda index, *_: index < count, body, (tf.constant(0), logs, losses))
        return logs if self._carries_logs else self.model.get_metrics_result(), losses.stack()

    def _run_eagerly(
        self, data: Any, rows: Any, weights: Any, count: tf.Tensor, logs: Any, varying: bool
    ) -> tuple[Any, np.ndarray]:
        """The same without a graph, for a model that was compiled to be looked into step by step."""
        losses = []
        for index in range(int(count)):
            tracker = self._loss_tracker()
            logs, loss = self._step_and_loss(data, rows, weights, tf.constant(index), varying, tracker)
            losses.append(loss)
        return logs if self._carries_logs else self.model.get_metrics_result(), np.array(losses, keras.config.floatx())

    def _loss_tracker(self) -> Any:
        return next((each for each in self.model.metrics if each.name == "loss"), None)

    def _step_and_loss(
        self, data: Any, rows: Any, weights: Any, index: tf.Tensor, varying: bool, tracker: Any
    ) -> tuple[Any, tf.Tensor]:
        """The logs of a step, and its loss by what it adds to the metric of the losses."""
        before = _sums(tracker)
        logs = self._one(data, rows, weights, index, varying)
        total, number = (after - was for after, was in zip(_sums(tracker), before, strict=True))
        return logs, total / number


def _is_stock(model: keras.Model) -> bool:
    """Whether a model's step is Keras's own in all its parts."""
    parts = ("train_step", "test_step", "compute_loss", "compute_metrics", "get_metrics_result")
    return all(getattr(getattr(model, name), "__func__", None) is getattr(keras.Model, name) for name in parts)


def _gathered(data: Any, rows: Any, index: tf.Tensor) -> tuple[Any, ...]:
    if rows is None:
        return tuple(data)
    row = tf.gather(rows, index)
    return keras.tree.map_structure(lambda array: tf.gather(array, row), data)


def _sums(tracker: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Sum and number of the losses so far in this epoch; the difference of two is one step's."""
    if tracker is None:
        return tf.constant(0.0), tf.constant(1.0)
    return tf.convert_to_tensor(tracker.total), tf.convert_to_tensor(tracker.count)
