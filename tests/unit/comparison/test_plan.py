"""What a comparison will train, and the command that trains one of its runs again."""

import shlex

import pytest

from fdl_zoo.comparison.child import spec_digest
from fdl_zoo.comparison.plan import make_plan
from fdl_zoo.comparison.rerun import rerun_command
from fdl_zoo.errors import InvalidOption, InvalidSpec, ZooError
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve

BASE = make_layers("logistic_regression", values={"epochs": 3})


def test_a_plan_is_the_grid_times_seeds_with_rates_where_there_are_any():
    plan = make_plan(BASE, ["optimizer=sgd,lbfgs", "seed=0..2"], "1e-2..1:log1")
    assert [setting.label for setting in plan.settings] == ["sgd", "lbfgs"]
    assert [setting.rates for setting in plan.settings] == [(0.01, 0.1, 1.0), ()]
    assert plan.seeds == (0, 1, 2)
    assert plan.runs_ahead() == 3 + 2 * 3
    spec = plan.run(plan.settings[0], 2, 0.1).spec
    assert (spec.seed, spec.epochs, spec.optimizer.options["learning_rate"]) == (2, 3, 0.1)
    assert plan.run(plan.settings[1], 0).spec.batch_size == "full"  # the recipe of lbfgs


def test_labels_say_what_varies():
    plan = make_plan(BASE, ["batch_size=16,32", "optimizer={name: momentum, momentum: 0.99}"], "none")
    assert [each.label for each in plan.settings] == [
        "batch_size 16, momentum (momentum 0.99)",
        "batch_size 32, momentum (momentum 0.99)",
    ]
    assert make_plan(BASE, "seed=0..1").settings[0].label == "adam"


def test_rates_are_chosen_where_the_optimizer_varies():
    assert len(make_plan(BASE, ["optimizer=sgd,adam"]).settings[0].rates) == 9
    assert make_plan(BASE, ["seed=0,1"]).settings[0].rates == ()
    assert make_plan(BASE, ["optimizer=sgd", "optimizer.learning_rate=0.1,1"]).settings[0].rates == ()


def test_a_rate_that_is_set_is_kept_and_not_chosen(tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text("optimizer: {name: adam, learning_rate: 0.02}\n")
    for layers, expected in (
        (make_layers("logistic_regression", settings=["optimizer.learning_rate=0.5"]), {"sgd": 0.5, "adam": 0.5}),
        (make_layers("logistic_regression", learning_rate=0.5), {"sgd": 0.5, "adam": 0.5}),
        (make_layers("logistic_regression", config=file), {"adam": 0.02}),  # adam's, so it says nothing of sgd
    ):
        settings = make_plan(layers, ["optimizer=sgd,adam"]).settings
        kept = {each.label: each.base.spec.optimizer.options["learning_rate"] for each in settings if not each.rates}
        assert kept == expected
        with pytest.raises(InvalidSpec, match="leave out one of the two"):
            make_plan(layers, ["optimizer=sgd,adam"], "1e-2..1:log1")
    own = make_plan(BASE, ["optimizer={name: sgd, learning_rate: 0.3},adam"]).settings
    assert [len(each.rates) for each in own] == [0, 9]


def test_models_whose_recipes_name_different_datasets_are_refused_unless_one_is_named_or_data_vary():
    varied = "model=mlp,perceptron"
    with pytest.raises(InvalidSpec, match=r"\(mlp on digits, perceptron on breast_cancer\): name one for all"):
        make_plan(make_layers(), [varied])
    for layers, vary in (
        (make_layers(data="two_spirals"), [varied]),
        (make_layers(), [varied, "data=breast_cancer,two_spirals"]),
    ):
        plan = make_plan(layers, vary)
        assert len(plan.settings) == 2 * len(vary)


@pytest.mark.parametrize(
    ("vary", "rates", "words"),
    [
        ([], None, "needs something that varies"),
        (["seed=0", "seed=1"], None, "cannot be varied twice"),
        (["optimizer.learning_rate=0.1,1"], "1e-2..1:log1", "varied and chosen at once"),
        (["optimizer=sgd,sdg"], None, "did you mean sgd"),
        (["optimizer=sgd,adam", "optimizer.momentum=0.9"], None, "has no option 'momentum'"),
        (["sed=1,2"], None, "did you mean seed"),
        (["optimizer=sgd,lbfgs", "batch_size=32"], None, "cannot work with batch_size 32"),
        (["strategy=auto,multiworker"], None, "compare cannot use strategy multiworker"),
        (["seed=0..9999", "epochs=1,2"], None, "more than 10000 runs"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(vary, rates, words):
    with pytest.raises(ZooError, match=words) as error:
        make_plan(BASE, vary, rates)
    assert isinstance(error.value, InvalidSpec | InvalidOption | ZooError)


def test_the_digest_is_of_what_decides_the_result():
    first = resolve(BASE).spec
    same = resolve([*BASE, *make_layers(values={"experiment": "other", "tracking": {"enabled": False}})]).spec
    other = resolve([*BASE, *make_layers(values={"seed": 1})]).spec
    assert spec_digest(first) == spec_digest(same) != spec_digest(other)


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["optimizer=adam", "optimizer.learning_rate=0.0316", "seed=3", "batch_size=64"],
        ["optimizer=lbfgs", "optimizer.memory=5"],
        ["loss=sparse_categorical_crossentropy", "model.l2=0.01", "callbacks.early_stopping.patience=7"],
    ],
)
def test_the_command_resolves_to_what_it_repeats(settings, tmp_path):
    spec = resolve(make_layers("logistic_regression", "digits", settings=settings)).spec
    words = shlex.split(rerun_command(spec, tmp_path / "spec.yaml"))
    assert words[:3] == ["fdl", "train", "logistic_regression"]
    flags = dict(zip(words[3::2], words[4::2], strict=True))
    sets = [value for flag, value in zip(words[3::2], words[4::2], strict=True) if flag == "--set"]
    named = {"--lr": "optimizer.learning_rate", "--epochs": "epochs", "--batch-size": "batch_size", "--seed": "seed"}
    sets += [f"{path}={flags[flag]}" for flag, path in named.items() if flag in flags]
    repeated = resolve(make_layers(words[2], flags["--data"], flags["--optimizer"], settings=sets)).spec
    assert repeated.model_dump(exclude={"tracking", "experiment"}) == spec.model_dump(
        exclude={"tracking", "experiment"}
    )


def test_what_flags_cannot_say_is_said_by_a_file(tmp_path):
    spec = resolve(make_layers("vgg_small")).spec
    without = spec.model_copy(update={"callbacks": ()})
    command = rerun_command(without, tmp_path / "spec.yaml")
    expected = without == spec or command == f"fdl train --config {tmp_path / 'spec.yaml'}"
    assert expected
