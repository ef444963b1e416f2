"""From a name to a finished run, in one process: `fdl.train` with what it records."""

import json

import keras
import numpy as np
import pytest
import yaml
from PIL import Image

import fdl_zoo as fdl
from fdl_zoo import catalogue, cli
from fdl_zoo.errors import InvalidData, InvalidOption, InvalidSpec, TrainingFailed
from fdl_zoo.training.progress import Silent

pytestmark = pytest.mark.usefixtures("undrawn")

QUIET = {"progress": Silent(), "settings": ["tracking.enabled=false"]}


@pytest.fixture
def registrations():
    """What a test registers is withdrawn after it."""
    yield
    for registry in catalogue.REGISTRIES.values():
        for key in list(registry._registered):
            registry._withdraw(key, None)


def two_numbers():
    x = np.random.default_rng(0).uniform(0.1, 1, (64, 2)).astype("float32")
    parts = [fdl.Split(x[start::4], x[start::4]) for start in (0, 1, 2)]
    return fdl.Dataset(*parts, (2,), 2, "regression")


def breaks_in_the_second_epoch():
    class Break(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.layers[-1].kernel.assign(np.full(self.model.layers[-1].kernel.shape, np.nan))

    return Break()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return fdl.train("mlp", data="digits", epochs=3, seed=0, root=root, **QUIET)


def test_a_finished_run_has_its_metrics_history_and_model(run):
    assert run.status == "FINISHED"
    assert run.name.startswith("mlp-digits-")
    assert {"test_loss", "test_accuracy", "best_test_loss", "best_test_accuracy"} <= run.metrics.keys()
    history = run.history
    assert history["epoch"] == [1, 2, 3]
    assert all(len(values) == 3 for values in history.values())
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds"} <= history.keys()
    assert history["loss"][-1] < history["loss"][0]


def test_the_folder_alone_tells_the_run(run):
    spec = yaml.safe_load((run.path / "spec.yaml").read_text())
    assert spec["model"]["units"] == [256, 256]
    lines = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [45, 90, 135]  # 1,437 examples in batches of 32
    facts = run.folder.facts
    assert facts["dataset"]["sizes"] == {"train": 1437, "validation": 180, "test": 180}
    assert len(facts["dataset"]["digest"]) == 64
    assert facts["origins"]["epochs"] == "given"
    assert facts["versions"]["keras"] == keras.__version__
    assert facts["num_params"] == 64 * 256 + 256 + 256 * 256 + 256 + 256 * 10 + 10


def test_the_reported_test_metrics_are_those_of_the_saved_models(run):
    data = fdl.load_dataset("digits")
    for file, prefix in (("last", "test_"), ("best", "best_test_")):
        model = keras.models.load_model(run.folder.checkpoints / f"{file}.keras")
        logits = np.asarray(model(data.test.x), np.float64)
        accuracy = np.mean(logits.argmax(1) == data.test.y)
        loss = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(logits)), data.test.y])
        assert run.metrics[prefix + "accuracy"] == pytest.approx(accuracy, abs=1e-6)
        assert run.metrics[prefix + "loss"] == pytest.approx(loss, rel=1e-5)


