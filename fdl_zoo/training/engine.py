"""The engine: one compiled call runs a block of steps, while `compile`, `fit`, callbacks and `train_step` stay Keras's.

Keras's `fit` calls `model.train_function` where one is set. Ours loops over rows of indices inside one graph: each step
gathers its batch from data on the device and calls the model's own `train_step`, under a strategy once per replica.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fdl_zoo.training.feed import Block, Epoch, Feed


class Engine:
    """The train and test functions of one compiled model; `compile` takes them out again.

    Args:
        model: A compiled `keras.Model`.
        jit: Compile each block with XLA.

    Attributes:
        losses: The loss of every step of the latest training block [steps], each the mean over its batch.
    """

    def __init__(self, model: keras.Model, jit: bool) -> None:
        self.model, self.jit = model, jit
        self.losses = np.zeros(0)
        model.make_train_function(force=True)
        model.make_test_function(force=True)
        self._stock = {"train": model.train_function, "test": model.test_function}
        self._loops = {"train": Loop(model, model.train_step, jit), "test": Loop(model, model.test_step, jit)}
        self._placed: dict[int, tuple[Any, Any]] = {}  # data on the device by identity, and what keeps that identity
        model.train_function, model.test_function = self.train, self.test

    @staticmethod
    def of(model: keras.Model) -> "Engine | None":
        """The model's engine, if it has one and has not been compiled anew since."""
        owner = getattr(model.train_function, "__self__", None)
        return owner if isinstance(owner, Engine) else None

    def build(self, feed: Feed) -> None:
        """Trace a step of training, which makes the variables of optimizer and metrics; nothing is computed."""
        epoch = Epoch(feed)
        for block in epoch.first_block():
            self._loops["train"].build(self._place(block, epoch), block)

    def train(self, iterator: Any) -> Any:
        """Train on the next block; Keras calls it with an iterator, and one that is not ours goes to Keras's own."""
        if not isinstance(iterator, Epoch):
            return self._stock["train"](iterator)
        logs, self.losses = self._run("train", iterator)
        return logs

    def test(self, iterator: Any) -> Any:
        """Evaluate the next block, likewise."""
        if not isinstance(iterator, Epoch):
            return self._stock["test"](iterator)
        return self._run("test", iterator)[0]

    def _run(self, kind: str, epoch: Epoch) -> tuple[Any, np.ndarray]:
        done = [self._loops[kind](self._place(block, epoch), block) for block in epoch.next_block()]
        if not done:  # steps that an earlier process has done
            return self.model.get_metrics_result(), np.zeros(0)
        return done[-1][0], np.concatenate([np.asarray(losses) for _, losses in done])

    def _place(self, block: Block, epoch: Epoch) -> Any:
        put = self._loops["train"].put
        if block.data is not epoch.feed.data:
            return put(block.data)
        if id(block.data) not in self._placed:
            self._placed[id(block.data)] = block.data, put(block.data)
        return self._placed[id(block.data)][1]


