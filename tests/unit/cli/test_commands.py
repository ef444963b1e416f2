"""`fdl` in process: help, lists, what is shown, dry runs, and one line for whatever is refused."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from fdl_zoo import catalogue
from fdl_zoo.cli import ORDER
from fdl_zoo.cli.train import where_to_look

COMMANDS = [*((name,) for name in ORDER), *(("plugins", name) for name in ("list", "doctor", "new", "test"))]
COMMANDS += [("data", name) for name in ("list", "prepare")]


# ---- help ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help_within_80_columns(fdl, command, flag):
    answer = fdl(*command, flag)
    assert answer.status == 0
    assert answer.err == ""
    assert answer.out.startswith(f"Usage: fdl {' '.join(command)} ")
    assert max(map(len, answer.out.splitlines())) <= 80
    for option in ("--json", "--quiet", "--verbose", "--strict", "--plugins-dir"):
        assert option in answer.out


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_of_fdl_names_every_command_and_the_first_steps(fdl, arguments):
    answer = fdl(*arguments)
    assert (answer.status, answer.err) == (0, "")
    assert [line.split()[0] for line in answer.out.partition("Commands:\n")[2].splitlines()[: len(ORDER)]] == list(
        ORDER
    )
    assert "fdl train mlp --data digits" in answer.out


def test_version(fdl):
    answer = fdl("--version")
    assert answer.status == 0
    assert answer.out.startswith("fdl, version ")


# ---- list ---------------------------------------------------------------------------------------------------------


def test_list_shows_each_entry_with_its_line(fdl):
    answer = fdl("list")
    assert (answer.status, answer.err) == (0, "")
    for kind, registry in catalogue.REGISTRIES.items():
        assert f"{kind}\n" in answer.out
        for entry in registry.entries():
            assert any(
                line.split()[0] == entry.name and entry.summary in line for line in answer.out.splitlines() if line
            )


@pytest.mark.parametrize("kind", catalogue.REGISTRIES)
def test_list_of_a_kind_as_text_names_and_json(fdl, kind):
    names = catalogue.registry(kind).names()
    assert [line.split()[0] for line in fdl("list", kind).out.splitlines()] == names
    assert fdl("list", kind, "--names").out.splitlines() == names
    assert json.loads(fdl("list", kind, "--names", "--json").out) == names
    facts = json.loads(fdl("list", kind, "--json").out)
    assert [each["name"] for each in facts] == names
    assert {each["kind"] for each in facts} == {kind}
    assert facts[0].keys() >= {"summary", "task", "chapter", "num_params", "origin", "path", "target"}


@pytest.mark.parametrize(
    ("arguments", "inside", "outside"),
    [
        (("models", "--chapter", "3"), "mlp", "quadratic"),
        (("models", "--task", "objective"), "quadratic", "mlp"),
        (("models", "--max-params", "10000"), "logistic_regression", "mlp"),
        (("models", "--tag", "dense"), "mlp", "quadratic"),
        (("models", "-m", "ML?"), "mlp", "quadratic"),
        (("-m", "mlp", "-m", "digits"), "digits", "quadratic"),
        (("--match", "keras/Ad*", "--match", "mlp"), "keras/AdamW", "adam"),
        (("optimizers", "--origin", "keras"), "keras/SGD", "sgd"),
        (("callbacks", "--origin", "fdl-zoo"), "early_stopping", "keras/EarlyStopping"),
    ],
)
def test_filters(fdl, arguments, inside, outside):
    answer = fdl("list", *arguments, "--names")
    assert answer.status == 0
    assert inside in answer.out.splitlines()
    assert outside not in answer.out.splitlines()


def test_a_filter_that_nothing_passes_is_said_but_is_no_name(fdl):
    assert fdl("list", "models", "--tag", "nothing").out == "Nothing passes these filters.\n"
    assert fdl("list", "models", "--tag", "nothing", "--names").out == ""
    assert json.loads(fdl("list", "models", "--tag", "nothing", "--json").out) == []


@pytest.mark.parametrize("arguments", [("list",), ("list", "models"), ("plugins",)])
def test_on_a_terminal_no_line_is_longer_than_80_columns(fdl, plugins_folder, arguments):
    answer = fdl(*arguments, "--plugins-dir", str(plugins_folder.root), columns=80)
    assert answer.status == 0
    assert max(map(len, answer.out.splitlines())) <= 80


# ---- show ---------------------------------------------------------------------------------------------------------


def test_show_gives_type_default_choices_and_line_of_each_option(fdl):
    answer = fdl("show", "mlp")
    assert (answer.status, answer.err) == (0, "")
    for option in catalogue.models.find("mlp").options.values():
        assert f"  {option.name}: {option.type} = {option.default!r}" in answer.out
        assert option.help in " ".join(answer.out.split())
    assert "digits" in answer.out
    assert "269,322" in answer.out


@pytest.mark.parametrize("name", ["convnet", "convnet_bn", "vgg16", "gru", "perceptron"])
def test_show_names_a_command_that_trains_the_model_under_its_own_name(fdl, name):
    text = fdl("show", name).out
    (command,) = re.findall(r"train it +(fdl .*)", text)
    arguments = command.split()
    assert arguments[:3] == ["fdl", "train", name]
    resolved = yaml.safe_load(fdl(*arguments[1:], "--dry-run").out)
    assert resolved["model"]["name"] == name
    commands = re.findall(r"`fdl train (\w+)", " ".join(text.split()))
    assert set(commands) <= {name}  # what a variant reaches was measured on the variant


def test_show_says_how_to_start_from_trained_weights(fdl):
    text = " ".join(fdl("show", "rnn").out.split())
    assert "digits_rows test_accuracy 0.9833, made by `fdl train rnn --data digits_rows --seed 0" in text
    assert "`fdl train rnn --init-from digits_rows`" in text
    assert "init-from" not in fdl("show", "alexnet").out


def test_show_as_json_has_the_card_and_the_options(fdl):
    facts = json.loads(fdl("show", "ADAM", "--json").out)
    assert facts["name"] == "adam"
    options = {each["name"]: each for each in facts["options"]}
    assert options["beta_1"]["range"] == "[0, 1)"
    assert options["beta_1"]["type"] == "float"
    assert options["weight_decay"]["default"] is None


@pytest.mark.parametrize("kind", catalogue.REGISTRIES)
def test_every_entry_can_be_shown_within_80_columns(fdl, kind):
    for entry in catalogue.registry(kind).entries():
        answer = fdl("show", entry.name, "--kind", kind, columns=80)
        assert (answer.status, answer.err) == (0, "")
        assert max(map(len, answer.out.splitlines())) <= 80, entry.name


@pytest.mark.parametrize("origin", ["optimizers", "callbacks"])
def test_everything_of_keras_can_be_listed_and_shown(fdl, origin):
    for each in json.loads(fdl("list", origin, "--origin", "keras", "--json").out):
        answer = fdl("show", each["name"])
        assert answer.status == 0
        assert "problem:" not in answer.out
        assert "Args:" not in answer.out


# ---- common options -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("--json", "list", "models", "--names"),
        ("list", "--json", "models", "--names"),
        ("list", "models", "--names", "--json"),
        ("--json", "list", "--json", "models", "--names"),
    ],
)
def test_a_common_option_stands_before_or_after_the_commands_name(fdl, arguments):
    assert json.loads(fdl(*arguments).out) == catalogue.models.names()


@pytest.mark.parametrize("before", [True, False])
def test_a_plugins_folder_stands_before_or_after_too(fdl, plugins_folder, before):
    option = ("--plugins-dir", str(plugins_folder.root))
    answer = fdl(*option, "list", "--names") if before else fdl("list", "--names", *option)
    assert "good/good_net" in answer.out.splitlines()
    assert answer.err == ""
    shown = fdl("show", "good_net")
    assert "A good of a plugin." in shown.out
    assert "good 1.2" in shown.out


@pytest.mark.parametrize(
    "arguments", [("--json", "plugins", "list"), ("plugins", "list", "--json"), ("plugins", "--json")]
)
def test_plugins_as_json(fdl, plugins_folder, arguments):
    (facts,) = json.loads(fdl("--plugins-dir", str(plugins_folder.root), *arguments).out)
    assert (facts["distribution"], facts["version"], facts["door"], facts["state"]) == ("good", "1.2", "folder", "ok")
    assert facts["entries"] == ["models: good/good_net"]


def test_a_broken_plugin_is_mentioned_once_and_the_rest_is_listed(fdl, plugins_folder):
    root = str(plugins_folder("sick", text="def build(:\n"))
    answer = fdl("--plugins-dir", root, "list", "models")
    assert answer.status == 0
    assert "good/good_net" in answer.out
    assert "sick/sick_net" in answer.out
    assert answer.err == "1 problem with plugins: `fdl plugins doctor` shows them.\n"
    assert fdl("list", "--quiet").err == ""
    assert "broken" in fdl("plugins").out


TAKES = {
    "show": ["mlp"], "train": ["mlp"], "resume": ["last"], "rerun": ["last"], "diff": ["last", "last"],
    "evaluate": ["last"], "predict": ["last"], "export": ["last", "--format", "onnx"], "serve": ["last"],
    "register": ["last", "name"], "surface": ["last"], "curvature": ["last"], "features": ["last"],
    "compare": ["mlp", "--vary", "seed=0..1"], "tune": ["mlp", "--search", "epochs=1..2"], "find-lr": ["mlp"],
    "prepare": ["digits"], "new": ["my-net"],
}  # fmt: skip


@pytest.mark.parametrize(
    "command", [each for each in COMMANDS if each not in (("plugins", "doctor"), ("plugins", "test"))], ids=" ".join
)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_strict_ends_every_command_before_it_begins_if_a_plugin_fails(fdl, plugins_folder, command, first):
    root = str(plugins_folder("sick", text="def build(:\n"))
    strict = ("--strict", "--plugins-dir", root)
    arguments = (*command, *TAKES.get(command[-1], ()))
    refused = fdl(*strict, *arguments) if first else fdl(*arguments, *strict)
    assert "sick 1.2, sick/sick_net (source): sick_code.py cannot be read" in refused.refused()


def test_strict_lets_doctor_say_what_fails(fdl, plugins_folder):
    root = str(plugins_folder("sick", text="def build(:\n"))
    answer = fdl("plugins", "doctor", "--strict", "--plugins-dir", root)
    assert answer.status == 1
    assert "sick_code.py cannot be read" in answer.out


def test_a_new_plugin_as_text_and_as_json(fdl, tmp_path):
    answer = fdl("plugins", "new", "my-net", "-o", str(tmp_path))
    folder = tmp_path / "my-net"
    assert answer.out.splitlines() == [
        f"wrote {folder}: pyproject.toml, my_net.py, test_my_net.py",
        f"install: pip install --no-build-isolation -e {folder}",
        "use:     fdl train my_net",
        f"test:    python -m pytest {folder}",
    ]
    uses = {}
    for kind in ("model", "optimizer", "callback", "dataset"):
        answer = fdl("plugins", "new", f"my-{kind}", "--kind", kind, "-o", str(tmp_path), "--json")
        facts = json.loads(answer.out)
        assert [Path(file).parent for file in facts["files"]] == [tmp_path / f"my-{kind}"] * 3
        uses[kind] = facts["steps"]["use"]
    assert uses["callback"] == "fdl train mlp --callback my_callback"
    catalogue.refresh()
    listed = fdl("--plugins-dir", str(tmp_path), "plugins").out
    assert "my-optimizer  0.1.0    folder  ok" in listed
    assert "optimizers: my-optimizer/my_optimizer" in listed
    again = fdl("plugins", "new", "my-net", "-o", str(tmp_path)).refused()
    assert "it exists already; choose another name" in again


def test_without_plugins_that_is_said(fdl):
    assert fdl("plugins").out == "No plugins here: `fdl plugins new NAME` begins one.\n"
    answer = fdl("plugins", "doctor")
    assert (answer.status, answer.out) == (0, "no plugins, no problems.\n")
    facts = json.loads(fdl("plugins", "doctor", "--json").out)
    assert facts == {"plugins": [], "entries": [], "failures": [], "notices": [], "time_limit": 30.0}


# ---- dry runs -----------------------------------------------------------------------------------------------------


RUNS = [
    ("mlp",),
    ("mlp", "--optimizer", "keras/AdamW", "--lr", "1e-3", "--epochs", "3", "--batch-size", "full", "--seed", "9"),
    ("logistic_regression", "--callback", "early_stopping", "--set", "callbacks.early_stopping.patience=7"),
    (
        "mlp",
        "--set",
        "model.units=[3, 4]",
        "--set",
        "model.max_norm=none",
        "--metric",
        "accuracy",
        "--metric",
        "SparseCategoricalAccuracy",
    ),
    ("mlp", "--no-tracking", "--experiment", "a # b: c", "--checkpoint-every", "2", "--precision", "float64"),
    ("quadratic", "--optimizer", "nesterov"),
    ("mlp", "--devices", "gpu:0,gpu:1", "--tracking-uri", "http://here:5000"),
    ("linear", "--loss", "half_squared_error", "--metric", "mse"),
]


@pytest.mark.parametrize("arguments", RUNS, ids=" ".join)
@pytest.mark.parametrize("form", ["--dry-run", "--explain"])
def test_what_a_dry_run_prints_is_accepted_as_config_and_gives_the_same_run(fdl, tmp_path, arguments, form):
    first = fdl("train", *arguments, form)
    assert first.status == 0
    config = tmp_path / "run.yaml"
    config.write_text(first.out)
    second = fdl("train", "--config", str(config), "--dry-run")
    assert second.status == 0
    assert second.err == "" or "do not apply" in second.err  # of the recipe, whose options the file overrules
    assert yaml.safe_load(second.out) == yaml.safe_load(first.out)
    if form == "--dry-run":
        assert second.out == first.out
    facts = json.loads(fdl("train", *arguments, "--dry-run", "--json").out)
    assert facts["spec"] == yaml.safe_load(first.out)


def test_explain_names_the_origin_of_each_value(fdl):
    lines = fdl("train", "mlp", "--epochs", "3", "--set", "seed=4", "--explain").out.splitlines()
    assert "epochs: 3  # command line" in lines
    assert "seed: 4  # --set" in lines
    assert "batch_size: 32  # recipe of mlp" in lines
    assert "  dropout: 0.0  # default" in lines
    assert all("  # " in line or line.endswith(":") for line in lines)


def test_discarded_options_are_said_on_standard_error(fdl):
    answer = fdl("train", "mlp", "--optimizer", "sgd", "--dry-run")
    assert answer.err == "optimizer is sgd (command line): options of adam (learning_rate=0.001) do not apply.\n"
    assert yaml.safe_load(answer.out)["optimizer"]["name"] == "sgd"


# ---- refusals -----------------------------------------------------------------------------------------------------


REFUSED = [
    (("trian",), "There is no command 'trian': did you mean train?"),
    (("xyzzy",), "There is no command 'xyzzy': the commands are list, show"),
    (("plugins", "lst"), "There is no command 'plugins lst': did you mean list?"),
    (("plugins", "xyzzy"), "there are list, doctor, new, test."),
    (("plugins", "new"), "Missing argument 'NAME'"),
    (("plugins", "new", "3net"), "A plugin cannot be named '3net': begin with a letter"),
    (("plugins", "new", "mlp"), "there is a built-in model of this name"),
    (("plugins", "new", "my-net", "--kind", "layer"), "'layer' is not one of 'model'"),
    (("plugins", "test"), "Missing argument 'DISTRIBUTION'"),
    (("plugins", "test", "ghost"), "The plugin 'ghost' cannot be tested: it is not installed (pip install ghost)"),
    (("plugins", "test", "numpy"), "it is installed, but has no entries for fdl_zoo"),
    (("plugins", "doctor", "--time-limit", "0"), "0.0 is not in the range x>0"),
    (("--jsn", "list"), "No such option '--jsn'"),
    (("list", "--nams"), "No such option '--nams'"),
    (("list", "modles"), "There is no kind 'modles': did you mean models?"),
    (("list", "--chapter", "three"), "'three' is not a valid integer"),
    (("list", "--task", "clasification"), "cannot be 'clasification': it is one of classification"),
    (("list", "models", "-m", "mpl"), "No model matches 'mpl': did you mean mlp?"),
    (("list", "-m", "zzz*"), "zzz*"),
    (("list", "models", "optimizers"), "Got unexpected extra argument"),
    (("show",), "Missing argument 'NAME'"),
    (("show", "mpl"), "Nothing is named 'mpl': did you mean mlp"),
    (("show", "xyzzy"), "Nothing is named 'xyzzy': `fdl list` shows all."),
    (("show", "ghost/net"), "its plugin ghost is not installed"),
    (("show", "mpl\nmpl"), "Nothing is named 'mpl\\nmpl'"),
    (("show", "mlp", "--kind", "optimizers"), "No optimizer is named 'mlp'"),
    (("show", "mlp", "--input-shape", "8,8,1"), "go with --layers"),
    (("show", "adam", "--layers"), "it is one of the optimizers, not a model"),
    (("show", "mlp", "--layers", "--input-shape", "8x8"), "--input-shape cannot be '8x8': write for example 28,28,1"),
    (("show", "mlp", "--layers", "--input-shape", "0"), "--input-shape cannot be '0'"),
    (("train",), "A run needs a model"),
    (("train", "mpl"), "No model is named 'mpl': did you mean mlp?"),
    (("train", "keras/mlp"), "No model is named 'keras/mlp'"),
    (("train", "mlp", "--data", "digit"), "No dataset is named 'digit': did you mean digits"),
    (("train", "mlp", "--optimizer", "adamm"), "did you mean adam"),
    (("train", "mlp", "--callback", "early_stoping"), "did you mean early_stopping?"),
    (("train", "mlp", "--epoch", "3"), "No such option '--epoch'"),
    (("train", "mlp", "--epochs", "0"), "epochs cannot be 0 (command line): it is at least 1"),
    (("train", "mlp", "--epochs", "many"), "'many' is not a valid integer"),
    (("train", "mlp", "--batch-size", "half"), "it is a number of examples, or full"),
    (("train", "mlp", "--lr", "-1"), "adam: learning_rate cannot be -1.0: it lies in (0, inf)"),
    (("train", "mlp", "--lr", "nan"), "adam: learning_rate cannot be nan"),
    (("train", "mlp", "--loss", "mean_square_error"), "did you mean mean_squared_error"),
    (("train", "mlp", "--metric", "acuracy"), "did you mean accuracy"),
    (("train", "mlp", "--loss", "categorical_crossentropy"), "the loss for these is sparse_categorical_crossentropy"),
    (("train", "mlp", "--metric", "MeanSquaredError"), "the targets are indices of classes: the metric for these is"),
    (
        ("train", "linear", "--loss", "SparseCategoricalCrossentropy"),
        "where the targets are values: the loss for these",
    ),
    (("train", "mlp", "--optimizer", "lbfgs", "--precision", "mixed_float16"), "needs the loss that scaling hides"),
    (("train", "mlp", "--monitor", "val_los"), "did you mean val_loss"),
    (("train", "mlp", "--precision", "half"), "precision cannot be 'half'"),
    (("train", "mlp", "--devices", "tpu:0"), "write cpu:0, gpu:0 or gpu:0,gpu:1"),
    (("train", "mlp", "--devices", "gpu:0,gpu:1", "--set", "jit=true"), "jit cannot be true on several devices"),
    (("train", "mlp", "--checkpoint-every", "0"), "checkpoint.every cannot be 0"),
    (("train", "mlp", "--set", "epochs"), "write PATH=VALUE"),
    (("train", "mlp", "--set", "optimzer.learning_rate=1"), "did you mean optimizer"),
    (("train", "mlp", "--set", "model.unit=3"), "mlp has no option 'unit': did you mean units?"),
    (("train", "mlp", "--set", "model.units=x"), "mlp: units cannot be 'x'"),
    (("train", "mlp", "--set", "epochs.x=1"), "epochs cannot be {'x': 1}"),
    (("train", "mlp", "--set", "epochs=["), "it is not YAML"),
    (("train", "mlp", "--set", "steps_per_epoch=5"), "it goes with batch_size full only"),
    (("train", "--config", "nothing.yaml"), "'nothing.yaml' does not exist"),
    (("train", "mlp", "--data", "/nowhere/data.npz"), "The data '/nowhere/data.npz' cannot be read"),
    (("train", "mlp", "--plugins-dir", "nowhere"), "'nowhere' does not exist"),
    (("train", "quadratic", "--data", "digits"), "quadratic cannot train on digits"),
    (("runs", "--status", "done"), "'done' is not one of"),
    (("ui", "--port", "0"), "0 is not in the range"),
]


@pytest.mark.parametrize(("arguments", "part"), REFUSED, ids=[" ".join(each) for each, _ in REFUSED])
def test_what_the_user_can_put_right_is_one_line_and_status_2(fdl, arguments, part):
    assert part in fdl(*arguments).refused()


def test_a_file_in_config_is_named_with_its_line(fdl, tmp_path):
    config = tmp_path / "run.yaml"
    for text, part in (
        ("model: [\n", "is not YAML (line 2)"),
        ("", "holds no run"),
        ("model: mlp\nepoch: 3\n", "did you mean epochs"),
        ("model: {name: mlp, units: -1}\n", "mlp: units cannot be -1: it lies in [1, inf)"),
    ):
        config.write_text(text)
        assert part in fdl("train", "--config", str(config)).refused()


def test_a_failure_of_ours_is_one_line_and_status_1(fdl, monkeypatch):
    def broken(*args, **filters):
        raise ZeroDivisionError("division by zero\nsecond line")

    monkeypatch.setattr(catalogue.models, "entries", broken)
    answer = fdl("list", "models")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err == "fdl: ZeroDivisionError: division by zero (--verbose shows where)\n"
    with pytest.raises(ZeroDivisionError):
        fdl("list", "models", "--verbose")


def test_an_interruption_is_status_130(fdl, monkeypatch):
    def interrupted(*args, **filters):
        raise KeyboardInterrupt

    monkeypatch.setattr(catalogue.models, "entries", interrupted)
    answer = fdl("list", "models")
    assert answer.status == 130
    assert answer.err.strip() == "fdl: interrupted"


def test_commands_can_be_run_one_after_another_in_one_process(fdl):
    for _ in range(2):
        for command in ("list", "show", "train"):
            assert fdl(command, "--help").status == 0
    assert fdl("list", "--names", "--json").out != fdl("list", "--names").out


@pytest.mark.parametrize(
    ("tracking", "says"),
    [
        ({}, "fdl ui"),
        ({"uri": "http://user:secret@here:5000"}, "http://"),
        ({"uri": "sqlite:////shared/mlflow.db"}, "MLFLOW_TRACKING_URI=sqlite:////shared/mlflow.db fdl ui"),
        ({"enabled": False}, "mlruns/runs/one"),
    ],
    ids=str,
)
def test_a_run_says_where_it_is_looked_at(tracking, says, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    given = SimpleNamespace(**({"uri": None, "enabled": True} | tracking))
    run = SimpleNamespace(spec=SimpleNamespace(tracking=given), path=Path("mlruns/runs/one"))
    assert where_to_look(run).startswith(says)
    assert "secret" not in where_to_look(run)


def test_a_servers_own_pages_are_named_instead_of_ours(fdl, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://here:5000")
    refused = fdl("ui")
    assert refused.status == 2
    assert "open http://here:5000" in refused.err


def test_an_environment_that_names_no_store_is_refused_before_training(fdl, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    done = fdl("train", "mlp", "--dry-run")
    assert "MLFLOW_TRACKING_URI cannot be './mlruns': it is http://HOST:PORT, sqlite:///PATH" in done.refused()
    assert fdl("train", "mlp", "--dry-run", "--no-tracking").status == 0
    assert fdl("train", "mlp", "--dry-run", "--tracking-uri", "http://here:5000").status == 0
