"""From layers to a checked specification: order, origins, coercion, YAML in and out, and every bad input."""

import socket
import subprocess
import sys
import time
from typing import Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fdl_zoo import availability
from fdl_zoo.card import Card, Recipe
from fdl_zoo.errors import InvalidData, InvalidOption, InvalidSpec, UnknownName, ZooError
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve
from fdl_zoo.spec import RunSpec, flatten, read_config, set_path


def resolved(*args, data_dir=None, **given):
    """A resolved run, as `fdl.train(...)` makes it."""
    keywords = ("model", "data", "optimizer", "learning_rate", "callbacks", "config", "settings")
    named = {key: given.pop(key) for key in keywords if key in given}
    return resolve(make_layers(*args, **named, values=given, origin="given"), data_dir)


@pytest.fixture
def zoo(plugins):
    """Built-ins, and entries that rules need: a full-batch optimizer, a sequence model, an image model, other tasks."""
    catalogue = plugins.look("none")

    @catalogue.register_optimizer(
        "whole", Card(capabilities=("full_batch",), recipes={"*": Recipe(batch_size="full", epochs=3)})
    )
    def whole(*, memory: int = 10): ...

    @catalogue.register_model("reader", Card(capabilities=("sequence",), task="classification"))
    def reader(input_shape, num_outputs, *, units: int = 8): ...

    @catalogue.register_model("viewer", Card(capabilities=("image",), aliases=("looker",)))
    def viewer(input_shape, num_outputs, *, dropout: float = 0.0): ...

    @catalogue.register_model("shaky", Card(capabilities=("random_objective",)))
    def shaky(input_shape, num_outputs): ...

    @catalogue.register_dataset("prices", Card(task="regression", input_shape=(13,)))
    def prices(*, data_dir: str | None = None): ...

    @catalogue.register_model(
        "planned",
        Card(
            recipes={
                "digits": Recipe(
                    {"name": "sgd", "learning_rate": 0.5},
                    batch_size=7,
                    epochs=2,
                    callbacks=("terminate_on_nan", {"name": "early_stopping", "patience": 4}),
                    drop_remainder=True,
                ),
                "*": Recipe("momentum", epochs=9),
            }
        ),
    )
    def planned(input_shape, num_outputs, *, units: int = 8): ...

    return catalogue


# ---- layers and origins -------------------------------------------------------------------------------------------