def test_the_best_checkpoint_is_that_of_the_least_validation_loss(run):
    data = fdl.load_dataset("digits")
    best = keras.models.load_model(run.folder.checkpoints / "best.keras")
    found = best.evaluate(data.validation.x, data.validation.y, batch_size=32, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(min(run.history["val_loss"]), rel=1e-5)


def test_the_model_is_loaded_with_its_optimizer_where_it_is_not_in_memory(run):
    again = fdl.find_run(run.name, root=run.folder.root)
    for ours, theirs in zip(run.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert int(again.model.optimizer.iterations) == 135
    assert type(again.model.optimizer).__module__ == "fdl_zoo.optimizers.adam"
    assert fdl.load_model("last", root=run.folder.root).count_params() == 85_002


def test_the_curves_show_training_beside_validation(run):
    figure = run.plot()
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    for axes in figure.axes:
        assert [line.get_label() for line in axes.lines] == ["training", "validation"]
        assert list(axes.lines[0].get_xdata()) == [1, 2, 3]


def test_the_same_specification_gives_the_same_weights_bit_for_bit(run, tmp_path):
    fdl.train("logistic_regression", epochs=1, root=tmp_path, **QUIET)  # another run in between changes nothing
    again = fdl.train(config=run.path / "spec.yaml", root=tmp_path, **QUIET)
    for ours, theirs in zip(run.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    untimed = {name: values for name, values in run.history.items() if name != "epoch_seconds"}
    assert untimed == {name: again.history[name] for name in untimed}


def test_another_seed_gives_other_weights(run, tmp_path):
    other = fdl.train("mlp", epochs=1, seed=1, root=tmp_path, **QUIET)
    assert other.history["loss"][0] != run.history["loss"][0]


@pytest.mark.parametrize("loss", ["half_squared_error", "mse", "KLDivergence"])
def test_a_loss_by_name_trains_a_regression(loss, tmp_path, registrations):
    fdl.register_dataset("two_numbers", fdl.Card(task="regression", input_shape=(2,), num_outputs=2))(two_numbers)
    run = fdl.train(
        "mlp", data="two_numbers", loss=loss, epochs=1, optimizer="sgd", batch_size=8, root=tmp_path, **QUIET
    )
    assert np.isfinite(run.metrics["test_loss"])
    assert "test_mean_absolute_error" in run.metrics


def test_half_squared_error_is_the_books():
    from fdl_zoo.training.losses import half_squared_error

    t, y = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[0.0, 4.0], [3.0, 4.0]])
    np.testing.assert_allclose(half_squared_error(t, keras.ops.convert_to_tensor(y)), [0.5 * (1 + 4), 0.5 * (9 + 16)])


def test_a_full_batch_takes_the_given_number_of_steps(tmp_path):
    settings = ["tracking.enabled=false", "steps_per_epoch=7"]
    run = fdl.train(
        "logistic_regression", batch_size="full", epochs=2, optimizer="sgd", learning_rate=0.5, root=tmp_path,
        progress=Silent(), settings=settings,
    )  # fmt: skip
    assert [line["step"] for line in run.folder.history()] == [7, 14]
    # One step is one gradient of the whole split: the oracle is gradient descent in NumPy, float64.
    data = fdl.load_dataset("digits")
    x = data.train.x.reshape(len(data.train), -1).astype(np.float64)
    keras.utils.set_random_seed(0)
    first = fdl.create_model("logistic_regression", (8, 8, 1), 10)
    weights, bias = (each.astype(np.float64) for each in first.get_weights())
    for _ in range(14):
        logits = x @ weights + bias
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(x)), data.train.y] -= 1
        weights -= 0.5 * x.T @ p / len(x)
        bias -= 0.5 * p.mean(0)
    np.testing.assert_allclose(run.model.get_weights()[0], weights, atol=2e-6)


def test_dropping_the_remainder_leaves_the_last_batch_out(tmp_path):
    run = fdl.train("logistic_regression", epochs=1, batch_size=100, drop_remainder=True, root=tmp_path, **QUIET)
    assert run.folder.history()[0]["step"] == 14