class Loop:
    """A compiled loop over the steps of a block.

    Args:
        model: Whose step it is.
        step: A batch to its logs.
        jit: Compile the loop with XLA.
    """

    def __init__(self, model: keras.Model, step: Callable, jit: bool) -> None:
        self.model, self.step = model, step
        self.strategy = model.distribute_strategy
        self.replicas = self.strategy.num_replicas_in_sync
        self._logs: Any = None
        self._any_length: Any = step if jit else None
        self._compiled = tf.function(self._run, jit_compile=jit)

    def put(self, data: tuple[Any, ...]) -> Any:
        """The data on the device, on each replica's its own."""
        if self.replicas == 1:
            return tuple(tf.constant(array) for array in data)
        devices = self.strategy.extended.worker_devices

        def on_replica(context: Any) -> tuple[tf.Tensor, ...]:
            with tf.device(devices[context.replica_id_in_sync_group]):
                return tuple(tf.identity(tf.constant(array)) for array in data)

        made = [
            self.strategy.experimental_distribute_values_from_function(lambda context, k=k: on_replica(context)[k])
            for k in range(len(data))
        ]
        return tuple(made)

    def build(self, data: Any, block: Block) -> None:
        """Trace a step, if none has been."""
        self._log_zeros(data, *self._share(block))

    def __call__(self, data: Any, block: Block) -> tuple[Any, Any]:
        """Run a block; the logs of its last step and the loss of each [steps]."""
        rows, weights = self._share(block)
        logs = self._log_zeros(data, rows, weights)
        found, losses = self._compiled(data, rows, weights, tf.constant(block.count), logs)
        return found, losses[: block.count]

    def _share(self, block: Block) -> tuple[Any, Any]:
        """Rows of each replica [steps, its share], and the weight that makes the mean of their means the batch's."""
        rows = block.rows
        if self.replicas == 1:
            return (None if rows is None else tf.constant(rows)), None
        if rows is None:
            rows = np.broadcast_to(np.arange(len(block.data[0]), dtype=np.int32), (1, len(block.data[0])))
            rows = np.repeat(rows, max(block.count, 1), axis=0)
        shares = np.array_split(rows, self.replicas, axis=1)
        batch = rows.shape[1]
        weights = [np.float64(share.shape[1] * self.replicas / batch) for share in shares]
        shares = [share if share.shape[1] else rows[:, :1] for share in shares]  # an idle replica: weight zero

        def values(of: list[Any]) -> Any:
            return self.strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(of[context.replica_id_in_sync_group])
            )

        return values(shares), values(weights) if batch % self.replicas else None

    def _log_zeros(self, data: Any, rows: Any, weights: Any) -> Any:
        """Zeros in the form of the step's logs, found by tracing one step, which also builds optimizer and metrics."""
        if self._logs is None:
            one = tf.function(lambda *given: self._one(*given, tf.constant(0)))
            specs = one.get_concrete_function(data, rows, weights).structured_outputs
            self._logs = tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), specs)
        return self._logs

    def _one(self, data: Any, rows: Any, weights: Any, index: tf.Tensor) -> Any:
        """One step: gather the batch, on each replica its share, and call the model's own step."""
        if self.replicas == 1:
            batch = _gathered(data, rows, index)
            return self._as_in_fit(batch)(batch)

        def replica_step(data: Any, rows: Any, weight: Any) -> Any:
            batch = _gathered(data, rows, index)
            if weight is not None:
                given = batch[2] if len(batch) > 2 else 1.0
                scaled = tf.cast(weight, keras.config.floatx()) * tf.ones(tf.shape(batch[0])[:1], keras.config.floatx())
                batch = (*batch[:2], scaled * given)
            return self.step(batch)

        logs = self.strategy.run(replica_step, args=(data, rows, weights))
        return tf.nest.map_structure(lambda value: self.strategy.experimental_local_results(value)[0], logs)

    def _as_in_fit(self, batch: tuple[tf.Tensor, ...]) -> Callable:
        """The step as plain `fit` traces it where XLA does not compile it: for batches of any length.

        TensorFlow fuses the operations of that graph; a step traced or fused otherwise rounds otherwise. So it is
        a function of its own, for any length, that is not inlined into the loop.
        """
        if self._any_length is None:
            specs = tuple(tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in batch)
            attributes = {"_noinline": True}
            self._any_length = tf.function(self.step, input_signature=[specs], experimental_attributes=attributes)
        return self._any_length

    def _run(self, data: Any, rows: Any, weights: Any, count: tf.Tensor, logs: Any) -> tuple[Any, tf.Tensor]:
        tracker = next((each for each in self.model.metrics if each.name == "loss"), None)
        size = rows.shape[0] if rows is not None and self.replicas == 1 else count
        losses = tf.TensorArray(keras.config.floatx(), size=size, element_shape=())

        def body(index: tf.Tensor, _: Any, losses: tf.TensorArray) -> tuple[Any, ...]:
            before = _sums(tracker)
            logs = self._one(data, rows, weights, index)
            total, number = (after - was for after, was in zip(_sums(tracker), before, strict=True))
            return index + 1, logs, losses.write(index, tf.cast(total / number, losses.dtype))

        _, logs, losses = tf.while_loop(lambda index, *_: index < count, body, (tf.constant(0), logs, losses))
        return logs, losses.stack()


def _gathered(data: Any, rows: Any, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
    if rows is None:
        return tuple(data)
    row = tf.gather(rows, index)
    return tuple(tf.gather(array, row) for array in data)


def _sums(tracker: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Sum and number of the losses so far in this epoch; the difference of two is one step's."""
    if tracker is None:
        return tf.constant(0.0), tf.constant(1.0)
    return tf.convert_to_tensor(tracker.total), tf.convert_to_tensor(tracker.count)