def test_each_layer_lies_over_the_weaker_ones_and_every_value_knows_its_origin(zoo, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text(
        "epochs: 5\nseed: 6\noptimizer: {learning_rate: 1e-3}\ncallbacks: {early_stopping: {patience: 5}}\n"
    )
    found = resolved(
        "planned",
        optimizer={"name": "SGD"},
        config=config,
        seed=7,
        learning_rate=0.25,
        settings=["seed=8", "callbacks.early_stopping.min_delta=1e-2", "callbacks.reduce_lr_on_plateau.patience=2"],
    )
    spec, origins = found.spec, found.origins
    assert (spec.model.name, spec.data.name, spec.optimizer.name) == ("planned", "digits", "sgd")
    assert (spec.batch_size, origins["batch_size"]) == (7, "recipe of planned")
    assert (spec.drop_remainder, origins["drop_remainder"]) == (True, "recipe of planned")
    assert (spec.epochs, origins["epochs"]) == (5, str(config))
    assert (spec.seed, origins["seed"]) == (8, "--set")
    assert (spec.optimizer.options["learning_rate"], origins["optimizer.learning_rate"]) == (0.25, "given")
    assert origins["optimizer.name"] == "given"
    assert [each.name for each in spec.callbacks] == ["terminate_on_nan", "early_stopping", "reduce_lr_on_plateau"]
    stopping = spec.callbacks[1].options
    assert (stopping["patience"], origins["callbacks.early_stopping.patience"]) == (5, str(config))
    assert (stopping["min_delta"], origins["callbacks.early_stopping.min_delta"]) == (0.01, "--set")
    assert origins["callbacks.early_stopping.name"] == "recipe of planned"
    assert origins["callbacks.reduce_lr_on_plateau.name"] == "--set"
    assert origins["callbacks.terminate_on_nan.name"] == "recipe of planned"
    assert origins["model.units"] == "default"
    assert found.notes == ()


def test_defaults_where_nobody_says_anything(zoo):
    found = resolved("viewer", data="digits")
    assert found.spec.optimizer.name == "adam"
    assert found.spec.epochs == RunSpec.model_fields["epochs"].default
    assert found.origins["optimizer.name"] == "default"


def test_the_recipe_for_any_dataset_and_the_optimizers_over_the_models(zoo):
    found = resolved("planned", data="prices")
    assert (found.spec.optimizer.name, found.spec.epochs) == ("momentum", 9)
    found = resolved("planned", optimizer="whole")
    assert (found.spec.batch_size, found.origins["batch_size"]) == ("full", "recipe of whole")
    assert found.notes[-1] == "batch_size is full (recipe of whole): each step evaluates the whole training split."
    asked_for = resolved("mlp", optimizer="whole", batch_size="full")
    assert not any("batch_size" in note for note in asked_for.notes)
    assert found.spec.epochs == 3


def test_a_changed_name_discards_the_weaker_layers_options_and_says_so(zoo, tmp_path):
    found = resolved("planned", optimizer="adam")
    assert found.spec.optimizer.options["learning_rate"] == 0.001
    assert found.origins["optimizer.learning_rate"] == "default"
    assert found.notes == ("optimizer is adam (given): options of sgd (learning_rate=0.5) do not apply.",)
    config = tmp_path / "run.yaml"
    config.write_text("model: {name: mlp, units: [3]}\noptimizer: {name: adam, beta_1: 0.5}\n")
    found = resolved("planned", config=config, optimizer="momentum")
    assert len(found.notes) == 3
    assert "units=[3]" in found.notes[1]
    assert "beta_1" not in found.spec.optimizer.options


@pytest.mark.parametrize("name", ["sgd", "SGD", "Sgd"])
def test_another_spelling_of_the_name_is_no_change(zoo, name):
    found = resolved("planned", optimizer=name)
    assert found.spec.optimizer.options["learning_rate"] == 0.5
    assert found.notes == ()


def test_an_alias_is_no_change_of_name_either(zoo, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("model: {name: viewer, dropout: 0.5}\n")
    found = resolved("LOOKER", data="digits", config=config)
    assert found.spec.model.options == {"dropout": 0.5}
    assert found.notes == ()


def test_a_weaker_layer_may_name_what_is_not_there_if_a_stronger_one_overrules_it(zoo, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("optimizer: {name: ghost/net, speed: 3}\n")
    assert resolved("mlp", config=config, optimizer="sgd").spec.optimizer.name == "sgd"
    with pytest.raises(UnknownName, match="its plugin ghost is not installed"):
        resolved("mlp", config=config)


def test_a_list_of_callbacks_replaces_and_a_mapping_adds(zoo):
    assert [each.name for each in resolved("planned", settings=["callbacks=[early_stopping]"]).spec.callbacks] == [
        "early_stopping"
    ]
    assert resolved("planned", settings=["callbacks=[]"]).spec.callbacks == ()
    added = resolved("planned", callbacks=["Reduce-LR-on-Plateau", {"name": "early_stopping", "patience": 9}]).spec
    assert [each.name for each in added.callbacks] == ["terminate_on_nan", "early_stopping", "reduce_lr_on_plateau"]
    assert added.callbacks[1].options["patience"] == 9
    spellings = ["callbacks.Early-Stopping.patience=8", "callbacks.EARLY_STOPPING.min_delta=1"]
    (stopping,) = (
        each for each in resolved("planned", settings=spellings).spec.callbacks if "patience" in each.options
    )
    assert (stopping.options["patience"], stopping.options["min_delta"]) == (8, 1.0)


def test_one_callback_or_setting_may_be_given_without_a_list(zoo):
    spec = resolved("mlp", callbacks="early_stopping", settings="seed=5").spec
    assert [each.name for each in spec.callbacks] == ["early_stopping"]
    assert spec.seed == 5


def test_values_are_coerced_by_the_options_annotation(zoo, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text(
        "model: {name: mlp, units: '64, 32', dropout: 1e-1, max_norm: none, batch_norm: 'no'}\n"
        "optimizer: {name: adam, learning_rate: 1e-3}\nepochs: '7'\nexperiment: 2026\nbatch_size: '64'\n"
    )
    spec = resolved(config=config).spec
    assert spec.model.options["units"] == [64, 32]
    assert spec.model.options["dropout"] == 0.1
    assert spec.model.options["max_norm"] is None
    assert spec.model.options["batch_norm"] is False
    assert spec.optimizer.options["learning_rate"] == 0.001
    assert (spec.epochs, spec.experiment, spec.batch_size) == (7, "2026", 64)


def test_a_data_dir_goes_to_the_dataset_that_takes_it_and_else_says_so(zoo, tmp_path):
    found = resolved("planned", data="prices", data_dir="/data")
    assert (found.spec.data.options, found.origins["data.data_dir"]) == ({"data_dir": "/data"}, "--data-dir")
    assert resolved("planned", data_dir="/data").notes == ("--data-dir is not used: digits needs no prepared files.",)


# ---- YAML in and out ----------------------------------------------------------------------------------------------


ODD = ["plain", "none", 'a "b" # c', "x: y", "1e-3", "- z", "two\nlines", "\r\n\x85\u2028"]


def typical():
    return st.text(max_size=10) | st.sampled_from(ODD)


def test_fill_dump_and_load_are_equal(zoo, tmp_path):
    @zoo.register_model("every_type")
    def build(
        input_shape,
        num_outputs,
        *,
        text: str = "x",
        maybe: str | None = None,
        real: float = 0.1,
        count: int | None = 3,
        flag: bool = False,
        many: tuple[float, ...] = (),
        words: tuple[str, ...] = ("a",),
        deep: tuple[tuple[int, ...], ...] = ((1,), ()),
        kind: Literal["on", "none", 3] = "on",
        mixed: int | Literal["auto"] = "auto",
    ): ...

    reals = st.floats(allow_nan=False)
    options = st.fixed_dictionaries(
        {},
        optional={
            "text": typical(),
            "maybe": st.none() | typical(),
            "real": reals,
            "count": st.none() | st.integers(),
            "flag": st.booleans(),
            "many": st.lists(reals, max_size=3),
            "words": st.lists(typical(), max_size=3),
            "deep": st.lists(st.lists(st.integers(), max_size=2), max_size=2),
            "kind": st.sampled_from(["on", "none", 3]),
            "mixed": st.integers() | st.just("auto"),
        },
    )
    keys = st.fixed_dictionaries(
        {},
        optional={
            "epochs": st.integers(1, 10**6),
            "batch_size": st.integers(1, 10**6) | st.just("full"),
            "seed": st.integers(0, 2**31 - 1),
            "experiment": typical().filter(bool),
            "jit": st.none() | st.booleans(),
            "metrics": st.none() | st.just(("accuracy",)),
            "devices": st.sampled_from([None, "cpu:0", "gpu:0,gpu:1"]),
            "checkpoint": st.just({"every": 3}),
            "tracking": st.fixed_dictionaries(
                {"enabled": st.booleans(), "uri": st.none() | typical().map("http://host/{}".format)}
            ),
            "optimizer": st.sampled_from(
                ["sgd", "keras/AdamW", "nesterov", {"name": "adam", "clipnorm": 1.0, "learning_rate": 1e-30}]
            ),
            "callbacks": st.sampled_from([[], ["early_stopping", {"name": "checkpoint", "every": 2}]]),
        },
    )

    @settings(max_examples=60, deadline=None)
    @given(options=options, keys=keys)
    def check(options, keys):
        if keys.get("jit") and "," in (keys.get("devices") or ""):
            keys.pop("jit")
        first = resolved({"name": "every_type", **options}, data="digits", **keys)
        for text in (first.spec.to_yaml(), first.explained()):
            config = tmp_path / "run.yaml"
            config.write_bytes(text.encode())
            second = resolved(config=config)
            assert second.spec == first.spec
            assert second.notes == ()
        assert yaml.safe_load(first.explained()) == first.spec.as_dict()
        assert RunSpec.model_validate(first.spec.as_dict()) == first.spec

    check()


def test_infinity_is_written_and_read(zoo, tmp_path):
    spec = resolved("mlp", optimizer={"name": "keras/SGD", "clipnorm": "inf"}).spec
    config = tmp_path / "run.yaml"
    config.write_text(spec.to_yaml())
    assert resolved(config=config).spec.optimizer.options["clipnorm"] == float("inf")


def test_each_line_of_the_explanation_names_an_origin(zoo):
    lines = resolved("planned", seed=3, callbacks=["checkpoint"]).explained().splitlines()
    values = [line for line in lines if not line.endswith(":")]
    assert all("  # " in line for line in values)
    assert "seed: 3  # given" in lines
    assert "batch_size: 7  # recipe of planned" in lines
    assert "- name: checkpoint  # given" in lines
    assert "  patience: 4  # recipe of planned" in lines


def test_flat_paths(zoo):
    flat = resolved("planned").spec.flat()
    assert flat["optimizer.learning_rate"] == 0.5
    assert flat["callbacks.early_stopping.patience"] == 4
    assert flat["tracking.enabled"] is True
    assert dict(flatten({"callbacks": []})) == {"callbacks": []}


@pytest.mark.parametrize(
    ("text", "nested"),
    [
        ("epochs=3", {"epochs": 3}),
        ("a.b.c=x", {"a": {"b": {"c": "x"}}}),
        (" a.b = [1, 2]", {"a": {"b": [1, 2]}}),
        ("a=b=c", {"a": "b=c"}),
        ("a=", {"a": ""}),
        ("a=null", {"a": None}),
    ],
)
def test_a_setting_is_a_path_and_a_yaml_value(text, nested):
    assert set_path(text) == nested


# ---- bad input ----------------------------------------------------------------------------------------------------

BAD = [
    ({}, InvalidSpec, "A run needs a model"),
    ({"model": "mpl"}, UnknownName, "did you mean mlp"),
    ({"model": "mlp", "data": "digit"}, UnknownName, "did you mean digits"),
    ({"model": "mlp", "optimizer": "adamm"}, UnknownName, "did you mean adam"),
    ({"model": "mlp", "callbacks": ["early_stoping"]}, UnknownName, "did you mean early_stopping"),
    ({"model": "viewer"}, InvalidSpec, "viewer has no recipe, so a dataset must be named"),
    ({"model": 5}, InvalidSpec, "model cannot be 'int': give a name"),
    ({"model": "mlp", "optimizer": object()}, InvalidSpec, "inside the strategy's scope"),
    ({"model": "mlp", "callbacks": [object()]}, InvalidSpec, "callbacks cannot be"),
    ({"model": "mlp", "callbacks": [{"patience": 3}]}, InvalidSpec, "callbacks cannot hold {'patience': 3}"),
    ({"model": {"units": [3]}}, InvalidSpec, "A run needs a model"),
    ({"model": {"name": None}}, UnknownName, "named by text, not by None"),
    ({"model": {"name": "mlp", "unit": 3}}, InvalidOption, "mlp has no option 'unit': did you mean units?"),
    ({"model": {"name": "mlp", 3: 3}}, InvalidSpec, "give a name, or a mapping of name and options"),
    ({"model": {"name": "mlp", "units": "many"}}, InvalidOption, "mlp: units cannot be 'many'"),
    ({"model": {"name": "mlp", "units": [0]}}, InvalidOption, "it lies in [1, inf)"),
    ({"model": {"name": "mlp", "dropout": 1}}, InvalidOption, "mlp: dropout cannot be 1: it lies in [0, 1)"),
    ({"model": {"name": "mlp", "activation": "rilu"}}, InvalidOption, "it is one of linear, sigmoid, tanh, relu"),
    ({"model": {"name": "mlp", "dropout": {"a": 1}}}, InvalidOption, "mlp: dropout cannot be {'a': 1}"),
    ({"model": "mlp", "learning_rate": -1}, InvalidOption, "adam: learning_rate cannot be -1: it lies in (0, inf)"),
    ({"model": "mlp", "learning_rate": float("nan")}, InvalidOption, "learning_rate cannot be nan"),
    ({"model": "mlp", "learning_rate": "fast"}, InvalidOption, "learning_rate cannot be 'fast': it is a float"),
    ({"model": "mlp", "epoch": 3}, InvalidSpec, "A run has no key 'epoch' (given): did you mean epochs"),
    ({"model": "mlp", "epochs": 0}, InvalidOption, "epochs cannot be 0 (given): it is at least 1"),
    ({"model": "mlp", "epochs": "many"}, InvalidOption, "epochs cannot be 'many' (given): it is an integer"),
    ({"model": "mlp", "epochs": True}, InvalidOption, "epochs cannot be True (given): it is an integer"),
    ({"model": "mlp", "epochs": 1.5}, InvalidOption, "epochs cannot be 1.5"),
    ({"model": "mlp", "batch_size": 0}, InvalidOption, "batch_size cannot be 0 (given): it is at least 1, or full"),
    ({"model": "mlp", "batch_size": "half"}, InvalidOption, "it is a number of examples, or full"),
    ({"model": "mlp", "batch_size": True}, InvalidOption, "batch_size cannot be True"),
    ({"model": "mlp", "seed": -1}, InvalidOption, "seed cannot be -1"),
    ({"model": "mlp", "seed": 2**31}, InvalidOption, "seed cannot be"),
    ({"model": "mlp", "precision": "half"}, InvalidOption, "precision cannot be 'half'"),
    ({"model": "mlp", "strategy": "mirored"}, InvalidOption, "strategy cannot be 'mirored'"),
    ({"model": "mlp", "experiment": ""}, InvalidOption, "experiment cannot be ''"),
    ({"model": "mlp", "devices": "tpu:0"}, InvalidOption, "devices cannot be 'tpu:0' (given): write cpu:0"),
    ({"model": "mlp", "devices": "cpu:0,CPU:0"}, InvalidOption, "a device is named twice"),
    ({"model": "mlp", "devices": "cpu:0,"}, InvalidOption, "devices cannot be 'cpu:0,'"),
    ({"model": "mlp", "metrics": ["acuracy"]}, InvalidOption, "There is no metric 'acuracy': did you mean accuracy"),
    ({"model": "mlp", "metrics": "accuracy"}, InvalidOption, "metrics cannot be 'accuracy'"),
    ({"model": "mlp", "loss": "half_square_error"}, InvalidOption, "did you mean half_squared_error"),
    ({"model": "mlp", "monitor": "val_los"}, InvalidOption, "did you mean val_loss"),
    ({"model": "mlp", "checkpoint": 5}, InvalidOption, "checkpoint cannot be 5 (given): give checkpoint.KEY=VALUE"),
    ({"model": "mlp", "checkpoint": {"every": 0}}, InvalidOption, "checkpoint.every cannot be 0 (given)"),
    ({"model": "mlp", "checkpoint": {"every": True}}, InvalidOption, "checkpoint.every cannot be True (given)"),
    ({"model": "mlp", "tracking": {"uri": "ftp://x/y"}}, InvalidOption, "tracking.uri cannot be 'ftp://x/y'"),
    ({"model": "mlp", "tracking": {"uri": "nonsense"}}, InvalidOption, "tracking.uri cannot be 'nonsense'"),
    ({"model": "mlp", "tracking": {"uri": "file:///x"}}, InvalidOption, "tracking.uri cannot be 'file:///x'"),
    ({"model": "mlp", "tracking": {"uri": "http://"}}, InvalidOption, "it is http://host:port"),
    ({"model": "mlp", "strategy": "multiworker", "workers": 65}, InvalidOption, "workers cannot be 65"),
    ({"model": "mlp", "strategy": "multiworker", "workers": 1}, InvalidSpec, "needs at least two workers"),
    ({"model": "mlp", "tracking": {"url": "x"}}, InvalidSpec, "no key 'tracking.url' (given): it has tracking.enabled"),
    ({"model": "mlp", "settings": ["epochs"]}, InvalidSpec, "--set cannot be 'epochs': write PATH=VALUE"),
    ({"model": "mlp", "settings": ["=3"]}, InvalidSpec, "write PATH=VALUE"),
    ({"model": "mlp", "settings": ["a..b=3"]}, InvalidSpec, "write PATH=VALUE"),
    ({"model": "mlp", "settings": ["epochs=[1"]}, InvalidSpec, "--set epochs cannot be '[1': it is not YAML"),
    ({"model": "mlp", "settings": ["epochs=2026-13-45"]}, InvalidSpec, "it is not YAML"),
    ({"model": "mlp", "settings": ["optimzer.learning_rate=1"]}, InvalidSpec, "did you mean optimizer"),
    ({"model": "mlp", "settings": ["epochs.x=3"]}, InvalidOption, "epochs cannot be {'x': 3}"),
    ({"model": "mlp", "settings": ["optimizer.learning_rate.x=3"]}, InvalidOption, "learning_rate cannot be {'x': 3}"),
    ({"model": "mlp", "settings": ["optimizer=[adam]"]}, InvalidSpec, "optimizer cannot be ['adam']"),
    ({"model": "mlp", "settings": ["optimizer="]}, InvalidSpec, "optimizer cannot be ''"),
    ({"model": "mlp", "settings": ["callbacks=early_stopping"]}, InvalidSpec, "give a list of names"),
    ({"model": "mlp", "settings": ["callbacks=[5]"]}, InvalidSpec, "callbacks cannot be 5"),
    ({"model": "mlp", "settings": ["callbacks.early_stopping=3"]}, InvalidSpec, "callbacks.early_stopping cannot be 3"),
    ({"model": "mlp", "settings": ["callbacks.early_stopping.patiense=3"]}, InvalidOption, "did you mean patience"),
    ({"model": "mlp", "settings": ["callbacks.early_stopping.patience=-3"]}, InvalidOption, "it lies in [0, inf)"),
    ({"model": "mlp", "settings": ["model.units=2026-01-01"]}, InvalidSpec, "give a plain value"),
    # rules that cross the parts
    (
        {"model": "mlp", "optimizer": "whole", "batch_size": 64},
        InvalidSpec,
        "whole cannot work with batch_size 64 (given)",
    ),
    (
        {"model": {"name": "mlp", "dropout": 0.5}, "optimizer": "whole"},
        InvalidSpec,
        "whole cannot train mlp with dropout=0.5",
    ),
    (
        {"model": "mlp", "data": {"name": "digits", "augment": ["shift"]}, "optimizer": "whole"},
        InvalidSpec,
        "whole cannot train on digits with augment=['shift']",
    ),
    (
        {"model": "shaky", "data": "digits", "optimizer": "whole"},
        InvalidSpec,
        "whole cannot train shaky with random layers",
    ),
    ({"model": "mlp", "steps_per_epoch": 5}, InvalidSpec, "steps_per_epoch cannot be 5 with batch_size 32"),
    (
        {"model": "reader", "data": "prices"},
        InvalidSpec,
        "reader cannot train on prices: it is a model for classification",
    ),
    (
        {"model": "quadratic", "data": "prices"},
        InvalidSpec,
        "this dataset is for regression; it trains on quadratic_deep",
    ),
    ({"model": "reader", "data": "digits"}, InvalidSpec, "it reads sequences [time, features]"),
    ({"model": "viewer", "data": "prices"}, InvalidSpec, "it reads images [height, width, channels]"),
    ({"model": "mlp", "jit": True, "devices": "gpu:0,gpu:1"}, InvalidSpec, "jit cannot be true on several devices"),
]


@pytest.mark.parametrize(("arguments", "kind", "part"), BAD)
def test_bad_input_is_one_sentence_of_the_right_class(zoo, arguments, kind, part):
    with pytest.raises(ZooError) as error:
        resolved(**arguments)
    message = str(error.value)
    assert type(error.value) is kind
    assert part in message
    assert "\n" not in message
    assert message.endswith((".", "?", ")"))
    assert error.value.exit_status == 2


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "holds no run"),
        (b"- mlp\n", "holds no run"),
        (b"5: 3\n", "holds no run"),
        (b"model: [\n", "is not YAML (line 2)"),
        (b"\xff\xfe\xfa", "is not YAML"),
        (b"model: !!python/object/apply:os.system ['true']\n", "is not YAML"),
        (b"experiment: 2026-13-45\n", "is not YAML"),
        (b"model: " + b"[" * 1_000, "is not YAML"),
        (b"a: 1\n\x00", "is not YAML"),
    ],
)
def test_a_file_that_is_no_run_is_refused_with_its_name(content, part, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidSpec) as error:
        read_config(path)
    assert str(path) in str(error.value)
    assert part in str(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    for path in (tmp_path / "nothing.yaml", tmp_path):
        with pytest.raises(InvalidSpec, match="cannot be read"):
            read_config(path)


def test_an_unknown_key_of_a_file_names_the_file(zoo, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("model: mlp\nepoch: 3\n")
    with pytest.raises(InvalidSpec, match=r"no key 'epoch' \(.*run.yaml\): did you mean epochs"):
        resolved(config=path)


def test_a_full_batch_optimizer_takes_the_batch_from_its_recipe(zoo):
    spec = resolved("mlp", optimizer="whole", steps_per_epoch=5).spec
    assert (spec.batch_size, spec.steps_per_epoch) == ("full", 5)
    assert resolved("mlp", optimizer="whole", batch_size="full").spec.batch_size == "full"


def test_data_that_are_neither_prepared_nor_reachable_are_refused_within_five_seconds(zoo, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and never answers
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(availability, "host", lambda source: address)
        started = time.monotonic()
        with pytest.raises(InvalidData) as error:
            resolved("mlp", data="mnist", data_dir=str(tmp_path))
        assert time.monotonic() - started < 5
    message = str(error.value)
    assert str(tmp_path / "mnist") in message
    assert "--data-dir" in message
    assert "digits" in message
    assert list(tmp_path.iterdir()) == []


def test_nothing_heavy_is_imported(zoo):
    code = (
        "import sys, fdl_zoo.resolution as r, fdl_zoo.layers as l\n"
        "r.resolve(l.make_layers('mlp', optimizer='keras/Adam', callbacks=['early_stopping']))\n"
        "print([name for name in ('tensorflow', 'keras', 'mlflow', 'sklearn') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("path", ["nothing.csv", "./images", "/tmp/not/there.npz"])
def test_a_path_that_is_not_there_is_said_to_be_none(path):
    with pytest.raises(InvalidSpec, match="there is no such file or folder"):
        resolve(make_layers("mlp", path))