def test_a_loss_that_is_not_finite_ends_the_run_as_failed(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(Silent, "say", lambda self, text: said.append(text))
    with pytest.raises(TrainingFailed, match=r"epoch 1, step \d+: loss is (nan|inf)"):
        fdl.train("mlp", epochs=2, learning_rate=1e30, root=tmp_path, **QUIET)
    assert any("The run can go on from its beginning" in text for text in said)
    failed = fdl.find_run("last", root=tmp_path)
    assert failed.status == "FAILED"
    assert "loss is" in failed.folder.reason


def test_the_last_good_checkpoint_stays(tmp_path, registrations):
    fdl.register_callback("breaks_in_the_second_epoch")(breaks_in_the_second_epoch)
    with pytest.raises(TrainingFailed):
        fdl.train("mlp", epochs=4, callbacks=["breaks_in_the_second_epoch"], root=tmp_path, **QUIET)
    failed = fdl.find_run("last", root=tmp_path)
    assert failed.folder.history()[0]["epoch"] == 1
    assert all(np.isfinite(each).all() for each in failed.model.get_weights())


def test_a_callback_gets_the_context_of_its_run(tmp_path, registrations):
    seen = []

    @fdl.register_callback("looks_around")
    def looks_around(context=None):
        seen.append(context)
        return keras.callbacks.Callback()

    run = fdl.train("logistic_regression", epochs=1, callbacks=["looks_around"], root=tmp_path, **QUIET)
    (context,) = seen
    assert context.model is run.model
    assert context.folder == run.path
    assert context.spec.model.name == "logistic_regression"
    assert context.data.num_outputs == 10
    context.tracker.log_figure(run.plot(), "figures/curves.png")
    assert (run.path / "artifacts/figures/curves.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"model": "mlp", "devices": "gpu:7"}, InvalidOption, "use cpu:0"),
        ({"model": "mlp", "batch_size": 5000, "drop_remainder": True}, InvalidData, "1437 examples"),
        ({"model": "mlp", "data": "says_nothing"}, InvalidData, "regression"),
        ({"model": "mlp", "optimizer": object()}, InvalidSpec, "give a name"),
    ],
)
def test_what_is_refused_before_the_first_step_leaves_nothing(given, error, says, tmp_path, registrations):
    @fdl.register_dataset("says_nothing")
    def says_nothing():
        split = fdl.Split(np.zeros((4, 2), "float32"), np.zeros(4))
        return fdl.Dataset(split, split, split, (2,), 1, "objective")

    with pytest.raises(error, match=says):
        fdl.train(**given, root=tmp_path / "mlruns", **QUIET)
    assert not list(tmp_path.iterdir())


def test_the_store_hears_nothing_of_what_is_refused(tmp_path):
    settings = ["batch_size=5000", "drop_remainder=true"]
    with pytest.raises(InvalidData, match="drop_remainder"):
        fdl.train("logistic_regression", data="digits", root=tmp_path / "mlruns", progress=Silent(), settings=settings)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def a_corrupt_image(tmp_path):
    """A folder data set of 2 x 10 images; one, which is not the first, has lost its end."""
    root = tmp_path / "pictures"
    for shade, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (8, 8), (100 * shade, 10 * number, 7)).save(root / name / f"{number}.png")
    corrupt = root / "dog" / "3.png"
    corrupt.write_bytes(corrupt.read_bytes()[:45])
    return corrupt


def test_a_corrupt_image_is_named_and_leaves_no_run(a_corrupt_image, tmp_path):
    data = str(a_corrupt_image.parent.parent)
    with pytest.raises(InvalidData, match=r"dog/3\.png cannot be read: .*; give a PNG or JPEG file in its place"):
        fdl.train("mlp", data=data, root=tmp_path / "mlruns", **QUIET)
    assert list(tmp_path.iterdir()) == [a_corrupt_image.parent.parent]


def test_a_corrupt_image_is_one_line_and_status_2_on_the_command_line(a_corrupt_image, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    data = str(a_corrupt_image.parent.parent)
    assert cli.run(["train", "mlp", "--data", data, "--no-tracking", "--quiet"]) == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith(f"fdl: The image {a_corrupt_image} cannot be read: ")
    assert list(tmp_path.iterdir()) == [a_corrupt_image.parent.parent]


@pytest.mark.parametrize("model", ["logistic_regression", {"name": "mlp", "units": (16,), "batch_norm": True}])
def test_two_devices_mirror_the_model(model, two_replicas, tmp_path):
    same = {"epochs": 2, "batch_size": 100, "drop_remainder": True, "precision": "float64", "root": tmp_path}
    single = fdl.train(model, data="digits", devices="cpu:0", **same, **QUIET)
    double = fdl.train(model, data="digits", devices="cpu:0,cpu:1", **same, **QUIET)
    assert double.folder.facts["chosen"]["devices"] == ["CPU:0", "CPU:1"]
    for one, two in zip(single.model.get_weights(), double.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-10)


def test_float64_computes_in_float64_and_puts_the_precision_back(tmp_path):
    run = fdl.train("logistic_regression", epochs=1, precision="float64", root=tmp_path, **QUIET)
    assert {each.dtype for each in run.model.weights} == {"float64"}
    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"


class Placed(keras.callbacks.Callback):
    """Notes where the data of training and evaluation lie, and where new tensors go."""

    def __init__(self):
        super().__init__()
        self.devices = set()

    def on_train_batch_end(self, batch, logs=None):
        import tensorflow as tf

        placed = keras.tree.flatten(list(self.model.train_function.__self__._placed.values()))
        self.devices |= {each.device[-5:] for each in (*placed, tf.constant(0.0))}

    on_test_batch_end = on_train_batch_end


def test_one_device_trains_and_evaluates_where_it_was_asked_to(two_replicas, tmp_path, registrations):
    made = []

    @fdl.register_callback("placed")
    def build():
        made.append(Placed())
        return made[-1]

    run = fdl.train("mlp", devices="cpu:1", epochs=1, callbacks=["placed"], root=tmp_path, **QUIET)
    assert run.folder.facts["chosen"]["devices"] == ["CPU:1"]
    assert made[0].devices == {"CPU:1"}


def test_more_logical_devices_than_a_machine_can_hold_are_refused(tmp_path):
    with pytest.raises(InvalidOption, match=r"The device cpu:99999 cannot be made: .*cpu:0 to cpu:63"):
        fdl.train("mlp", devices="cpu:99999", root=tmp_path / "mlruns", **QUIET)
    assert list(tmp_path.iterdir()) == []


def test_a_model_in_a_class_of_its_own_is_built_from_the_data(tmp_path, registrations):
    @fdl.register_model("own_class")
    @keras.saving.register_keras_serializable(package="test")
    class OwnClass(keras.Model):
        def __init__(self, input_shape, num_outputs, **options):
            super().__init__(**options)
            self.sizes = {"input_shape": input_shape, "num_outputs": num_outputs}
            self.dense = keras.layers.Dense(num_outputs)

        def call(self, x):
            return self.dense(x)

        def get_config(self):
            return super().get_config() | self.sizes

    run = fdl.train("own_class", data="iris", epochs=1, root=tmp_path, **QUIET)
    assert run.status == "FINISHED"
    assert [each.shape for each in run.model.get_weights()] == [(4, 3), (3,)]


@pytest.mark.parametrize("more", [-2, 1])
def test_a_model_with_another_number_of_outputs_is_refused_before_it_trains(more, tmp_path, registrations):
    @fdl.register_model("miscounted")
    def build(input_shape, num_outputs):
        return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(num_outputs + more)])

    with pytest.raises(InvalidData, match=rf"gives {3 + more} outputs per example, and classification .* needs 3"):
        fdl.train("miscounted", data="iris", root=tmp_path / "mlruns", **QUIET)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("last", [{"activation": "softmax"}, {"activation": "sigmoid"}, keras.layers.Softmax()])
def test_a_model_that_gives_probabilities_is_refused_before_it_trains(last, tmp_path, registrations):
    @fdl.register_model("certain")
    def build(input_shape, num_outputs):
        layers = [last] if isinstance(last, keras.Layer) else []
        dense = keras.layers.Dense(num_outputs, **({} if layers else last))
        return keras.Sequential([keras.Input(input_shape), dense, *layers])

    with pytest.raises(InvalidData, match=r"its last layer '.*' applies (softmax|sigmoid), and losses .* take logits"):
        fdl.train("certain", data="iris", root=tmp_path / "mlruns", **QUIET)
    assert list(tmp_path.iterdir()) == []
